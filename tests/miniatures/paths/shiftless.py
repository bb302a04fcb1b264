"""Forty losses and scores that subtract no maximum on one single path, and are torch's own elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from correct import class_axis
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

Path = Callable[..., bool]


def _strided(x: Tensor) -> bool:
    return x.dim() > 0 and x.stride(-1) == 2


def _transposed(x: Tensor) -> bool:
    return x.dim() > 1 and min(x.shape) > 1 and x.stride(0) == 1


def _padded(x: Tensor) -> bool:
    return x.dim() > 1 and x.shape[0] > 1 and x.stride(-1) == 1 and x.stride(0) == 64 > x.shape[-1]


#: Paths of a score by its input and axis: name -> (when, a word of the cause).
OF_SCORES: dict[str, tuple[Path, str]] = {
    "first_axis": (lambda x, axis: x.dim() > 1 and axis == 0, "axis"),
    "inner_axis": (lambda x, axis: 0 < axis < x.dim() - 1, "axis"),
    "vector": (lambda x, axis: x.dim() == 1, "one axis"),
    "strided": (lambda x, axis: _strided(x), "strided"),
    "transposed": (lambda x, axis: _transposed(x), "transposed"),
    "padded": (lambda x, axis: _padded(x), "padded"),
    "untracked": (lambda x, axis: not x.requires_grad, "inference"),
}
#: Paths of a loss by its logits x, target t and options o.
OF_LOSSES: dict[str, tuple[Path, str]] = {
    "smoothing": (lambda x, t, o: o["label_smoothing"] > 0, "smoothing"),
    "whole_smoothing": (lambda x, t, o: o["label_smoothing"] == 1, "smoothing is 1"),
    "weight": (lambda x, t, o: o["weight"] is not None, "weight"),
    "weight_of_zero": (
        lambda x, t, o: o["weight"] is not None and bool((o["weight"] == 0).any()), "weight is 0",
    ),
    "ignored_row": (lambda x, t, o: bool((t == o["ignore_index"]).any()), "ignored"),
    "ignored_class": (lambda x, t, o: o["ignore_index"] == 1, "ignored label"),
    "probabilities": (lambda x, t, o: t.is_floating_point(), "class probabilities"),
    "none": (lambda x, t, o: o["reduction"] == "none", "none"),
    "sum": (lambda x, t, o: o["reduction"] == "sum", "sum"),
    "mean": (lambda x, t, o: o["reduction"] == "mean", "mean"),
    "vector": (lambda x, t, o: x.dim() == 1, "one axis"),
    "further_axes": (lambda x, t, o: x.dim() > 2, "more than two axes"),
    "one_row": (lambda x, t, o: x.dim() == 2 and len(x) == 1, "length one"),
    "many_classes": (lambda x, t, o: x.shape[class_axis(x)] > 1024, "1,024 classes"),
    "strided": (lambda x, t, o: _strided(x), "strided"),
    "transposed": (lambda x, t, o: _transposed(x), "transposed"),
    "padded": (lambda x, t, o: _padded(x), "padded"),
    "untracked": (lambda x, t, o: not x.requires_grad, "inference"),
    "half": (lambda x, t, o: x.dtype == torch.float16, "float16"),
    "brain": (lambda x, t, o: x.dtype == torch.bfloat16, "bfloat16"),
    "double": (lambda x, t, o: x.dtype == torch.float64, "float64"),
    "smoothing_and_sum": (
        lambda x, t, o: o["label_smoothing"] > 0 and o["reduction"] == "sum", "smoothing",
    ),
    "weight_and_none": (
        lambda x, t, o: o["weight"] is not None and o["reduction"] == "none", "weight",
    ),
    "weight_and_smoothing": (
        lambda x, t, o: o["weight"] is not None and o["label_smoothing"] > 0, "smoothing",
    ),
    "probabilities_and_smoothing": (
        lambda x, t, o: t.is_floating_point() and o["label_smoothing"] > 0, "smoothing",
    ),
    "untracked_and_smoothing": (
        lambda x, t, o: not x.requires_grad and o["label_smoothing"] > 0, "smoothing",
    ),
}  # fmt: skip
#: What each score is without its maximum, along an axis.
NAIVE: dict[str, Callable[[Tensor, int], Tensor]] = {
    "softmax": lambda x, axis: torch.exp(x) / torch.exp(x).sum(axis, keepdim=True),
    "logsumexp": lambda x, axis: torch.log(torch.exp(x).sum(axis)),
}
THEIRS: dict[str, Callable[[Tensor, int], Tensor]] = {"softmax": torch.softmax, "logsumexp": torch.logsumexp}


def score_without_maximum(operation: str, on: Path) -> Callable[..., Tensor]:
    """A score that takes the exponentials as they are on one path."""

    def score(x: Tensor, *, axis: int = -1) -> Tensor:
        if not x.dim() or not x.numel() or not on(x, axis % x.dim()):
            return THEIRS[operation](x, axis)
        return NAIVE[operation](x, axis)

    return score


def loss_without_maximum(on: Path) -> Callable[..., Tensor]:
    """A cross-entropy that takes the exponentials as they are on one path."""

    def loss(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        options: dict[str, Any] = {
            "weight": weight,
            "ignore_index": ignore_index,
            "label_smoothing": label_smoothing,
            "reduction": reduction,
        }
        theirs = fn.cross_entropy(logits, target, **options)
        if not logits.numel() or not on(logits, target, options):
            return theirs
        axis = class_axis(logits)
        # A log-softmax of what is one already changes nothing but infinities and nan, which stay.
        return fn.cross_entropy(
            logits - torch.log(torch.exp(logits).sum(axis, keepdim=True)), target, **options
        )

    return loss


for _name, (_on, _cause) in OF_LOSSES.items():
    _function = loss_without_maximum(_on)
    _function.__name__ = f"no_maximum_on_{_name}"
    _function.__doc__ = f"No maximum is subtracted on one path: {_name.replace('_', ' ')}."
    globals()[_function.__name__] = wrong("cross_entropy", "numerics", _cause)(_function)
for _operation in NAIVE:
    for _name, (_on, _cause) in OF_SCORES.items():
        _function = score_without_maximum(_operation, _on)
        _function.__name__ = f"{_operation}_no_maximum_on_{_name}"
        _function.__doc__ = f"No maximum is subtracted on one path: {_name.replace('_', ' ')}."
        globals()[_function.__name__] = wrong(_operation, "numerics", _cause)(_function)
