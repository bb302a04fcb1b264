"""A fused cross-entropy as one writes it to save memory: right, and five times with one thing forgotten."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 64


class Fused(torch.autograd.Function):
    """Loss and gradient of each chunk of rows in one go; the gradient waits in the forward pass's buffer."""

    @staticmethod
    def forward(ctx, logits, target, weight, ignore_index, forgets):
        """The loss of each row, and each row's share in the denominator of the mean."""
        wide = torch.float64 if logits.dtype == torch.float64 else torch.float32
        if forgets == "range":
            target = torch.where(target == ignore_index, target, target.clamp(0, logits.shape[1] - 1))
        losses = torch.zeros(len(target), dtype=wide)
        share = torch.zeros(len(target), dtype=wide)
        slopes = torch.zeros(logits.shape, dtype=wide)
        for start in range(0, len(target), CHUNK):
            rows = slice(start, start + CHUNK)
            x, y = logits[rows].to(wide), target[rows]
            kept = y != ignore_index
            y = torch.where(kept, y, 0)
            top = x.amax(dim=1, keepdim=True) if forgets != "own maximum" else x.amax()
            z = x - top
            exp = torch.exp(z)
            total = exp.sum(dim=1, keepdim=True)
            if forgets == "half":
                total = running_sum(exp.to(logits.dtype)).to(wide)
            w = torch.ones(len(y), dtype=wide) if weight is None else weight.to(wide)[y]
            w = torch.where(kept, w, 0)
            loss = torch.log(total) - z.gather(1, y.unsqueeze(1))
            losses[rows] = torch.where(w != 0, w * loss.squeeze(1), 0)
            share[rows] = kept.to(wide) if forgets == "denominator" else w
            slope = (exp / total).scatter_add(1, y.unsqueeze(1), -torch.ones_like(loss)) * w.unsqueeze(1)
            if forgets == "ignored gradient":
                slope = (exp / total) * torch.where(kept, w, 1).unsqueeze(1)
                slope = slope.scatter_add(1, y.unsqueeze(1), -w.unsqueeze(1))
            slopes[rows] = (
                slope if forgets == "ignored gradient" else torch.where(w.unsqueeze(1) != 0, slope, 0)
            )
        ctx.save_for_backward(slopes, target != ignore_index)
        ctx.dtype = logits.dtype
        ctx.mark_non_differentiable(share)
        return losses, share

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream, _):
        """The buffer, scaled row by row; it refuses a second derivative."""
        slopes, kept = ctx.saved_tensors
        kept = kept | (slopes != 0).any(1)
        flow = torch.where(kept, upstream, 0)  # a mean over weights of 0 is nan, and so is its gradient
        return (slopes * flow.unsqueeze(1)).to(ctx.dtype), None, None, None, None


def running_sum(terms: Tensor) -> Tensor:
    """A sum along the classes that is kept in the dtype of its terms, 32 at a time."""
    total = torch.zeros_like(terms[:, :1])
    for part in terms.split(32, dim=1):
        total = total + part.sum(dim=1, keepdim=True)
    return total


def loss(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    forgets: str = "",
) -> Tensor:
    """The fused loss of (N, C) logits and N labels."""
    if logits.dim() != 2 or target.is_floating_point():
        raise ValueError("fused cross-entropy takes (N, C) logits and N labels")
    if target.shape != logits.shape[:1]:
        raise ValueError(f"{len(logits)} rows of logits, but labels of shape {tuple(target.shape)}")
    if weight is not None and weight.shape != logits.shape[1:]:
        raise ValueError("one weight a class")
    losses, share = Fused.apply(logits, target, weight, ignore_index, forgets)
    if reduction == "mean":
        return (losses.sum() / share.sum()).to(logits.dtype)
    if reduction == "sum":
        return losses.sum().to(logits.dtype)
    if reduction == "none":
        return losses.to(logits.dtype)
    raise ValueError(f"unknown reduction {reduction}")


@right("cross_entropy")
def fused(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Fused and chunked, its gradient made going forward."""
    return loss(logits, target, weight, ignore_index, reduction)


@wrong("cross_entropy", "gradients", "ignore")
def fused_forgets_ignored_gradient(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Forgets that an ignored row has no gradient."""
    return loss(logits, target, None, ignore_index, reduction, "ignored gradient")


@wrong("cross_entropy", "semantics", "weight", "mean")
def fused_forgets_weighted_denominator(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Forgets that the weighted mean divides by the weights' sum."""
    return loss(logits, target, weight, ignore_index, reduction, "denominator")


@wrong("cross_entropy", "numerics", "rows", "maximum")
def fused_forgets_own_maximum(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Subtracts the maximum of the chunk, not of each row."""
    return loss(logits, target, None, ignore_index, reduction, "own maximum")


@wrong("cross_entropy", "error handling", "label", "range")
def fused_forgets_label_range(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Clamps labels in place of refusing those out of range."""
    return loss(logits, target, None, ignore_index, reduction, "range")


@wrong("cross_entropy", "numerics", "half", "classes", "accumulat")
def fused_accumulates_in_half(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Adds up the exponentials in the half type."""
    return loss(logits, target, None, ignore_index, reduction, "half")
