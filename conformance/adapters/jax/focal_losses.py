"""Sigmoid focal loss, composed."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..base import Tensor
from .divergences import batch_reduced


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0."""
    return coefficient * jnp.where((coefficient == 0) & jnp.isinf(term), 0, term)


def weighed(rows: Tensor, p: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """The elements times a_t (1 - p_t)^gamma."""
    agree = p * target + (1 - p) * (1 - target)
    rows = rows * (1 - agree) ** gamma
    return rows if alpha < 0 else (alpha * target + (1 - alpha) * (1 - target)) * rows


def sigmoid_focal_loss_composed(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid and its logarithms, as detectors write it."""
    rows = -times(target, jax.nn.log_sigmoid(logits)) - times(1 - target, jax.nn.log_sigmoid(-logits))
    return batch_reduced(weighed(rows, jax.nn.sigmoid(logits), target, alpha, gamma), reduction)


def sigmoid_focal_loss_naive(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid and its logarithm."""
    p = jax.nn.sigmoid(logits)
    rows = -(target * jnp.log(p) + (1 - target) * jnp.log(1 - p))
    return batch_reduced(weighed(rows, p, target, alpha, gamma), reduction)
