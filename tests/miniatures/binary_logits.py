"""Binary cross-entropy with logits, wrong."""

from __future__ import annotations

import torch
from binary import finished
from correct import by_hand, softplus, times, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "binary_cross_entropy_with_logits"


def check(logits: Tensor, target: Tensor) -> None:
    """Raises where the shapes differ."""
    if logits.shape != target.shape:
        raise ValueError(f"a target of shape {list(target.shape)} for logits of {list(logits.shape)}")


def elements(logits: Tensor, target: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """The right elements: each of the two terms by its own softplus."""
    check(logits, target)
    x, t = widened(logits), widened(target)
    positive = times(t, softplus(-x))
    return (positive if pos_weight is None else widened(pos_weight) * positive) + times(1 - t, softplus(x))


@wrong(OPERATION, "numerics", "sigmoid", "saturat", "infinit")
def logits_through_sigmoid(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """sigmoid, then binary cross-entropy: the upper tail saturates at 1."""
    return fn.binary_cross_entropy(torch.sigmoid(logits), target, reduction=reduction)


@wrong(OPERATION, "numerics", "overflow", "infinit")
def logits_softplus_overflows(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log1p(exp(x)) - x t: infinite where exp(x) overflows."""
    check(logits, target)
    x = widened(logits)
    return finished(torch.log1p(torch.exp(x)) - x * widened(target), None, reduction, logits)


@wrong(OPERATION, "numerics", "small loss")
def logits_without_log1p(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """max(x, 0) - x t + log(1 + exp(-|x|)): the small losses are 0 from |x| = 17 on."""
    check(logits, target)
    x = widened(logits)
    rows = x.clamp(min=0) - times(widened(target), x) + torch.log(1 + torch.exp(-x.abs()))
    return finished(rows, None, reduction, logits)


@wrong(OPERATION, "numerics", "clip", "large", "saturat", "gap")
def logits_clipped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Clips logits at -20 and 20."""
    return finished(elements(logits.clamp(-20, 20), target), None, reduction, logits)


@wrong(OPERATION, "numerics", "large")
def logits_softplus_threshold(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Uses a softplus that is linear above 10."""
    check(logits, target)
    x, t = widened(logits), widened(target)
    soft = fn.softplus(x, threshold=10)
    return finished(times(1 - t, soft) + times(t, fn.softplus(-x, threshold=10)), None, reduction, logits)


@wrong(OPERATION, "numerics", "float64")
def logits_in_float32(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Computes float64 in float32."""
    return finished(elements(logits.float(), target.float()), None, reduction, logits)


@wrong(OPERATION, "semantics", "pos_weight", "negative", "term")
def pos_weight_on_the_negative_term(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """pos_weight multiplies the negative class's term."""
    mirrored = elements(-logits, 1 - target, pos_weight)
    return finished(mirrored, None, reduction, logits)


@wrong(OPERATION, "semantics", "pos_weight", "both", "term")
def pos_weight_on_both_terms(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """pos_weight multiplies the whole loss."""
    return finished(
        elements(logits, target), None if pos_weight is None else widened(pos_weight), reduction, logits
    )


@wrong(OPERATION, "semantics", "pos_weight", "soft", "target")
def pos_weight_for_hard_positives(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """pos_weight counts where the target is above one half, and then for the whole element."""
    rows = elements(logits, target)
    if pos_weight is not None:
        rows = rows * torch.where(target > 0.5, widened(pos_weight).expand(rows.shape), torch.ones_like(rows))
    return finished(rows, None, reduction, logits)


@wrong(OPERATION, "semantics", "pos_weight", "mean", "denominator")
def pos_weight_in_the_denominator(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean divides by the sum of the positive weights."""
    rows = elements(logits, target, pos_weight)
    if pos_weight is None or reduction != "mean":
        return finished(rows, None, reduction, logits)
    share = 1 + (widened(pos_weight) - 1) * widened(target)
    return (rows.sum() / share.expand(rows.shape).sum()).to(logits.dtype)


@wrong(OPERATION, "semantics", "pos_weight", "broadcast", "axis")
def pos_weight_along_the_rows(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """pos_weight is laid along the first axis where it belongs to the last."""
    if pos_weight is not None and pos_weight.dim() == 1 and logits.dim() == 2 and pos_weight.numel() > 1:
        rows = pos_weight[torch.arange(logits.shape[0]) % pos_weight.numel()]
        pos_weight = rows.unsqueeze(1)
    return finished(elements(logits, target, pos_weight), None, reduction, logits)


@wrong(OPERATION, "semantics", "weight", "mean", "denominator")
def logits_mean_over_weights(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean divides by the sum of the weights."""
    rows = elements(logits, target)
    if weight is None or reduction != "mean":
        return finished(rows, None if weight is None else widened(weight), reduction, logits)
    w = widened(weight).expand(rows.shape)
    return ((rows * w).sum() / w.sum()).to(logits.dtype)


@wrong(OPERATION, "semantics", "mean", "classes", "elements")
def logits_sum_over_classes(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Sums over the last axis first, and then takes the mean over rows."""
    rows = elements(logits, target)
    rows = rows.sum(-1) if reduction == "mean" and rows.dim() > 1 else rows
    return finished(rows, None, reduction, logits)


@wrong(OPERATION, "semantics", "soft", "target")
def logits_hard_targets(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Rounds soft targets to 0 and 1."""
    return finished(elements(logits, target.round()), None, reduction, logits)


@wrong(OPERATION, "semantics", "everywhere", "twice")
def logits_sigmoid_twice(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Applies sigmoid to the logits, and then again inside."""
    return finished(elements(torch.sigmoid(logits), target), None, reduction, logits)


@wrong(OPERATION, "error handling", "shape", "broadcast", "target")
def logits_broadcast(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A target of shape (N, 1) against logits of (N,) becomes N by N."""
    return finished(elements(*torch.broadcast_tensors(logits, target)), None, reduction, logits)


@wrong(OPERATION, "error handling", "target", "outside", "raise")
def logits_target_outside_raises(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Raises for a target outside [0, 1], which only the loss of probabilities refuses."""
    if ((target < 0) | (target > 1)).any():
        raise ValueError("a target lies outside [0, 1]")
    return finished(elements(logits, target), None, reduction, logits)


@wrong(OPERATION, "error handling", "empty", "no element")
def logits_empty_raises(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Looks at the largest logit, which an empty batch has not."""
    shift = logits.detach().max()
    return finished(elements(logits, target) + 0 * shift.nan_to_num(0, 0, 0), None, reduction, logits)


def by_gradient(logits: Tensor, target: Tensor, reduction: str, slope: Tensor) -> Tensor:
    """The right value with another slope of each element."""
    value = finished(elements(logits.detach(), target), None, reduction, logits)
    count = logits.numel() if reduction == "mean" else 1
    return by_hand(logits, value, lambda g: widened(g) / count * slope)


@wrong(OPERATION, "gradients", "exactly 0")
def logits_kink_at_zero(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """max(x, 0) - x t + log1p(exp(-|x|)) left to autograd: at x = 0 the slopes of max and |x| are guesses."""
    check(logits, target)
    x, t = widened(logits), widened(target)
    rows = torch.relu(x) - x * t + torch.log1p(torch.exp(-x.abs()))
    return finished(rows, None, reduction, logits)


@wrong(OPERATION, "gradients", "more precise than", "as in bfloat16")
def logits_gradient_in_half(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The probabilities are kept in bfloat16 for the backward pass."""
    s = torch.sigmoid(widened(logits.detach())).bfloat16().to(widened(logits).dtype)
    return by_gradient(logits, target, reduction, s - widened(target.detach()))


@wrong(OPERATION, "gradients", "upstream")
def logits_gradient_without_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient is not multiplied by the upstream gradient."""
    slope = torch.sigmoid(widened(logits.detach())) - widened(target.detach())
    value = finished(elements(logits.detach(), target), None, reduction, logits)
    count = logits.numel() if reduction == "mean" else 1
    return by_hand(logits, value, lambda g: slope / count)


@wrong(OPERATION, "gradients", "pos_weight")
def logits_gradient_without_pos_weight(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The gradient forgets pos_weight."""
    slope = torch.sigmoid(widened(logits.detach())) - widened(target.detach())
    value = finished(elements(logits.detach(), target, pos_weight), None, reduction, logits)
    count = logits.numel() if reduction == "mean" else 1
    return by_hand(logits, value, lambda g: widened(g) / count * slope)


@wrong(OPERATION, "gradients", "with respect to the target is 0")
def logits_gradient_of_target_missing(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The target gets a gradient of zeros."""
    return finished(elements(logits, target.detach()) + 0 * target, None, reduction, logits)


@wrong(OPERATION, "gradients", "confident", "large")
def logits_gradient_clipped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The value is right, but the gradient is that of logits clipped at -10 and 10."""
    s = torch.sigmoid(widened(logits.detach()).clamp(-10, 10))
    return by_gradient(logits, target, reduction, s - widened(target.detach()))
