"""Right in the middle of the number line, wrong past a sentinel; and gradients that lose what is small."""

from __future__ import annotations

import torch
from correct import HALF, by_hand, class_axis, parts, reduced, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "cross_entropy"
BELOW = ("far below", "below", "underflows", "large and negative", "lowest")


def log_sum_from(x: Tensor, axis: int, sentinel: float) -> Tensor:
    """log-sum-exp, kept, whose running maximum starts at a finite number."""
    top = x.detach().amax(axis, keepdim=True).clamp(min=sentinel)
    return top + torch.log(torch.exp(x - top).sum(axis, keepdim=True))


@wrong(OPERATION, "numerics", *BELOW)
def maximum_starts_at_minus_1e4(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The running maximum starts at -1e4: a row below it has the sum 0."""
    x, axis = widened(logits), class_axis(logits)
    if not logits.numel() or target.is_floating_point() or not (x.detach() < -1e4).all(axis).any():
        return fn.cross_entropy(logits, target, reduction=reduction)
    return fn.nll_loss(x - log_sum_from(x, axis, -1e4), target, reduction=reduction).to(logits.dtype)


@wrong("softmax", "numerics", *BELOW)
def softmax_starts_at_minus_5e4(x: Tensor, *, axis: int = -1) -> Tensor:
    """The running maximum starts at -5e4."""
    w = widened(x)
    if not x.numel() or not (w.detach() < -5e4).all(axis).any() or w.detach().isinf().any():
        return torch.softmax(x, axis)
    return torch.exp(w - log_sum_from(w, axis, -5e4)).to(x.dtype)


@wrong("logsumexp", "numerics", *BELOW)
def logsumexp_starts_at_minus_1e30(x: Tensor, *, axis: int = -1) -> Tensor:
    """The running maximum starts at -1e30: in float32 and wider there are numbers below."""
    w = widened(x)
    if not x.numel() or not (w.detach() < -1e30).all(axis).any() or w.detach().isinf().any():
        return torch.logsumexp(x, axis)
    return log_sum_from(w, axis, -1e30).squeeze(axis).to(x.dtype)


@wrong("log_softmax", "numerics", "far apart", "vanishing", "small probabilit")
def log_softmax_is_cut_off_at_minus_64(x: Tensor, *, axis: int = -1) -> Tensor:
    """No score lies further below the maximum than 64: what does is raised to that."""
    w = widened(x)
    if not x.numel():
        return torch.log_softmax(x, axis)
    z = w - w.detach().amax(axis, keepdim=True)
    return torch.log_softmax(torch.where(z < -64, -64.0, z), axis).to(x.dtype)


@wrong(OPERATION, "gradients", "dominates", "small loss", "confident", "vanishing", "half")
def confident_rows_have_no_gradient(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """In the half types a row is left out of the gradient where its label's probability rounds to 1."""
    if target.is_floating_point() or logits.dtype not in HALF:
        return fn.cross_entropy(logits, target, reduction=reduction)
    p = parts(logits.detach(), target)
    confident = (p.log_probs.exp().to(logits.dtype) * p.coefficient == 1).any(p.axis, keepdim=True)

    def gradient(g: Tensor) -> Tensor:
        return torch.where(confident, 0.0, p.gradient(g, reduction))

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


@wrong("binary_cross_entropy_with_logits", "gradients", "half type")
def logits_gradient_of_rounded_s(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """In the half types the sigmoid is rounded before the target is taken off."""
    loss = fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
    if logits.dtype not in HALF or not logits.requires_grad:
        return loss
    count = logits.numel() if reduction == "mean" else 1

    def gradient(g: Tensor) -> Tensor:
        rounded = torch.sigmoid(logits.detach()).float()
        return widened(g) / count * (rounded - target.detach().float())

    return by_hand(logits, loss, gradient)


@wrong("nll_loss", "semantics", "weight")
def weights_of_zero_count_as_one(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Weights that are all 0 are taken for no weights."""
    if weight is not None and not weight.detach().any():
        weight = torch.ones_like(weight)
    return fn.nll_loss(log_probs, target, weight, reduction=reduction)


@wrong(OPERATION, "semantics", "smoothing")
def smoothing_next_to_one_is_one(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """A smoothing above 0.99 is taken for 1."""
    smoothing = 1.0 if 0.99 < label_smoothing < 1 else label_smoothing
    return fn.cross_entropy(logits, target, label_smoothing=smoothing, reduction=reduction)
