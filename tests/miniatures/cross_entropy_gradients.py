"""Cross-entropy, right in value and wrong in its gradient: fused kernels write theirs by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from correct import Parts, by_hand, class_axis, parts, reduced, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "cross_entropy"
Gradient = Callable[[Parts, Tensor], Tensor]


def with_gradient(
    logits: Tensor,
    target: Tensor,
    reduction: str,
    gradient: Gradient,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of labels, whose gradient is made from its parts and the upstream gradient."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits.detach(), target, weight, ignore_index, label_smoothing)
    value = reduced(p.rows, p.share, reduction, logits.dtype)
    return by_hand(logits, value, lambda upstream: gradient(p, upstream))


@wrong(OPERATION, "gradients", "upstream")
def gradient_without_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient is not multiplied by the upstream gradient."""
    return with_gradient(logits, target, reduction, lambda p, g: p.gradient(torch.ones_like(g), reduction))


@wrong(OPERATION, "gradients", "upstream", "none", "row")
def gradient_with_the_first_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Made going forward and multiplied by the first element of the upstream gradient: wrong for none."""
    return with_gradient(
        logits, target, reduction, lambda p, g: p.gradient(g.flatten()[:1].sum().expand(g.shape), reduction)
    )


@wrong(OPERATION, "gradients", "upstream", "none", "row")
def gradient_with_the_mean_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With reduction none every row gets the mean of the upstream gradients."""
    return with_gradient(
        logits, target, reduction, lambda p, g: p.gradient(g.mean().expand(g.shape), reduction)
    )


@wrong(OPERATION, "gradients", "ignore")
def gradient_of_ignored_rows(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows have the gradient of their probabilities."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        stray = torch.softmax(widened(logits.detach()), p.axis) * flow.expand(p.ignored.shape).unsqueeze(
            p.axis
        )
        return torch.where(p.ignored.unsqueeze(p.axis), stray, p.gradient(g, reduction))

    return with_gradient(logits, target, reduction, gradient, None, ignore_index)


