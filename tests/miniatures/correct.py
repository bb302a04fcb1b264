"""What the miniatures in torch share, right and in pieces, so that each can go wrong in one piece alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

HALF = (torch.float16, torch.bfloat16)


def widened(x: Tensor) -> Tensor:
    """The array that sums are accumulated in: float32 for half types."""
    return x.float() if x.dtype in HALF else x


def class_axis(x: Tensor) -> int:
    """The axis of the classes."""
    return 1 if x.dim() > 1 else 0


class _Times(torch.autograd.Function):
    """A product whose value at 0 times infinity is 0; its gradients are those of any product."""

    @staticmethod
    def forward(ctx, coefficient, term):
        """The product."""
        ctx.save_for_backward(coefficient, term)
        return torch.where((coefficient == 0) & torch.isinf(term), 0.0, coefficient * term)

    @staticmethod
    def backward(ctx, upstream):
        """Each factor's gradient is the other factor."""
        coefficient, term = ctx.saved_tensors
        return upstream * term, upstream * coefficient


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term."""
    return _Times.apply(*torch.broadcast_tensors(coefficient, term))


class _Sigmoid(torch.autograd.Function):
    """The sigmoid, whose slope s(x) s(-x) keeps its digits where s rounds to 1."""

    @staticmethod
    def forward(ctx, x):
        """The sigmoid."""
        ctx.save_for_backward(x)
        return torch.sigmoid(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        """Its slope."""
        (x,) = ctx.saved_tensors
        return upstream * torch.sigmoid(x) * torch.sigmoid(-x)


class _Softplus(torch.autograd.Function):
    """log(1 + exp(x)), whose slope is the sigmoid above."""

    @staticmethod
    def forward(ctx, x):
        """The value."""
        ctx.save_for_backward(x)
        return -torch.nn.functional.logsigmoid(-x)

    @staticmethod
    def backward(ctx, upstream):
        """Its slope, to be differentiated once more."""
        (x,) = ctx.saved_tensors
        return upstream * _Sigmoid.apply(x)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), and its first two derivatives."""
    return _Softplus.apply(x)


def log_softmax(x: Tensor, axis: int) -> Tensor:
    """Log-softmax, left to torch."""
    return torch.log_softmax(x, axis)


def check_call(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
) -> None:
    """Raises where labels, shapes or parameters do not fit."""
    axis = class_axis(logits)
    rows = [n for i, n in enumerate(logits.shape) if i != axis]
    if target.is_floating_point() and target.shape != logits.shape:
        raise ValueError(
            f"class probabilities of shape {list(target.shape)} for logits of {list(logits.shape)}"
        )
    if not target.is_floating_point():
        if list(target.shape) != rows:
            raise ValueError(f"labels of shape {list(target.shape)} where {rows} is needed")
        check_labels(target, logits.shape[axis], ignore_index)
    if weight is not None and list(weight.shape) != [logits.shape[axis]]:
        raise ValueError(f"a weight of shape {list(weight.shape)} for {logits.shape[axis]} classes")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing {label_smoothing} lies outside [0, 1]")
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")


def check_labels(target: Tensor, classes: int, ignore_index: int | None = None) -> None:
    """Raises IndexError where a label is out of range and not the ignored one."""
    outside = (target < 0) | (target >= classes)
    if ignore_index is not None:
        outside &= target != ignore_index
    if outside.any():
        raise IndexError(f"label {int(target[outside].flatten()[0])} is out of range for {classes} classes")


class Parts(NamedTuple):
    """Cross-entropy before its reduction: each row is the sum over classes of - coefficient x log_probs."""

    logits: Tensor  # widened, ignored rows replaced by zeros
    log_probs: Tensor
    coefficient: Tensor
    share: Tensor  # of each row in the denominator of the mean
    ignored: Tensor
    axis: int

    @property
    def rows(self) -> Tensor:
        """The loss of each row."""
        return -times(self.coefficient, self.log_probs).sum(self.axis)

    def gradient(self, upstream: Tensor, reduction: str) -> Tensor:
        """The gradient with respect to the logits, from that of the reduced loss."""
        flow = widened(upstream) / self.share.sum() if reduction == "mean" else widened(upstream)
        flow = torch.where(self.ignored, 0.0, flow.expand(self.ignored.shape)).unsqueeze(self.axis)
        total = self.coefficient.sum(self.axis, keepdim=True)
        return flow * (self.log_probs.exp() * total - self.coefficient)


