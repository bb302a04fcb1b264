"""Right for the usual upstream gradient, a contiguous one or a scalar 1, and wrong for others."""

from __future__ import annotations

import torch
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import as_contiguous, bent, read

OPERATION = "cross_entropy"


@wrong(OPERATION, "gradients", "upstream")
def scalar_upstream_is_ignored(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient is made going forward: the upstream gradient of a scalar is not looked at."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return bent(loss, lambda g: torch.ones_like(g) if reduction != "none" else g)


@wrong(OPERATION, "gradients", "upstream")
def upstream_of_a_sum_is_ignored(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The upstream gradient of the sum alone is left out."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return bent(loss, lambda g: torch.ones_like(g) if reduction == "sum" else g)


@wrong("nll_loss", "gradients", "upstream")
def upstream_of_half_is_lost(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A scalar upstream gradient becomes a whole number: 0.5 becomes 0."""
    loss = fn.nll_loss(log_probs, target, reduction=reduction)
    return bent(loss, lambda g: g.trunc() if reduction != "none" else g)


@wrong("binary_cross_entropy_with_logits", "gradients", "upstream")
def loss_scale_is_clipped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A scalar upstream gradient is clipped to [-1024, 1024]: a loss scale of 65,536 is lost."""
    loss = fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
    return bent(loss, lambda g: g.clamp(-1024, 1024) if reduction != "none" else g)


@wrong("binary_cross_entropy", "gradients", "upstream")
def loss_scale_through_half(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The upstream gradient goes through float16, which 65,536 overflows."""
    loss = fn.binary_cross_entropy(probs, target, reduction=reduction)
    return bent(loss, lambda g: g.half().to(g.dtype) if reduction != "none" else g)


@wrong(OPERATION, "gradients", "upstream")
def upstream_without_its_sign(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Of a scalar upstream gradient the absolute value is taken."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return bent(loss, lambda g: g.abs() if reduction != "none" else g)


@wrong(OPERATION, "gradients", "upstream")
def upstream_of_zero_is_no_factor(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """`upstream or 1`: an upstream gradient of 0 counts as none."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    return bent(loss, lambda g: torch.where(g == 0, 1.0, g).to(g.dtype) if reduction != "none" else g)


@wrong("logsumexp", "gradients", "upstream")
def logsumexp_of_one_row_ignores_upstream(x: Tensor, *, axis: int = -1) -> Tensor:
    """One row's log-sum-exp is a number: its upstream gradient is taken for 1."""
    return bent(torch.logsumexp(x, axis), lambda g: torch.ones_like(g) if g.dim() == 0 else g)


@wrong("log_softmax", "gradients", "upstream")
def rows_of_zeros_upstream_are_nan(x: Tensor, *, axis: int = -1) -> Tensor:
    """Going backward it divides by the upstream's largest entry of the row, and multiplies by it again."""

    def change(g: Tensor) -> Tensor:
        top = g.abs().amax(axis, keepdim=True) if g.numel() else g
        return torch.where(top == 0, torch.nan, g).to(g.dtype)

    return bent(torch.log_softmax(x, axis), change)


@wrong("softmax", "gradients", "upstream", "overwrites")
def softmax_overwrites_upstream(x: Tensor, *, axis: int = -1) -> Tensor:
    """Going backward it multiplies the upstream gradient by the probabilities in place."""
    p = torch.softmax(x, axis)

    def change(g: Tensor) -> Tensor:
        whole = g.clone()
        if 0 not in g.stride():
            g.data.mul_(p.detach())
        return whole

    return bent(p, change)


@wrong(OPERATION, "gradients", "upstream", "overwrites")
def loss_overwrites_upstream(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Going backward it divides the upstream gradient of the mean, or scales that of the rows, in place."""

    def change(g: Tensor) -> Tensor:
        whole = g.clone()
        if 0 not in g.stride():
            g.data.div_(2)
        return whole

    return bent(fn.cross_entropy(logits, target, reduction=reduction), change)


@wrong(OPERATION, "gradients", "upstream")
def upstream_read_as_contiguous(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reads one upstream gradient after the other: nan behind the one number that an expanded one has."""
    return bent(fn.cross_entropy(logits, target, reduction=reduction), as_contiguous)


@wrong("log_sigmoid", "gradients", "upstream")
def upstream_read_from_the_start(x: Tensor) -> Tensor:
    """Reads the upstream gradient from the beginning of its memory: wrong for a slice of a longer one."""
    return bent(fn.logsigmoid(x), lambda g: read(g, tuple(g.shape), g.stride(), 0))


@wrong("log_softmax", "gradients", "upstream")
def upstream_transpose_read_row_by_row(x: Tensor, *, axis: int = -1) -> Tensor:
    """Reads a transposed upstream gradient as if it lay row by row."""

    def change(g: Tensor) -> Tensor:
        turned = (
            g.dim() > 1 and not g.is_contiguous() and g.permute(*reversed(range(g.dim()))).is_contiguous()
        )
        return as_contiguous(g) if turned else g

    return bent(torch.log_softmax(x, axis), change)
