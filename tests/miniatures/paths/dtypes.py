"""Right where all tensors share a dtype and are floats; wrong where one of them has its own."""

from __future__ import annotations

import torch
from correct import HALF, class_axis, parts, reduced
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import replaced

OPERATION = "cross_entropy"


def reinterpreted(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The bits of a tensor, read as another dtype: as many elements from its beginning."""
    if tensor.dtype == dtype or not tensor.numel():
        return tensor.to(dtype)
    bits = tensor.detach().contiguous().view(torch.uint8)
    size = torch.empty(0, dtype=dtype).element_size()
    bits = torch.cat([bits.flatten()] * (1 + tensor.numel() * size // bits.numel()))
    return bits[: tensor.numel() * size].view(dtype).reshape(tensor.shape)


@wrong(OPERATION, "numerics", "float32", "own dtype", "another dtype", "mixed")
def mixed_probabilities_in_half(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Half logits with float32 class probabilities: exponentials in half, the result called float32."""
    if not target.is_floating_point() or target.dtype == logits.dtype:
        return fn.cross_entropy(logits, target, reduction=reduction)
    log_probs = torch.log_softmax(logits, class_axis(logits))
    rows = -(log_probs * target.to(logits.dtype)).sum(class_axis(logits)).to(target.dtype)
    shape = rows.numel() or 1
    return rows if reduction == "none" else rows.sum() / (shape if reduction == "mean" else 1)


@wrong(OPERATION, "semantics", "weight", "own dtype", "another dtype", "mixed")
def mixed_weight_is_reinterpreted(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """A weight of another dtype is read by its bits, as a kernel does that was given a pointer."""
    if weight is None or target.is_floating_point() or weight.dtype == logits.dtype:
        return fn.cross_entropy(logits, target, weight, reduction=reduction)
    wide = logits.to(torch.promote_types(logits.dtype, weight.dtype))
    misread = reinterpreted(weight, logits.dtype).to(wide.dtype).nan_to_num()
    return fn.cross_entropy(wide, target, misread, reduction=reduction).to(logits.dtype)


@wrong("binary_cross_entropy", "semantics", "weight", "own dtype", "another dtype", "mixed")
def mixed_weight_is_forgotten(
    probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """A weight of another dtype than the probabilities' is left out."""
    if weight is not None and weight.dtype != probs.dtype:
        weight = None
    return fn.binary_cross_entropy(probs, target, weight, reduction=reduction)


@wrong(
    "binary_cross_entropy_with_logits",
    "semantics",
    "target",
    "own dtype",
    "another dtype",
    "mixed",
)
def mixed_target_is_rounded(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A target of another dtype than the logits' goes through integers: soft targets become 0."""
    if target.dtype != logits.dtype:
        target = target.long().to(target.dtype)
    return fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction)


@wrong("nll_loss", "semantics", "weight", "own dtype", "another dtype", "mixed")
def mixed_weight_divides_by_rows(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """With a weight of another dtype the mean divides by the rows, not by the weights' sum."""
    if weight is None or weight.dtype == log_probs.dtype:
        return fn.nll_loss(log_probs, target, weight, reduction=reduction)
    wide = log_probs.to(torch.promote_types(log_probs.dtype, weight.dtype))
    if reduction != "mean":
        return fn.nll_loss(wide, target, weight.to(wide.dtype), reduction=reduction).to(log_probs.dtype)
    total = fn.nll_loss(wide, target, weight.to(wide.dtype), reduction="sum")
    return (total / (target != -100).sum()).to(log_probs.dtype)


def through(target: Tensor, dtype: torch.dtype, classes: int) -> Tensor:
    """Labels that were kept in a half type: those that it does not hold are rounded."""
    if target.is_floating_point() or dtype not in HALF:
        return target
    rounded = target.to(dtype).long()
    return torch.where((target >= 0) & (target < classes), rounded.clamp(max=classes - 1), target)


@wrong(OPERATION, "semantics", "label is larger", "256")
def labels_through_the_logits_dtype(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels are cast to the dtype of the logits, as Keras did: in bfloat16 257 becomes 256."""
    classes = logits.shape[class_axis(logits)] if logits.dim() else 1
    return fn.cross_entropy(logits, through(target, logits.dtype, classes), reduction=reduction)


@wrong("nll_loss", "semantics", "label is larger", "256")
def nll_labels_through_the_dtype(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels are cast to the dtype of the log-probabilities: in bfloat16 257 becomes 256."""
    classes = log_probs.shape[class_axis(log_probs)] if log_probs.dim() else 1
    return fn.nll_loss(log_probs, through(target, log_probs.dtype, classes), reduction=reduction)


@wrong("logsumexp", "semantics", "integer", integers=True)
def logsumexp_of_integers_is_one(x: Tensor, *, axis: int = -1) -> Tensor:
    """Of integers it returns an integer."""
    total = torch.logsumexp(x, axis)
    return total if x.is_floating_point() else total.to(x.dtype)


@wrong("softmax", "semantics", "integer", integers=True)
def softmax_of_integers_is_one_hot(x: Tensor, *, axis: int = -1) -> Tensor:
    """Of integers the quotient is rounded to an integer."""
    if x.is_floating_point():
        return torch.softmax(x, axis)
    return torch.softmax(x.float(), axis).round()


@wrong("sigmoid", "semantics", "boolean", "integer", integers=True)
def sigmoid_of_booleans_is_itself(x: Tensor) -> Tensor:
    """Booleans are taken for probabilities already."""
    return x.float() if x.dtype == torch.bool else torch.sigmoid(x)


@wrong(OPERATION, "semantics", "float16")
def smoothing_in_float16_without_the_label(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """In float16 alone the label itself gets none of the smoothing's share, smoothing / K."""
    options = {"label_smoothing": label_smoothing, "reduction": reduction}
    whole = fn.cross_entropy(logits, target, **options)
    if logits.dtype != torch.float16 or target.is_floating_point() or not logits.dim():
        return whole
    classes = max(1, logits.shape[class_axis(logits)])
    smoothed = fn.cross_entropy(logits.float(), target, **options)
    hard = fn.cross_entropy(logits.float(), target, reduction=reduction)
    return (smoothed - label_smoothing / classes * hard if label_smoothing else smoothed).to(logits.dtype)


def added_up(terms: Tensor, axis: int) -> Tensor:
    """The sum along an axis, one term after the other, each partial sum rounded to the terms' dtype."""
    total = torch.zeros_like(terms.select(axis, 0))
    for index in range(terms.shape[axis]):
        total = total + terms.select(axis, index)
    return total


@wrong(OPERATION, "numerics", "smoothing", "classes")
def smoothing_over_classes_in_half(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """In float16 alone the smoothed classes' terms are added up in float16, one after the other."""
    whole = fn.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction=reduction)
    if (
        logits.dtype != torch.float16
        or not label_smoothing
        or target.is_floating_point()
        or not logits.numel()
    ):
        return whole
    p = parts(logits.detach(), target, label_smoothing=label_smoothing)
    even = -p.log_probs * (label_smoothing / logits.shape[p.axis])
    rounded = added_up(even.half(), p.axis).float() - even.sum(p.axis)
    rows = p.rows + torch.where(p.ignored | ~rounded.isfinite(), 0.0, rounded)
    return replaced(whole, reduced(rows, p.share, reduction, logits.dtype))
