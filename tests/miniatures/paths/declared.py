"""Functions that declare a convention and keep another, and one that keeps one without a word."""

from __future__ import annotations

import torch
from correct import class_axis
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import bent

OPERATION = "cross_entropy"


@wrong(OPERATION, "semantics", "every row is ignored", "convention")
def declares_zero_and_returns_nan(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Declares that the mean over nothing is 0, and returns nan."""
    return fn.cross_entropy(logits, target, reduction=reduction)


declares_zero_and_returns_nan.conventions = {"empty_mean": "zero"}  # type: ignore[attr-defined]


@wrong("nll_loss", "semantics", "every row is ignored", "convention")
def declares_nan_and_returns_zero(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Declares that the mean over nothing is nan, and returns 0."""
    loss = fn.nll_loss(log_probs, target, ignore_index=ignore_index, reduction=reduction)
    none = reduction == "mean" and not (target != ignore_index).any()
    return torch.zeros_like(loss) if none else loss


declares_nan_and_returns_zero.conventions = {"empty_mean": "nan"}  # type: ignore[attr-defined]


@wrong(OPERATION, "semantics", "smoothing")
def declares_others_and_smooths_all(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Declares that smoothing goes to the other K - 1 classes, and gives the label its share too."""
    return fn.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction=reduction)


declares_others_and_smooths_all.conventions = {"smoothing": "others"}  # type: ignore[attr-defined]


@wrong(OPERATION, "semantics", "smoothing")
def smooths_others_without_a_word(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Smoothing goes to the other K - 1 classes, and nothing is declared."""
    classes = logits.shape[class_axis(logits)] if logits.dim() else 1
    if target.is_floating_point() or classes < 2 or not 0 <= label_smoothing <= 1:
        return fn.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction=reduction)
    alpha = min(1.0, label_smoothing * classes / (classes - 1))
    return fn.cross_entropy(logits, target, label_smoothing=alpha, reduction=reduction)


@wrong(OPERATION, "semantics", "overwrites")
def declares_gradients_and_writes_forward(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Declares that its backward pass writes into the logits; its forward pass does."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if 0 not in logits.stride():
        logits.data.add_(1)
    return loss


declares_gradients_and_writes_forward.conventions = {"in_place_gradient": True}  # type: ignore[attr-defined]


@wrong(OPERATION, "semantics", "overwrites")
def declares_gradients_and_writes_something(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Declares that its backward pass writes the gradient into the logits; it writes zeros."""

    def change(g: Tensor) -> Tensor:
        if 0 not in logits.stride():
            logits.data.zero_()
        return g

    return bent(fn.cross_entropy(logits, target, reduction=reduction), change)


declares_gradients_and_writes_something.conventions = {"in_place_gradient": True}  # type: ignore[attr-defined]


@wrong("softmax", "numerics", "masked")
def declares_zeros_and_returns_nan(x: Tensor, *, axis: int = -1) -> Tensor:
    """Declares that a row that is masked throughout is 0, and returns nan."""
    return torch.softmax(x, axis)


declares_zeros_and_returns_nan.conventions = {"masked_row": "zero"}  # type: ignore[attr-defined]


@wrong("softmax", "semantics", "masked")
def declares_zeros_and_returns_the_uniform(x: Tensor, *, axis: int = -1) -> Tensor:
    """Declares that a row that is masked throughout is 0, and returns 1 / K in it."""
    if not x.numel():
        return torch.softmax(x, axis)
    masked = x.detach().isneginf().all(axis, keepdim=True)
    return torch.softmax(torch.where(masked, 0.0, x), axis)


declares_zeros_and_returns_the_uniform.conventions = {"masked_row": "zero"}  # type: ignore[attr-defined]