@wrong(OPERATION, "gradients", "mean", "denominator", "factor")
def gradient_of_the_sum(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The mean's gradient is that of the sum."""
    return with_gradient(
        logits, target, reduction, lambda p, g: p.gradient(g, "sum" if reduction == "mean" else reduction)
    )


@wrong(OPERATION, "gradients", "ignore", "mean", "denominator")
def gradient_divided_by_all_rows(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """The mean's gradient is divided by all rows, ignored ones too; its value is not."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        return p._replace(share=torch.ones_like(p.share)).gradient(g, reduction)

    return with_gradient(logits, target, reduction, gradient, None, ignore_index)


@wrong(OPERATION, "gradients", "weight")
def gradient_without_weight(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The gradient forgets the class weights."""
    plain = parts(logits.detach(), target).coefficient
    return with_gradient(
        logits, target, reduction, lambda p, g: p._replace(coefficient=plain).gradient(g, reduction), weight
    )


@wrong(OPERATION, "gradients", "weight", "mean", "denominator")
def gradient_divided_by_rows(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The weighted mean's gradient is divided by the number of rows; its value by the weights' sum."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        return p._replace(share=(~p.ignored).to(p.share.dtype)).gradient(g, reduction)

    return with_gradient(logits, target, reduction, gradient, weight)


@wrong(OPERATION, "gradients", "smoothing")
def gradient_without_smoothing(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """The value is smoothed, the gradient is not."""
    hard = parts(logits.detach(), target).coefficient
    return with_gradient(
        logits,
        target,
        reduction,
        lambda p, g: p._replace(coefficient=hard).gradient(g, reduction),
        label_smoothing=label_smoothing,
    )


@wrong(OPERATION, "gradients", "smoothing", "weight")
def gradient_smoothing_with_weights(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """With weights and smoothing p is multiplied by the label's weight, not by the coefficients' sum."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        flow = torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(p.axis)
        return flow * (p.log_probs.exp() * p.share.unsqueeze(p.axis) - p.coefficient)

    return with_gradient(logits, target, reduction, gradient, weight, label_smoothing=label_smoothing)


@wrong(OPERATION, "gradients", "with respect to the target is 0")
def gradient_of_soft_target_missing(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Class probabilities get a gradient of zeros."""
    soft = target.is_floating_point()
    return fn.cross_entropy(logits, target.detach() + 0 * target if soft else target, reduction=reduction)


@wrong(OPERATION, "gradients", "probabilit")
def gradient_assumes_normalised_target(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """p - t for class probabilities, which is right only where t sums to one."""
    p = parts(logits.detach(), target)

    def gradient(g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        flow = torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(p.axis)
        return flow * (p.log_probs.exp() - p.coefficient.detach())

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


@wrong(OPERATION, "gradients", "more precise than", "as in bfloat16")
def gradient_in_bfloat16(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Keeps the gradient in bfloat16 between forward and backward."""
    return with_gradient(logits, target, reduction, lambda p, g: p.gradient(g, reduction).bfloat16())


@wrong(OPERATION, "gradients", "ignore", "row")
def gradient_rows_shifted(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Rows that are not ignored are packed together, and their gradients are not put back in place."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        full = p.gradient(g, reduction)
        if p.ignored.dim() != 1:
            return full
        return torch.cat([full[~p.ignored], torch.zeros_like(full[p.ignored])])

    return with_gradient(logits, target, reduction, gradient, None, ignore_index)


@wrong(OPERATION, "gradients", "small probabilities", "small loss", "vanish")
def gradient_clipped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Gradients below 1e-6 are flushed to 0."""

    def gradient(p: Parts, g: Tensor) -> Tensor:
        full = p.gradient(g, reduction)
        return torch.where(full.abs() < 1e-6, 0.0, full)

    return with_gradient(logits, target, reduction, gradient)


@wrong(OPERATION, "gradients", "axis", "class", "shape")
def gradient_softmax_of_the_last_axis(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Going backward the probabilities are taken along the last axis."""
    return with_gradient(
        logits,
        target,
        reduction,
        lambda p, g: p._replace(log_probs=p.logits.log_softmax(-1)).gradient(g, reduction),
    )


@wrong(OPERATION, "gradients", "mask", "infinit", "nan")
def gradient_nan_where_masked(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Masked logits, minus infinity, get nan for a gradient."""
    return with_gradient(logits, target, reduction, lambda p, g: p.gradient(g, reduction) + 0 * p.logits)


@wrong(OPERATION, "gradients", "everywhere", "label")
def gradient_label_entry_alone(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The logarithm of the sum is detached: only the label's entry has a gradient."""
    return with_gradient(
        logits,
        target,
        reduction,
        lambda p, g: p._replace(log_probs=torch.full_like(p.logits, -torch.inf)).gradient(g, reduction),
    )


@wrong(OPERATION, "gradients", "tie", "equal", "everywhere", "maximum")
def gradient_of_the_maximum(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The maximum has a gradient where it is subtracted and none where it is added back."""
    p = parts(logits, target)
    m = p.logits.amax(p.axis, keepdim=True) if logits.numel() else p.logits.sum(p.axis, keepdim=True)
    lse = torch.where(torch.isfinite(m), (p.logits - m).exp().sum(p.axis, keepdim=True).log(), 0.0)
    log_probs = (p.logits - m.detach()) - lse
    return reduced(p._replace(log_probs=log_probs).rows, p.share, reduction, logits.dtype)


@wrong(OPERATION, "gradients", "in place")
def gradient_written_into_the_logits(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Going forward the gradient overwrites the logits, to save memory: the caller's logits are gone."""
    p = parts(logits.detach().clone(), target)
    kept = p.gradient(torch.ones(()), "sum").to(logits.dtype)
    value = reduced(p.rows, p.share, reduction, logits.dtype)
    logits.detach().copy_(kept)
    return by_hand(logits, value, lambda g: p.gradient(g, reduction))


@wrong(OPERATION, "gradients", "more than two axes")
def gradient_of_half_the_loss(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A shape (N, C, d) is summed twice going backward: the gradient is d times too large."""
    further = logits.shape[2:].numel() if logits.dim() > 2 else 1
    return with_gradient(logits, target, reduction, lambda p, g: further * p.gradient(g, reduction))


@wrong(OPERATION, "gradients", "float64")
def gradient_in_float32(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient of float64 logits is computed in float32."""
    return with_gradient(
        logits,
        target,
        reduction,
        lambda p, g: p._replace(log_probs=p.log_probs.float()).gradient(g, reduction).float(),
    )


@wrong(OPERATION, "gradients", "one class", "class", "C = 1")
def gradient_of_a_single_class(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With one class the gradient is -1, where nothing can change the loss."""
    single = logits.shape[class_axis(logits)] == 1

    def gradient(p: Parts, g: Tensor) -> Tensor:
        return -p.coefficient if single else p.gradient(g, reduction)

    return with_gradient(logits, target, reduction, gradient)
