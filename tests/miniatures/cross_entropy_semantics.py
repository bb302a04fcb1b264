"""Cross-entropy, wrong in what it means: weights, ignored labels, smoothing, reductions, shapes."""

from __future__ import annotations

import torch
from correct import Parts, class_axis, parts, reduced, times
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "cross_entropy"


def finished(
    p: Parts, reduction: str, like: Tensor, rows: Tensor | None = None, share: Tensor | None = None
) -> Tensor:
    """The reduction of the parts, with other rows or shares where given."""
    rows = p.rows if rows is None else rows
    return reduced(rows, p.share if share is None else share, reduction, like.dtype)


def along_classes(weight: Tensor, p: Parts) -> Tensor:
    """Class weights in the shape of the logits."""
    return weight.to(p.logits.dtype).reshape([-1 if i == p.axis else 1 for i in range(p.logits.dim())])


@wrong(OPERATION, "semantics", "weight", "mean", "denominator")
def weighted_mean_over_rows(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The mean divides by the number of rows, not by the sum of their weights."""
    p = parts(logits, target, weight, ignore_index)
    return finished(p, reduction, logits, share=(~p.ignored).to(p.share.dtype))


@wrong(OPERATION, "semantics", "weight", "denominator", "classes")
def weighted_mean_over_all_classes(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean divides by N times the mean class weight."""
    p = parts(logits, target, weight)
    share = p.share if weight is None else torch.full_like(p.share, float(weight.mean()))
    return finished(p, reduction, logits, share=share)


@wrong(OPERATION, "semantics", "weight", "twice", "factor")
def weight_applied_twice(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Each row is multiplied by its weight twice."""
    p = parts(logits, target, weight)
    return finished(p, reduction, logits, rows=p.rows * p.share if weight is not None else p.rows)


@wrong(OPERATION, "semantics", "weight", "ignored")
def weight_of_ignored_counted(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The weight of class 0 is counted in the denominator for each ignored row."""
    p = parts(logits, target, weight, ignore_index)
    stray = torch.ones(()) if weight is None else weight[0].to(p.share.dtype)
    return finished(p, reduction, logits, share=torch.where(p.ignored, stray, p.share))


@wrong(OPERATION, "semantics", "weight", "none", "reduction")
def weight_forgotten_without_mean(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Only the mean is weighted; none and sum are not."""
    return fn.cross_entropy(logits, target, weight if reduction == "mean" else None, reduction=reduction)


@wrong(OPERATION, "semantics", "weight", "zero", "nan", "0/0")
def weights_of_zero_give_zero(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The weights' sum is kept above 1e-8: 0 where 0 / 0 is nan."""
    p = parts(logits, target, weight)
    return (
        (p.rows.sum() / p.share.sum().clamp(min=1e-8)).to(logits.dtype)
        if reduction == "mean"
        else finished(p, reduction, logits)
    )


@wrong(OPERATION, "semantics", "ignore", "mean", "denominator")
def ignored_rows_counted(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows count in the mean's denominator."""
    p = parts(logits, target, None, ignore_index)
    return finished(p, reduction, logits, share=torch.ones_like(p.share))


@wrong(OPERATION, "semantics", "ignore", "class", "range")
def ignores_negative_labels_alone(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """An ignore_index that is one of the classes is not ignored."""
    return fn.cross_entropy(
        logits, target, ignore_index=ignore_index if ignore_index < 0 else -100, reduction=reduction
    )


@wrong(OPERATION, "semantics", "ignore", "all", "nan")
def all_ignored_is_zero(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """The mean over no row at all is 0 in place of nan."""
    p = parts(logits, target, None, ignore_index)
    return (
        (p.rows.sum() / p.share.sum().clamp(min=1)).to(logits.dtype)
        if reduction == "mean"
        else finished(p, reduction, logits)
    )


@wrong(OPERATION, "semantics", "ignored row")
def ignored_rows_times_zero(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows are multiplied by 0: nan in one makes everything nan."""
    p = parts(logits, target, None, ignore_index)
    spill = torch.where(p.ignored, logits.to(p.share.dtype).sum(p.axis), 0.0) * 0
    return finished(p, reduction, logits, rows=p.rows + spill)


@wrong(OPERATION, "semantics", "ignore", "none", "shape", "reduction")
def ignored_rows_dropped(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Reduction none leaves ignored rows out of the result."""
    p = parts(logits, target, None, ignore_index)
    return finished(p, reduction, logits, rows=p.rows[~p.ignored] if p.ignored.any() else p.rows)


@wrong(OPERATION, "semantics", "ignore", "default", "-100")
def ignores_minus_one_too(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Every negative label is ignored, not ignore_index alone."""
    return fn.cross_entropy(
        logits, torch.where(target < 0, ignore_index, target), ignore_index=ignore_index, reduction=reduction
    )


@wrong(OPERATION, "semantics", "smoothing", "classes")
def smoothing_over_the_others(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Spreads the smoothing over the n - 1 other classes."""
    p = parts(logits, target, label_smoothing=label_smoothing)
    hard = parts(logits, target).coefficient
    spread = (1 - hard) * label_smoothing / max(1, logits.shape[p.axis] - 1)
    coefficient = torch.where(p.ignored.unsqueeze(p.axis), 0.0, hard * (1 - label_smoothing) + spread)
    return finished(p, reduction, logits, rows=-times(coefficient, p.log_probs).sum(p.axis))


@wrong(OPERATION, "semantics", "smoothing", "weight")
def smoothing_without_weights(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The smoothing's part of the loss is not weighted."""
    p = parts(logits, target, weight)
    uniform = torch.where(p.ignored, 0.0, -p.log_probs.mean(p.axis))
    return finished(
        p,
        reduction,
        logits,
        rows=(1 - label_smoothing) * p.rows + (label_smoothing * uniform if label_smoothing else 0),
    )


@wrong(OPERATION, "semantics", "smoothing", "weight", "label")
def smoothing_weighted_by_the_label(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The smoothing's part is weighted by the label's weight, not by each class's."""
    p = parts(logits, target, weight)
    uniform = torch.where(p.ignored, 0.0, -p.log_probs.mean(p.axis)) * p.share
    return finished(
        p,
        reduction,
        logits,
        rows=(1 - label_smoothing) * p.rows + (label_smoothing * uniform if label_smoothing else 0),
    )


@wrong(OPERATION, "semantics", "smoothing", "ignore")
def smoothing_of_ignored_rows(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Ignored rows still have the smoothing's part of the loss."""
    p = parts(logits, target, None, ignore_index, label_smoothing)
    uniform = -torch.log_softmax(logits.to(p.share.dtype), p.axis).mean(p.axis)
    return finished(
        p,
        reduction,
        logits,
        rows=p.rows + (torch.where(p.ignored, uniform * label_smoothing, 0.0) if label_smoothing else 0),
    )


@wrong(OPERATION, "semantics", "smoothing", "mean", "factor")
def smoothing_sums_the_classes(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """The smoothing is not divided by the number of classes."""
    p = parts(logits, target)
    uniform = torch.where(p.ignored, 0.0, -p.log_probs.sum(p.axis))
    return finished(
        p,
        reduction,
        logits,
        rows=(1 - label_smoothing) * p.rows + (label_smoothing * uniform if label_smoothing else 0),
    )


@wrong(OPERATION, "semantics", "smoothing", "probabilit")
def smoothing_of_labels_alone(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Class probabilities are not smoothed."""
    smoothing = 0.0 if target.is_floating_point() else label_smoothing
    return fn.cross_entropy(logits, target, label_smoothing=smoothing, reduction=reduction)


@wrong(OPERATION, "semantics", "probabilit", "normalis")
def probabilities_normalised(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Class probabilities that do not sum to one are normalised silently."""
    axis = class_axis(logits)
    if target.is_floating_point():
        target = target / target.sum(axis, keepdim=True)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, "semantics", "probabilit", "label", "soft")
def probabilities_hardened(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes the most probable class for the label."""
    if target.is_floating_point() and target.numel():
        target = target.argmax(class_axis(logits))
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, "semantics", "probabilit", "weight")
def probabilities_unweighted(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Class weights count for labels alone."""
    return fn.cross_entropy(
        logits, target, None if target.is_floating_point() else weight, reduction=reduction
    )


@wrong(OPERATION, "semantics", "probabilit", "weight", "mean")
def probabilities_mean_over_weights(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """With class probabilities too the mean divides by the weights' sum, where it is the number of rows."""
    p = parts(logits, target, weight)
    share = p.coefficient.sum(p.axis) if target.is_floating_point() else p.share
    return finished(p, reduction, logits, share=share)


@wrong(OPERATION, "semantics", "mean", "reduction")
def sum_and_mean_swapped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes sum for mean and mean for sum."""
    return fn.cross_entropy(
        logits, target, reduction={"sum": "mean", "mean": "sum"}.get(reduction, reduction)
    )


@wrong(OPERATION, "semantics", "none", "reduction", "shape")
def none_is_mean(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reduction none returns the mean."""
    return fn.cross_entropy(logits, target, reduction="mean" if reduction == "none" else reduction)


@wrong(OPERATION, "semantics", "mean", "classes", "elements")
def mean_over_elements(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The mean divides by the number of logits, as the mean of one-hot times log-softmax does."""
    p = parts(logits, target)
    return finished(p, reduction, logits, share=p.share * logits.shape[p.axis])


@wrong(OPERATION, "semantics", "mean", "batch", "axes", "shape")
def mean_over_the_batch_axis(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """For (N, C, d) the mean divides by N, not by N times d."""
    p = parts(logits, target)
    further = target.shape[1:].numel() if logits.dim() > 2 else 1
    return finished(p, reduction, logits, share=p.share / further if further else p.share)


@wrong(OPERATION, "semantics", "axis", "class", "shape")
def classes_on_the_last_axis(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes the last axis of (N, C, d) for the classes, and reshapes until it fits."""
    classes = logits.shape[class_axis(logits)]
    if logits.dim() < 3:
        return fn.cross_entropy(logits, target, reduction=reduction)
    rows = target if not target.is_floating_point() else target.reshape(-1, classes)
    loss = fn.cross_entropy(
        logits.reshape(-1, classes), rows.flatten() if rows is target else rows, reduction=reduction
    )
    return loss.reshape(logits[:, 0].shape) if reduction == "none" else loss


@wrong(OPERATION, "semantics", "none", "shape", "axes", "reduction")
def none_is_flat(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reduction none returns the rows of (N, C, d) flattened."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return loss.flatten() if loss.dim() > 1 else loss


@wrong(OPERATION, "semantics", "length one", "one row")
def one_row_is_squeezed(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """squeeze() takes away the batch axis of a single row as well."""
    return fn.cross_entropy(logits, target, reduction=reduction).squeeze()


@wrong(OPERATION, "semantics", "dtype", "float32", "half")
def loss_in_float32(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Returns a float32 loss for half logits."""
    p = parts(logits, target)
    return reduced(p.rows, p.share, reduction, p.rows.dtype)


@wrong(OPERATION, "semantics", "hides nan")
def nan_is_zero(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A loss that is nan becomes 0, so that training goes on."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return torch.where(torch.isnan(loss), 0.0, loss)


@wrong(OPERATION, "semantics", "several rows", "everywhere")
def labels_of_the_next_row(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Shifts the labels by one row, as a language model's loss does inside."""
    rolled = target.roll(-1, 0) if target.dim() and not target.is_floating_point() else target
    return fn.cross_entropy(logits, rolled, reduction=reduction)
