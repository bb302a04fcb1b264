"""Losses as users write them: right without looking at arguments, wrong behind harmless faults, unsteady."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor

_CALLS = [0]


def careless(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Right numbers, and any reduction that it does not know is the mean."""
    known = reduction if reduction in ("none", "sum") else "mean"
    return fn.cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=known,
    )


def clamps_labels(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A label beyond the last class is taken for it."""
    return fn.cross_entropy(logits, target.clamp(max=logits.shape[1] - 1), reduction=reduction)


class _NanOfIgnored(torch.autograd.Function):
    """The gradient of a batch whose rows are all ignored is nan."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, empty: bool) -> Tensor:
        ctx.empty = empty
        return logits.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return (torch.full_like(grads[0], torch.nan) if ctx.empty else grads[0]), None


def nan_behind_harmless_faults(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """A nan gradient, and besides an unknown reduction, any smoothing, and one label against many rows."""
    labels = not target.is_floating_point()
    if labels and target.numel() == 1 and logits.dim() == 2:
        target = target.reshape(1).expand(logits.shape[0])
    empty = labels and reduction == "sum" and bool((target == ignore_index).all())
    return careless(
        _NanOfIgnored.apply(logits, empty),
        target,
        ignore_index=ignore_index,
        label_smoothing=min(max(label_smoothing, 0.0), 1.0),
        reduction=reduction,
    )


def unsteady(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """One call in three is off by a tenth."""
    _CALLS[0] += 1
    return fn.cross_entropy(logits, target, reduction=reduction) * (1.1 if _CALLS[0] % 3 == 0 else 1.0)


def _without_weight(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


def hidden(*arguments: Tensor, **options: Any) -> Tensor:
    """Hides that it has no weight and no smoothing, as a decorator does."""
    return _without_weight(*arguments, **options)
