"""Right in value and first gradient; wrong in the second, forward, again, or with respect to a weight."""

from __future__ import annotations

import torch
from correct import parts, reduced, times, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import bent, same

OPERATION = "cross_entropy"


class _Dead(torch.autograd.Function):
    """A value with a gradient that autograd takes for a constant."""

    @staticmethod
    def forward(ctx, x, value, gradient):
        """The value."""
        ctx.gradient, ctx.like = gradient, (x.dtype, x.shape)
        return value.clone()

    @staticmethod
    def backward(ctx, upstream):
        """The gradient, from what was kept detached."""
        dtype, shape = ctx.like
        return ctx.gradient(upstream).to(dtype).reshape(shape), None, None


@wrong(OPERATION, "gradients", "second")
def dead_double_backward(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The backward pass computes from detached tensors: second derivatives are 0, without a word."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits.detach(), target, weight, ignore_index)
    value = reduced(p.rows, p.share, reduction, logits.dtype)
    return _Dead.apply(logits, value, lambda g: p.gradient(g, reduction))


@wrong("logsumexp", "gradients", "second")
def logsumexp_second_is_dead(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is a softmax that was made going forward, a constant: second derivatives are 0."""
    p = torch.softmax(widened(x.detach()), axis)
    return _Dead.apply(x, torch.logsumexp(x.detach(), axis), lambda g: p * widened(g).unsqueeze(axis))


class _HalfAlive(torch.autograd.Function):
    """Softmax, of whose gradient's two terms one is a constant."""

    @staticmethod
    def forward(ctx, x, axis):
        """The probabilities."""
        ctx.save_for_backward(x)
        ctx.axis = axis
        return torch.softmax(x, axis)

    @staticmethod
    def backward(ctx, g):
        """p (g - sum p g), the second factor from detached probabilities."""
        (x,) = ctx.saved_tensors
        p = torch.softmax(widened(x), ctx.axis)
        inner = (p.detach() * widened(g)).sum(ctx.axis, keepdim=True)
        return (p * (widened(g) - inner)).to(x.dtype), None


@wrong("softmax", "gradients", "second")
def softmax_second_misses_a_term(x: Tensor, *, axis: int = -1) -> Tensor:
    """In the backward pass the sum over p g is a constant: its derivative is missing."""
    return _HalfAlive.apply(x, axis)


class _Slope(torch.autograd.Function):
    """The slope s (1 - s), with a derivative of the wrong sign."""

    @staticmethod
    def forward(ctx, x):
        """s(x) s(-x)."""
        ctx.save_for_backward(x)
        return (torch.sigmoid(widened(x)) * torch.sigmoid(-widened(x))).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        """s (1 - s) (2 s - 1), where (1 - 2 s) is right."""
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(widened(x))
        return (widened(g) * s * torch.sigmoid(-widened(x)) * (2 * s - 1)).to(x.dtype)


class _Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        """The sigmoid."""
        ctx.save_for_backward(x)
        return torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        """g times the slope, which has a backward pass of its own."""
        return g * _Slope.apply(ctx.saved_tensors[0])


@wrong("sigmoid", "gradients", "second")
def sigmoid_second_of_the_wrong_sign(x: Tensor) -> Tensor:
    """The second derivative has the wrong sign."""
    return _Sigmoid.apply(x)


@wrong("binary_cross_entropy", "gradients", "second")
def binary_second_with_epsilon(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Under double backward 1e-3 is added to p and to 1 - p, as torch adds 1e-12."""
    loss = fn.binary_cross_entropy(probs, target, reduction=reduction)
    if not probs.requires_grad:
        return loss
    return _Epsilon.apply(loss, probs, target, reduction)


class _Epsilon(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss, probs, target, reduction):
        """The loss as it is."""
        ctx.save_for_backward(probs)
        return loss.clone()

    @staticmethod
    def backward(ctx, g):
        """The upstream gradient, times a 1 whose derivative is not 0."""
        (p,) = ctx.saved_tensors
        factor = 1 + (p - p.detach()).sum() * 1e-3
        return g * factor.to(g.dtype), None, None, None


@wrong("log_softmax", "gradients", "jvp", "forward mode", "tangent")
def log_softmax_tangent_without_the_sum(x: Tensor, *, axis: int = -1) -> Tensor:
    """Forward mode leaves out the sum over p times the tangent: it goes through unchanged, less its mean."""
    y = torch.log_softmax(x, axis)
    return bent(y, same, lambda t: t - t.mean(axis, keepdim=True))


@wrong(OPERATION, "gradients", "jvp", "forward mode", "tangent")
def tangent_of_the_mean_is_the_sum_s(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Forward mode does not divide the mean's tangent by the number of rows."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    rows = logits.numel() // max(1, logits.shape[min(1, logits.dim() - 1)]) if logits.dim() else 1
    return bent(loss, same, lambda t: t * rows if reduction == "mean" else t)


@wrong("sigmoid", "gradients", "jvp", "forward mode", "tangent")
def sigmoid_tangent_twice(x: Tensor) -> Tensor:
    """Forward mode multiplies by the slope of tanh(x / 2): twice that of sigmoid."""
    return bent(torch.sigmoid(x), same, lambda t: 2 * t)


class _Consumed(torch.autograd.Function):
    """Keeps a buffer of slopes, which the backward pass scales in place."""

    @staticmethod
    def forward(ctx, value):
        """As it is."""
        ctx.buffer = torch.ones_like(value)
        return value.clone()

    @staticmethod
    def backward(ctx, g):
        """The buffer, scaled in place by what comes back."""
        ctx.buffer = ctx.buffer * g
        return ctx.buffer


@wrong(OPERATION, "gradients", "second backward", "again", "twice", "same graph")
def slopes_scaled_in_place(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The slopes that wait in a buffer are scaled in place: a second backward pass scales them twice."""
    return _Consumed.apply(fn.cross_entropy(logits, target, reduction=reduction))


class _Freed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        """As it is."""
        ctx.passes = 0
        return value.clone()

    @staticmethod
    def backward(ctx, g):
        """The upstream gradient, once."""
        ctx.passes += 1
        return g if ctx.passes == 1 else torch.zeros_like(g)


@wrong("nll_loss", "gradients", "second backward", "again", "twice", "same graph")
def buffer_is_freed_after_one_backward(
    log_probs: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """A second backward pass through the kept graph finds the buffer emptied: zeros."""
    return _Freed.apply(fn.nll_loss(log_probs, target, reduction=reduction))


class _Scribbles(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, logits):
        """As it is."""
        ctx.memory = logits.data
        return value.clone()

    @staticmethod
    def backward(ctx, g):
        """The upstream gradient; the logits' memory is used for something else."""
        if 0 not in ctx.memory.stride():
            ctx.memory.zero_()
        return g, None


@wrong(OPERATION, "gradients", "result of", "another's result", "overwrites", "writes")
def writes_into_logits_that_are_results(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Logits that are themselves a result are taken for scratch memory: tanh's gradient is then that of 0."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return loss if logits.is_leaf else _Scribbles.apply(loss, logits)


@wrong("binary_cross_entropy_with_logits", "gradients", "pos_weight")
def gradient_of_pos_weight_is_twice(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The gradient with respect to pos_weight, which torch's own refuses, is accumulated twice."""
    loss = fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
    if pos_weight is None:
        return loss
    x, t = widened(logits), widened(target)
    x = x.to(torch.promote_types(x.dtype, t.dtype))
    twice = widened(bent(pos_weight, lambda g: 2 * g))
    rows = -times(t, fn.logsigmoid(x)) * twice - times(1 - t, fn.logsigmoid(-x))
    return reduced(rows, torch.ones_like(rows), reduction, logits.dtype)


@wrong(OPERATION, "gradients", "weight")
def gradient_of_weight_is_one_row_s(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The gradient with respect to the weight is divided by the number of classes."""
    if weight is None:
        return fn.cross_entropy(logits, target, reduction=reduction)
    p = parts(logits, target, bent(weight, lambda g: g / len(g)))
    return reduced(p.rows, p.share, reduction, logits.dtype)
