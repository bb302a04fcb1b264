"""What these share: another value, upstream gradient or tangent at one point of a right function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Change = Callable[[Tensor], Tensor]


def untracked(*tensors: Tensor | None) -> bool:
    """Whether nothing is differentiated: inference."""
    return not (torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors))


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(x, other):
        """The other's value."""
        return other.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing is kept."""

    @staticmethod
    def backward(ctx, upstream):
        """Straight through to x."""
        return upstream, None

    @staticmethod
    def jvp(ctx, tangent, _):
        """Straight through from x."""
        return tangent.clone()


def replaced(x: Tensor, other: Tensor) -> Tensor:
    """The value of `other`, the derivatives of `x`."""
    return _Replaced.apply(x, other.detach().to(x.dtype))


class _Bent(torch.autograd.Function):
    @staticmethod
    def forward(x, change, change_tangent):
        """As it is."""
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """The changes are kept."""
        _, ctx.change, ctx.change_tangent = inputs

    @staticmethod
    def backward(ctx, upstream):
        """The changed upstream gradient."""
        return ctx.change(upstream), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        """The changed tangent."""
        return ctx.change_tangent(tangent).clone()


def same(tensor: Tensor) -> Tensor:
    """As it is."""
    return tensor


def bent(x: Tensor, change: Change, change_tangent: Change = same) -> Tensor:
    """The same value; what comes back through it is changed, and so is the tangent that goes forward."""
    return _Bent.apply(x, change, change_tangent)


def read(x: Tensor, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    """What lies in the memory of x at other strides and another offset: nan where it ends."""
    memory = torch.empty(0, dtype=x.dtype).set_(x.detach().untyped_storage())
    index = torch.full(shape, offset)
    for axis, (length, step) in enumerate(zip(shape, stride, strict=True)):
        along = [1] * len(shape)
        along[axis] = length
        index = index + torch.arange(length).reshape(along) * step
    if not len(memory):
        return x.detach().clone()
    return torch.where(index < len(memory), memory[index.clamp(max=len(memory) - 1)], torch.nan).to(x.dtype)


def dense(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return torch.empty(shape, device="meta").stride()


def as_contiguous(x: Tensor) -> Tensor:
    """x as a kernel reads it that takes it for contiguous."""
    return read(x, tuple(x.shape), dense(tuple(x.shape)), x.storage_offset())
