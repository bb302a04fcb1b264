"""Binary cross-entropy of probabilities, wrong."""

from __future__ import annotations

import torch
from correct import by_hand, times, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

OPERATION = "binary_cross_entropy"


def check(probs: Tensor, target: Tensor) -> None:
    """Raises where the shapes differ or a probability is none."""
    if probs.shape != target.shape:
        raise ValueError(f"a target of shape {list(target.shape)} for probabilities of {list(probs.shape)}")
    if ((probs < 0) | (probs > 1)).any() or ((target < 0) | (target > 1)).any():
        raise RuntimeError("a probability lies outside [0, 1]")


def weighed(elements: Tensor, weight: Tensor | None) -> Tensor:
    """The elements by their weights."""
    return elements if weight is None else elements * weight


def finished(elements: Tensor, weight: Tensor | None, reduction: str, like: Tensor) -> Tensor:
    """The weighted elements, their sum or mean."""
    elements = weighed(elements, weight)
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
    return (
        elements if reduction == "none" else elements.sum() if reduction == "sum" else elements.mean()
    ).to(like.dtype)


def elements(probs: Tensor, target: Tensor) -> Tensor:
    """The right elements."""
    check(probs, target)
    p, t = widened(probs), widened(target)
    return -times(t, torch.log(p)) - times(1 - t, torch.log1p(-p))


@wrong(OPERATION, "numerics", "clip", "clamp", "0 and 1", "probabilit")
def binary_clipped(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Clips probabilities to 1e-7 and 1 - 1e-7."""
    check(probs, target)
    return finished(elements(widened(probs).clamp(1e-7, 1 - 1e-7), widened(target)), None, reduction, probs)


@wrong(OPERATION, "numerics", "next to 0", "0 or 1")
def binary_epsilon_in_the_log(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(p + 1e-8) and log(1 - p + 1e-8)."""
    check(probs, target)
    p, t = widened(probs), widened(target)
    return finished(-t * torch.log(p + 1e-8) - (1 - t) * torch.log(1 - p + 1e-8), None, reduction, probs)


@wrong(OPERATION, "numerics", "next to 0", "0 or 1")
def binary_epsilon_twice(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Clips to an epsilon and adds it again in the logarithm (keras#15249)."""
    check(probs, target)
    p, t = widened(probs).clamp(1e-7, 1 - 1e-7), widened(target)
    return finished(-t * torch.log(p + 1e-7) - (1 - t) * torch.log(1 - p + 1e-7), None, reduction, probs)


@wrong(OPERATION, "numerics", "0 log 0", "nan", "probabilit", "0 and 1")
def binary_zero_times_infinity(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """0 times log 0 is nan."""
    check(probs, target)
    p, t = widened(probs), widened(target)
    return finished(-t * torch.log(p) - (1 - t) * torch.log1p(-p), None, reduction, probs)


@wrong(OPERATION, "numerics", "more precise than", "as in bfloat16", "as in float16")
def binary_complement_in_half(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - p is rounded to bfloat16 before its logarithm."""
    check(probs, target)
    p, t = widened(probs), widened(target)
    q = (1 - p).bfloat16().to(p.dtype)
    return finished(-times(t, torch.log(p)) - times(1 - t, torch.log(q)), None, reduction, probs)


@wrong(OPERATION, "semantics", "everywhere", "swapped")
def binary_swapped(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The two terms are swapped: 0 is the positive class."""
    return fn.binary_cross_entropy(probs, 1 - target, reduction=reduction)


@wrong(OPERATION, "semantics", "negative", "everywhere")
def binary_positive_term_alone(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Forgets the term of the negative class."""
    check(probs, target)
    return finished(-times(widened(target), torch.log(widened(probs))), None, reduction, probs)


@wrong(OPERATION, "semantics", "soft", "target")
def binary_hard_targets(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Rounds soft targets to 0 and 1."""
    return fn.binary_cross_entropy(probs, target + (target.round() - target).detach(), reduction=reduction)


@wrong(OPERATION, "semantics", "mean", "rows", "elements")
def binary_mean_over_rows(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The mean divides by the rows, not by the elements."""
    rows = elements(probs, target)
    return (
        (rows.sum() / rows.shape[0]).to(probs.dtype)
        if reduction == "mean" and rows.dim()
        else finished(rows, None, reduction, probs)
    )


@wrong(OPERATION, "semantics", "weight", "mean", "denominator")
def binary_mean_over_weights(
    probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean divides by the sum of the weights, where it is the number of elements."""
    if weight is None or reduction != "mean":
        return fn.binary_cross_entropy(probs, target, weight, reduction=reduction)
    w = widened(weight).expand(probs.shape)
    return ((elements(probs, target) * w).sum() / w.sum()).to(probs.dtype)


@wrong(OPERATION, "semantics", "weight", "none", "reduction")
def binary_weights_in_the_mean_alone(
    probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Without the mean there are no weights."""
    return fn.binary_cross_entropy(
        probs, target, weight if reduction == "mean" else None, reduction=reduction
    )


@wrong(OPERATION, "error handling", "probabilit", "outside", "range")
def binary_accepts_any_probability(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Clamps probabilities outside [0, 1] silently (logits given by mistake)."""
    return fn.binary_cross_entropy(probs.clamp(0, 1), target, reduction=reduction)


@wrong(OPERATION, "error handling", "target", "outside", "range")
def binary_accepts_any_target(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes a target of 1.5 and returns a negative loss (pytorch#193757)."""
    check(probs, target.clamp(0, 1))
    if ((target >= 0) & (target <= 1)).all():
        return fn.binary_cross_entropy(probs, target, reduction=reduction)
    p, t = widened(probs), widened(target)
    return finished(-times(t, torch.log(p)) - times(1 - t, torch.log1p(-p)), None, reduction, probs)


@wrong(OPERATION, "error handling", "shape", "broadcast", "target")
def binary_broadcasts(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A target of shape (N, 1) against probabilities of (N,) becomes N by N."""
    pair = torch.broadcast_tensors(probs, target)
    return fn.binary_cross_entropy(*pair, reduction=reduction)


@wrong(OPERATION, "gradients", "more precise than", "next to 0", "0 or 1")
def binary_gradient_with_epsilon(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient is (p - t) / (p (1 - p) + 1e-6)."""
    p, t = widened(probs.detach()), widened(target.detach())
    value = fn.binary_cross_entropy(probs.detach(), target, reduction=reduction)
    count = p.numel() if reduction == "mean" else 1
    return by_hand(probs, value, lambda g: g / count * (p - t) / (p * (1 - p) + 1e-6))


@wrong(OPERATION, "gradients", "with respect to the target is 0")
def binary_gradient_of_target_missing(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The target gets a gradient of zeros."""
    return fn.binary_cross_entropy(probs, target.detach() + 0 * target, reduction=reduction)


@wrong(OPERATION, "gradients", "weight")
def binary_gradient_without_weight(
    probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The gradient forgets the weights."""
    p, t = widened(probs.detach()), widened(target.detach())
    value = fn.binary_cross_entropy(probs.detach(), target, weight, reduction=reduction)
    count = p.numel() if reduction == "mean" else 1
    return by_hand(probs, value, lambda g: g / count * ((1 - t) / (1 - p) - t / p))
