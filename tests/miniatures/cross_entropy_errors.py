"""Cross-entropy that answers where an error is right, or raises where an answer is."""

from __future__ import annotations

import torch
from correct import check_call, class_axis, parts, reduced
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "cross_entropy"
KIND = "error handling"


def labels(target: Tensor) -> bool:
    """Whether the target holds labels."""
    return not target.is_floating_point()


@wrong(OPERATION, KIND, "label", "range", "clamp")
def out_of_range_label_clamped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A label beyond the last class is taken for it."""
    last = logits.shape[class_axis(logits)] - 1
    return fn.cross_entropy(logits, target.clamp(max=last) if labels(target) else target, reduction=reduction)


@wrong(OPERATION, KIND, "label", "negative", "wrap")
def negative_label_wraps(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Label -1 is the last class, as indexing has it (onnxruntime, optax)."""
    if labels(target):
        classes = logits.shape[class_axis(logits)]
        target = torch.where((target < 0) & (target != ignore_index), target + classes, target)
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


@wrong(OPERATION, KIND, "label", "range", "ignore")
def out_of_range_label_ignored(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """A label beyond the last class is ignored silently."""
    if labels(target):
        target = torch.where(target >= logits.shape[class_axis(logits)], ignore_index, target)
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


@wrong(OPERATION, KIND, "label", "range", "nan")
def out_of_range_label_is_nan(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Returns nan where it should raise, as under jit."""
    try:
        return fn.cross_entropy(logits, target, reduction=reduction)
    except (IndexError, ValueError, RuntimeError):
        return logits.sum() * torch.nan


@wrong(OPERATION, KIND, "label", "range", "zero")
def out_of_range_label_reads_zero(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A masked load: a label out of range reads a logit of 0, the loss is that of the sum alone."""
    if not labels(target):
        return fn.cross_entropy(logits, target, reduction=reduction)
    outside = (target < 0) | (target >= logits.shape[class_axis(logits)])
    p = parts(logits, torch.where(outside & (target != -100), 0, target))
    rows = torch.where(outside & ~p.ignored, p.logits.logsumexp(p.axis), p.rows)
    return reduced(rows, p.share, reduction, logits.dtype)


@wrong(OPERATION, KIND, "shape", "batch", "target")
def shorter_target_accepted(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Fewer labels than rows: gather takes what there is."""
    if not labels(target) or logits.dim() != 2 or target.dim() != 1:
        return fn.cross_entropy(logits, target, reduction=reduction)
    return fn.cross_entropy(logits[: len(target)], target, reduction=reduction)


@wrong(OPERATION, KIND, "shape", "target", "broadcast")
def target_broadcast(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A target of shape (N, 1), or of one label, is broadcast."""
    rows = [n for i, n in enumerate(logits.shape) if i != class_axis(logits)]
    if labels(target) and list(target.shape) != rows and target.numel() in (1, rows[0] if rows else 1):
        target = (
            target.reshape(rows)
            if target.numel() == torch.Size(rows).numel()
            else target.flatten().expand(rows)
        )
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, KIND, "float", "label", "dtype")
def float_labels_truncated(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A floating target that is not of the logits' shape is cut down to integers and taken for labels."""
    if target.is_floating_point() and target.shape != logits.shape:
        target = target.long()
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, KIND, "reduction")
def unknown_reduction_is_mean(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A reduction that it does not know is the mean."""
    return fn.cross_entropy(logits, target, reduction=reduction if reduction in ("none", "sum") else "mean")


@wrong(OPERATION, KIND, "smoothing", "range")
def smoothing_out_of_range_accepted(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Takes a label smoothing above 1 or below 0 for what it is."""
    p = parts(
        logits,
        target,
        label_smoothing=label_smoothing,
        check=None if not 0 <= label_smoothing <= 1 else check_call,
    )
    return reduced(p.rows, p.share, reduction, logits.dtype)


@wrong(OPERATION, KIND, "weight", "shape", "broadcast", "classes")
def weight_of_another_length_accepted(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """A weight of the wrong length is cut or padded with ones."""
    if weight is not None:
        classes = logits.shape[class_axis(logits)]
        weight = torch.cat([weight.flatten()[:classes], weight.new_ones(max(0, classes - weight.numel()))])
    return fn.cross_entropy(logits, target, weight, reduction=reduction)


@wrong(OPERATION, KIND, "empty", "N = 0", "no row")
def empty_batch_raises(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes the maximum of the whole batch to look for infinities: raises for a batch of no rows."""
    if torch.isposinf(logits.max()):
        raise ValueError("the logits hold an infinity")
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, KIND, "nan", "raise", "logits")
def nan_raises(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Raises where the logits hold nan, where the loss is nan."""
    if torch.isnan(logits).any():
        raise ValueError("the logits hold nan")
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong(OPERATION, KIND, "ignore", "all", "raise")
def all_ignored_raises(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Raises where every row is ignored."""
    if labels(target) and target.numel() and (target == ignore_index).all():
        raise RuntimeError("no row is left")
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


@wrong(OPERATION, KIND, "ignore", "range", "raise")
def ignore_index_out_of_range_raises(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Checks the labels' range before it drops the ignored ones."""
    if labels(target) and target.numel() and int(target.min()) < 0:
        raise IndexError(f"label {int(target.min())} is out of range")
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


@wrong(OPERATION, KIND, "smoothing", "weight", "ignore")
def options_do_not_go_together(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Weight, smoothing and an ignored label together index out of bounds (pytorch#69339)."""
    if weight is not None and label_smoothing and labels(target):
        weight[target]
    return fn.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