def parts(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    *,
    log_softmax: Callable[[Tensor, int], Tensor] = log_softmax,
    check: Callable[..., None] | None = check_call,
) -> Parts:
    """The parts of a cross-entropy; `log_softmax` and `check` may be replaced by worse ones."""
    if check is not None:
        check(logits, target, weight, ignore_index, label_smoothing, "mean")
    axis = class_axis(logits)
    ignored = ignored_rows(target, ignore_index, axis)
    clean = torch.where(ignored.unsqueeze(axis), 0.0, widened(logits))
    log_probs = log_softmax(clean, axis)
    weights = torch.ones(logits.shape[axis]) if weight is None else weight
    weights = weights.to(clean.dtype)
    along = weights.reshape([-1 if i == axis else 1 for i in range(logits.dim())])
    probabilities = as_probabilities(target, ignored, clean, axis)
    coefficient = along * (probabilities * (1 - label_smoothing) + label_smoothing / logits.shape[axis])
    coefficient = torch.where(ignored.unsqueeze(axis), 0.0, coefficient)
    share = (~ignored).to(clean.dtype)
    if not target.is_floating_point():
        share = share * weights[torch.where(ignored, 0, target).long()]
    return Parts(clean, log_probs, coefficient, share, ignored, axis)


def ignored_rows(target: Tensor, ignore_index: int, axis: int) -> Tensor:
    """Which rows are ignored; class probabilities ignore none."""
    if target.is_floating_point():
        return torch.zeros([n for i, n in enumerate(target.shape) if i != axis], dtype=torch.bool)
    return target == ignore_index


def as_probabilities(target: Tensor, ignored: Tensor, like: Tensor, axis: int) -> Tensor:
    """Labels as one-hot class probabilities of the logits' shape."""
    if target.is_floating_point():
        return target.to(like.dtype)
    labels = torch.where(ignored, 0, target).long().unsqueeze(axis)
    return torch.zeros_like(like).scatter(axis, labels, 1.0)


def given(log_probs: Tensor, axis: int) -> Tensor:
    """In place of log-softmax: what comes in is log-probabilities already."""
    return log_probs


def of_labels(log_probs: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """The labels' own entries, the others 0: a nan in one of those is not seen."""
    axis = class_axis(log_probs)
    check_call(log_probs, target, None, ignore_index, 0.0, "mean")
    ignored = ignored_rows(target, ignore_index, axis)
    return torch.where(as_probabilities(target, ignored, log_probs, axis) == 0, 0.0, log_probs)


def reduced(rows: Tensor, share: Tensor, reduction: str, dtype: torch.dtype) -> Tensor:
    """The rows, their sum, or that over the sum of their shares, rounded once."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
    if reduction != "none":
        rows = rows.sum() / share.sum() if reduction == "mean" else rows.sum()
    return rows.to(dtype)


class _ByHand(torch.autograd.Function):
    """Zeros, and the gradient that they are to have."""

    @staticmethod
    def forward(ctx, x, value, gradient):
        """The zeros as they are."""
        ctx.gradient, ctx.like = gradient, (x.dtype, x.shape)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        """The gradient with respect to x; it refuses a second derivative."""
        dtype, shape = ctx.like
        return ctx.gradient(upstream).to(dtype).reshape(shape), None, None


def by_hand(x: Tensor, value: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """`value`, computed from x.detach(), with a gradient with respect to x that is written by hand.

    The gradients of `value` with respect to other tensors stay as they are.
    """
    value = value.to(x.dtype)
    return value + _ByHand.apply(x, torch.zeros_like(value), gradient)
