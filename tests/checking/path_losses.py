"""Losses wrong on one path alone: untracked, the scores alone tracked, or under one upstream gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor


class _Bent(torch.autograd.Function):
    """The identity, whose backward hands on what `bend` makes of the upstream gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, bend: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.bend = bend
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        return ctx.bend(upstream[0]), None


def _in_a_row(upstream: Tensor) -> Tensor:
    """As many numbers as there are, read one after the other from where the tensor begins."""
    return torch.as_strided(upstream, (upstream.numel(),), (1,)).reshape(upstream.shape)


def ignores_scalar_upstream(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The gradient of a scalar loss is that of 1."""
    loss = fn.cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss if loss.dim() else _Bent.apply(loss, torch.ones_like)


def reads_upstream_in_a_row(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """A kernel that takes the upstream gradient to be contiguous."""
    loss = fn.cross_entropy(logits, target, label_smoothing=label_smoothing, reduction=reduction)
    return _Bent.apply(loss, _in_a_row) if loss.dim() else loss


def overwrites_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A backward that scales its upstream gradient in place."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return _Bent.apply(loss, lambda upstream: upstream.mul_(2).div(2))


def no_shift_untracked(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Where nothing is tracked no maximum is subtracted."""
    if logits.requires_grad or target.is_floating_point():
        return fn.cross_entropy(logits, target, reduction=reduction)
    log_probs = logits - logits.exp().sum(1, keepdim=True).log()
    return fn.nll_loss(log_probs, target, reduction=reduction)


def halves_first_tracked(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Half the gradient where class probabilities are not tracked."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if not target.is_floating_point() or target.requires_grad:
        return loss
    return _Bent.apply(loss, lambda upstream: upstream / 2)


class _Dead(torch.autograd.Function):
    """Cross-entropy, mean, whose backward is a constant to autograd, and which has no forward mode."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(logits, target)
        return fn.cross_entropy(logits, target)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        logits, target = (saved.detach() for saved in ctx.saved_tensors)
        p = torch.softmax(logits.float(), 1).to(logits.dtype)
        p[torch.arange(len(p)), target] -= 1
        return upstream[0].detach() * p / len(p), None


def dead_double_backward(logits: Tensor, target: Tensor) -> Tensor:
    """Right in value and gradient; its second derivative is 0."""
    if target.is_floating_point():
        raise NotImplementedError("labels alone")
    return _Dead.apply(logits, target)


class _Doubled(torch.autograd.Function):
    """The identity, whose forward mode doubles."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        return upstream[0]

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return tangents[0] * 2


def doubles_forward(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Right backward, and twice what is right forward."""
    return _Doubled.apply(fn.cross_entropy(logits, target, reduction=reduction))


class _OverwritesSaved(torch.autograd.Function):
    """Cross-entropy whose backward writes into the probabilities that it kept."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, reduction: str) -> Tensor:
        ctx.p, ctx.target = torch.softmax(logits.detach(), 1), target
        ctx.rows = len(target) if reduction == "mean" else 1
        return fn.cross_entropy(logits, target, reduction=reduction)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        ctx.p[torch.arange(len(ctx.p)), ctx.target] -= 1
        flow = upstream[0].reshape(-1, 1)
        return flow * ctx.p / ctx.rows, None, None


def overwrites_saved(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Right the first time, and of another distribution the second."""
    if target.is_floating_point():
        raise NotImplementedError("labels alone")
    return _OverwritesSaved.apply(logits, target, reduction)


class _OverwritesLogits(torch.autograd.Function):
    """Cross-entropy, mean, whose backward writes the gradient into the logits, behind autograd's back."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        ctx.logits, ctx.target = logits.data, target
        return fn.cross_entropy(logits, target)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        p = torch.softmax(ctx.logits, 1)
        p[torch.arange(len(p)), ctx.target] -= 1
        ctx.logits.copy_(p)
        return upstream[0] * p / len(p), None


def overwrites_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Right alone, and wrong for whoever else needs the logits."""
    if target.is_floating_point():
        raise NotImplementedError("labels alone")
    return _OverwritesLogits.apply(logits, target)
