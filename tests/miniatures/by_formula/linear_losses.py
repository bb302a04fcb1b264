"""Fused cross-entropy of a linear layer's outputs in chunks of rows: right, and as its kernels were wrong."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ROWS = 2
CHUNK_CLASSES = 8


class FusedLinear(torch.autograd.Function):
    """The loss of each row and the logits' slopes, chunk by chunk; no logit is stored in a half type."""

    @staticmethod
    def forward(ctx, hidden, head, bias, target, weight, ignore_index, smoothing, forgets):
        """Each row's loss and its share in the mean."""
        wide = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        check_shapes(hidden, head, target, ignore_index)
        losses = torch.zeros(len(target), dtype=wide)
        share = torch.zeros(len(target), dtype=wide)
        slopes = torch.zeros(len(target), len(head), dtype=wide)
        b = torch.zeros(len(head), dtype=wide) if bias is None else bias.to(wide)
        factors = torch.ones(len(head), dtype=wide) if weight is None else weight.to(wide)
        for start in range(0, len(target), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            z = hidden[rows].to(wide) @ head.to(wide).T + b
            kept = target[rows] != ignore_index
            y = torch.where(kept, target[rows], 0)
            loss, slope = row_losses(z, y, b, factors, smoothing, hidden.dtype, forgets)
            losses[rows] = torch.where(kept, loss, 0)
            share[rows] = torch.where(kept, factors[y], 0)
            slopes[rows] = torch.where(kept.unsqueeze(1), slope, 0)
            if forgets == "ignored rows":
                slopes[rows] = slope
        ctx.save_for_backward(hidden, head, slopes)
        ctx.forgets, ctx.has_bias = forgets, bias is not None
        ctx.mark_non_differentiable(share)
        return losses, share

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream, _):
        """The slopes, scaled row by row, times the other matrix."""
        hidden, head, slopes = ctx.saved_tensors
        if ctx.forgets == "row upstream":
            upstream = upstream[0].expand_as(upstream)
        scaled = upstream.unsqueeze(1) * slopes
        to_hidden = (slopes if ctx.forgets == "upstream of hidden" else scaled) @ head.to(slopes.dtype)
        to_head = scaled.T @ hidden.to(slopes.dtype)
        if ctx.forgets == "last chunk of the head":
            to_head = scaled[:CHUNK_ROWS].T @ hidden[:CHUNK_ROWS].to(slopes.dtype)
        to_bias = scaled.sum(0).to(head.dtype) if ctx.has_bias else None
        if ctx.forgets == "bias upstream" and to_bias is not None:
            to_bias = slopes.sum(0).to(head.dtype)
        return to_hidden.to(hidden.dtype), to_head.to(head.dtype), to_bias, None, None, None, None, None


def row_losses(z, y, bias, factors, smoothing, dtype, forgets):
    """Each row's loss and the slopes of its logits."""
    classes = z.shape[1]
    seen = z.to(dtype).to(z.dtype) if forgets == "logits rounded forward" else z
    top = seen.amax(1, keepdim=True)
    log_sum = torch.log(torch.exp(seen - top).sum(1, keepdim=True))
    log_p = (seen - top) - log_sum
    if forgets == "offset":  # the maximum is added before the label's logit is taken off
        log_p = seen - (top + log_sum).to(dtype).to(z.dtype)
    if forgets == "label bias":
        log_p = log_p - torch.zeros_like(z).scatter(1, y.unsqueeze(1), bias[y].unsqueeze(1))
    if forgets == "bias twice":
        log_p = log_p + torch.zeros_like(z).scatter(1, y.unsqueeze(1), bias[y].unsqueeze(1))
    local = CHUNK_CLASSES if forgets == "class count" else classes
    hot = torch.zeros_like(z).scatter(1, y.unsqueeze(1), 1.0)
    wanted = ((1 - smoothing) * hot + smoothing / local) * factors
    loss = -torch.where(wanted == 0, 0, wanted * log_p).sum(1)  # a coefficient of 0 removes its term
    p = torch.softmax(z, 1)
    return loss, p * wanted.sum(1, keepdim=True) - wanted


def check_shapes(hidden: Tensor, head: Tensor, target: Tensor, ignore_index: int) -> None:
    """ValueError for tensors that do not fit, IndexError for a label out of range."""
    if hidden.dim() != 2 or head.dim() != 2 or target.shape != hidden.shape[:1]:
        raise ValueError("hidden is [N, F], head [C, F], target [N]")
    if bool(((target != ignore_index) & ((target < 0) | (target >= len(head)))).any()):
        raise IndexError("a label is none of the classes")


def loss(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    bias: Tensor | None,
    weight: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
    forgets: str = "",
) -> Tensor:
    """The fused loss, reduced."""
    losses, share = FusedLinear.apply(
        hidden, head, bias, target, weight, ignore_index, label_smoothing, forgets
    )
    if reduction == "none":
        return losses.to(hidden.dtype)
    if reduction not in ("sum", "mean"):
        raise ValueError(f"unknown reduction {reduction}")
    total = losses.sum()
    if reduction == "mean":
        total = total / (len(share) if forgets == "denominator" else share.sum())
    return total.to(hidden.dtype)


@right("linear_cross_entropy")
def fused_linear(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Fused in chunks of rows, its slopes made going forward."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options)


@wrong("linear_cross_entropy", "semantics", "bias")
def fused_linear_forgets_the_label_s_bias(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Forgets the bias in the label's logit."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "label bias")


@wrong("linear_cross_entropy", "semantics", "bias")
def fused_linear_takes_the_label_s_bias_twice(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Adds the bias to the label's logit a second time."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "bias twice")


@wrong("linear_cross_entropy", "gradients", "upstream", "reduction is none")
def fused_linear_takes_one_upstream_for_all(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Takes the first row's upstream gradient for every row."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "row upstream")


@wrong("linear_cross_entropy", "gradients", "upstream")
def fused_linear_scales_the_head_alone(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Leaves the upstream gradient out of the gradient to the hidden states."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "upstream of hidden")


@wrong("linear_cross_entropy", "gradients", "bias")
def fused_linear_leaves_the_bias_unscaled(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Leaves the upstream gradient out of the gradient to the bias."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "bias upstream")


@wrong("linear_cross_entropy", "gradients", "head")
def fused_linear_keeps_one_chunk_of_the_head(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Adds up the head's gradient over one chunk of rows alone."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "last chunk of the head")


@wrong("linear_cross_entropy", "semantics", "smooth")
def fused_linear_smooths_over_the_shard(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Takes the class count of one shard for label smoothing."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "class count")


@wrong("linear_cross_entropy", "numerics", "offset")
def fused_linear_rounds_logits_going_forward(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Rounds the logits to a half type in the forward pass, not in the backward pass."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "logits rounded forward")


@wrong("linear_cross_entropy", "numerics", "offset")
def fused_linear_adds_the_maximum_first(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Adds maximum and log-sum in the half type before the label's logit is taken off."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "offset")


@wrong("linear_cross_entropy", "gradients", "ignore")
def fused_linear_forgets_ignored_slopes(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Forgets that an ignored row has no gradient."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "ignored rows")


@wrong("linear_cross_entropy", "semantics", "ignore")
def fused_linear_divides_by_all_rows(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Tensor | None = None,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Divides the mean by all rows, ignored ones and weights regardless."""
    options = bias, weight, ignore_index, label_smoothing, reduction
    return loss(hidden, head, target, *options, "denominator")
