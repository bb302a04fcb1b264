"""Losses whose structure is not that of a function of the inputs and parameters which returns the loss."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor


def _loss(logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    return fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


def _hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*inputs: Tensor, **parameters: Any) -> Any:
        return function(*inputs, **parameters)

    return call


def pair(logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """The loss and its square, as Liger returns the z-loss; no `return` says so."""
    loss = _loss(logits, target, ignore_index=ignore_index, reduction=reduction)
    return tuple(loss**power for power in (1, 2))


def named(logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """The same by names."""
    loss = _loss(logits, target, ignore_index=ignore_index, reduction=reduction)
    return {"loss": loss, "z": loss * loss}


def plain_tenth_off(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """A tuple whose second is off by a tenth."""
    loss = _loss(logits, target, ignore_index=ignore_index, reduction=reduction)
    return loss, loss * 1.1


def forgets(logits: Tensor, target: Tensor) -> None:
    """Returns nothing."""
    _loss(logits, target)


def needs_reduction(logits: Tensor, target: Tensor, reduction: str, *, ignore_index: int = -100) -> Tensor:
    """Has no default where the operation has one."""
    return _loss(logits, target, reduction=reduction, ignore_index=ignore_index)


def _chunked(logits: Tensor, target: Tensor, chunk: int) -> Tensor:
    return _loss(logits[:chunk], target[:chunk])


class _Lacks:
    def __call__(self, logits: Tensor, target: Tensor, chunk: int) -> Tensor:
        return _chunked(logits, target, chunk)


lacks = _Lacks()
hides = _hidden(_chunked)
few = _hidden(lambda logits: logits.sum())


class Plain(torch.nn.Module):
    """Built from nothing; `forward` has the signature."""

    def forward(
        self, logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
    ) -> Tensor:
        """The loss."""
        return _loss(logits, target, ignore_index=ignore_index, reduction=reduction)


class Built(torch.nn.Module):
    """Built from the parameters."""

    def __init__(self, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return _loss(logits, target, ignore_index=self.ignore_index, reduction=self.reduction)


class TenthOff(Built):
    """Off by a tenth."""

    def __init__(self, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(ignore_index, reduction)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, and a tenth."""
        return super().forward(logits, target) * 1.1


class NamedModule(Built):
    """The loss by a name."""

    def forward(self, logits: Tensor, target: Tensor) -> Any:
        """A dictionary."""
        return {"loss": super().forward(logits, target)}


class NeedsClasses(torch.nn.Module):
    """Cannot be built from the parameters."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return _loss(logits[:, : self.classes], target)


modules = SimpleNamespace(plain=Plain())


def _with_scale(loss: Tensor, scale: float) -> Tensor:
    return loss * scale


def breaks_on_a_branch(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """A call of a helper lacks an argument where the reduction is sum."""
    loss = _loss(logits, target, ignore_index=ignore_index, reduction=reduction)
    return _with_scale(loss) if reduction == "sum" else loss  # type: ignore[call-arg]
