"""Sigmoid focal loss: the reference by each tail's own probability, gradients by hand, the textbook form."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from ..base import Array
from .divergences import batch_reduced, divisor_of
from .reference import Gradients, check_elements, sigmoid, softplus, times, with_gradient


def factors(target: Array, logits: Array, alpha: float) -> Tuple[Array, Array]:
    """a_t and 1 - p_t."""
    kind = target.dtype.type
    share = kind(alpha) * target + kind(1 - alpha) * (1 - target) if alpha >= 0 else np.ones_like(target)
    return share, target * sigmoid(-logits) + (1 - target) * sigmoid(logits)


def sigmoid_focal_loss_gradient(
    upstream: Array,
    logits: Array,
    target: Array,
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
) -> Gradients:
    kind = logits.dtype.type
    divisor = 1 if reduction == "none" else divisor_of(logits, reduction)
    g = np.broadcast_to(upstream / kind(divisor), logits.shape)
    share, missed = factors(target, logits, alpha)
    entropy = times(target, softplus(-logits)) + times(1 - target, softplus(logits))
    power = missed ** kind(gamma)
    slope = kind(gamma) * power / np.where(missed == 0, 1, missed).astype(kind)
    to_entropy, p = g * share * power, sigmoid(logits)
    to_missed = times(g * share * slope, entropy)
    to_logits = to_entropy * ((1 - target) * p - target * sigmoid(-logits))
    to_logits = to_logits + times((1 - 2 * target) * p * sigmoid(-logits), to_missed)
    to_target = to_entropy * -logits + to_missed * (sigmoid(-logits) - p)
    if alpha >= 0:
        to_target = to_target + g * power * kind(2 * alpha - 1) * entropy
    return {"logits": to_logits, "target": to_target}


@with_gradient(sigmoid_focal_loss_gradient)
def sigmoid_focal_loss(
    logits: Array, target: Array, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Array:
    check_elements(logits, target)
    share, missed = factors(target, logits, alpha)
    entropy = times(target, softplus(-logits)) + times(1 - target, softplus(logits))
    return batch_reduced(share * times(missed ** logits.dtype.type(gamma), entropy), reduction)


def sigmoid_focal_loss_naive(
    logits: Array, target: Array, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Array:
    p = sigmoid(logits)
    share, _ = factors(target, logits, alpha)
    agree = p * target + (1 - p) * (1 - target)
    rows = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    return batch_reduced(share * rows * (1 - agree) ** logits.dtype.type(gamma), reduction)
