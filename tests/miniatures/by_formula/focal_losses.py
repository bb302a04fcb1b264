"""Sigmoid focal loss: right as written, and wrong in ten ways."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor
from torch.nn.functional import logsigmoid


def wide(tensor: Tensor) -> Tensor:
    """A half type in float32."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def promoted(*tensors: Tensor) -> list[Tensor]:
    """Half types in float32, and all in the widest of their dtypes."""
    widest = max((wide(tensor).dtype for tensor in tensors), key=lambda dtype: dtype.itemsize)
    return [tensor.to(widest) for tensor in tensors]


def reduce(rows: Tensor, reduction: str, dtype: torch.dtype) -> Tensor:
    """The elements, their sum or their mean."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction}")
    return (rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()).to(dtype)


def check(logits: Tensor, target: Tensor) -> None:
    """ValueError for tensors of two shapes."""
    if logits.shape != target.shape:
        raise ValueError("logits and target have one shape")


def entropy(x: Tensor, t: Tensor) -> Tensor:
    """t softplus(-x) + (1 - t) softplus(x)."""
    return t * -logsigmoid(x) + (1 - t) * -logsigmoid(-x)


def missed(x: Tensor, t: Tensor) -> Tensor:
    """1 - p_t."""
    p = torch.sigmoid(x)
    return 1 - (p * t + (1 - p) * (1 - t))


def share(t: Tensor, alpha: float) -> Tensor:
    """alpha for positives, 1 - alpha for negatives; 1 for an alpha below 0."""
    return alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else torch.ones_like(t)


@right("sigmoid_focal_loss")
def focal_as_written(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """The formula as written, its loss by two logarithms of the sigmoid, half types in float32."""
    check(logits, target)
    x, t = promoted(logits, target)
    return reduce(share(t, alpha) * entropy(x, t) * missed(x, t) ** gamma, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "semantics", "value", "target", "positive", "negative")
def focal_swaps_alpha(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Weighs negatives by alpha and positives by 1 - alpha."""
    swapped = 1 - alpha if alpha >= 0 else alpha
    return focal_as_written(logits, target, alpha=swapped, gamma=gamma, reduction=reduction)


@wrong("sigmoid_focal_loss", "semantics", "value", "alpha")
def focal_forgets_alpha(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Leaves alpha out: both classes weigh the same."""
    return focal_as_written(logits, target, alpha=-1, gamma=gamma, reduction=reduction)


@wrong("sigmoid_focal_loss", "semantics", "value", "alpha", "negative")
def focal_weighs_positives_alone(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Weighs positives by alpha and negatives by 1."""
    check(logits, target)
    x, t = promoted(logits, target)
    weight = alpha * t + (1 - t) if alpha >= 0 else torch.ones_like(t)
    return reduce(weight * entropy(x, t) * missed(x, t) ** gamma, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "semantics", "value", "gamma")
def focal_always_squares(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Takes gamma for 2 whatever it is."""
    return focal_as_written(logits, target, alpha=alpha, gamma=2.0, reduction=reduction)


@wrong("sigmoid_focal_loss", "semantics", "value")
def focal_weighs_hard_ones_down(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """The power of p_t, not of 1 - p_t."""
    check(logits, target)
    x, t = promoted(logits, target)
    rows = share(t, alpha) * entropy(x, t) * missed(x, 1 - t) ** gamma
    return reduce(rows, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "semantics", "value", "soft")
def focal_of_exp_of_the_loss(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Takes exp(-loss) for p_t, which it is of hard targets alone."""
    check(logits, target)
    x, t = promoted(logits, target)
    loss = entropy(x, t)
    return reduce(share(t, alpha) * loss * (-torch.expm1(-loss)) ** gamma, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "semantics", "mean", "reduction")
def focal_divides_by_the_positives(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Divides the sum by the number of positives, as detectors do, where the mean is over all elements."""
    if reduction != "mean":
        return focal_as_written(logits, target, alpha=alpha, gamma=gamma, reduction=reduction)
    total = focal_as_written(logits, target, alpha=alpha, gamma=gamma, reduction="sum")
    return total / target.sum().clamp_min(1)


@wrong("sigmoid_focal_loss", "numerics", "value", "tail", "overflow", "inf", "nan")
def focal_clips_the_sigmoid(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """The logarithm of a sigmoid that is clipped at 1e-7."""
    check(logits, target)
    x, t = promoted(logits, target)
    p = torch.sigmoid(x).clamp(1e-7, 1 - 1e-7)
    loss = -(t * p.log() + (1 - t) * torch.log1p(-p))
    return reduce(share(t, alpha) * loss * missed(x, t) ** gamma, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "gradients", "gradient")
def focal_of_a_constant_factor(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Detaches the modulating factor from the graph."""
    check(logits, target)
    x, t = promoted(logits, target)
    factor = (missed(x, t) ** gamma).detach()
    return reduce(share(t, alpha) * entropy(x, t) * factor, reduction, logits.dtype)


@wrong("sigmoid_focal_loss", "gradients", "gradient", "target")
def focal_of_a_constant_target(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Gives the target no gradient, though it is one of the loss's inputs."""
    rest = 0 * target.nan_to_num(0, 0, 0).sum()
    return focal_as_written(logits, target.detach(), alpha=alpha, gamma=gamma, reduction=reduction) + rest
