"""NumPy: second derivatives of the reference, by hand.

Each takes the upstream gradient, the direction and the function's own arguments, and returns the derivative
of <gradient, direction> with respect to the first input.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ..base import Array, Table
from .reference import (
    Terms,
    filled,
    sigmoid,
    softmax,
    softmax_gradient,
    times,
    to_elements,
    with_mask,
    with_rows,
)


def slope(x: Array) -> Array:
    """The derivative of sigmoid, right in both tails."""
    return sigmoid(x) * sigmoid(-x)


def sigmoid_second(upstream: Array, direction: Array, x: Array) -> Array:
    return -upstream * direction * slope(x) * np.tanh(x / 2)


def log_sigmoid_second(upstream: Array, direction: Array, x: Array) -> Array:
    return -upstream * direction * slope(x)


@with_mask
@with_rows
def softmax_second(upstream: Array, direction: Array, x: Array, *, axis: int = -1) -> Array:
    p = softmax(x, axis=axis)
    means = [(p * array).sum(axis=axis, keepdims=True) for array in (upstream, direction)]
    inner = upstream * direction - means[0] * direction - means[1] * upstream
    to_x = p * (inner - (p * inner).sum(axis=axis, keepdims=True))
    return np.where(p == 0, 0, to_x).astype(x.dtype)


@with_mask
@with_rows
def log_softmax_second(upstream: Array, direction: Array, x: Array, *, axis: int = -1) -> Array:
    return times(-upstream.sum(axis=axis, keepdims=True), softmax_gradient(direction, x, axis=axis)["x"])


@with_mask
@with_rows
def logsumexp_second(upstream: Array, direction: Array, x: Array, *, axis: int = -1) -> Array:
    return np.expand_dims(upstream, axis) * softmax_gradient(direction, x, axis=axis)["x"]


def nll_loss_second(
    upstream: Array, direction: Array, log_probs: Array, target: Array, **parameters: Any
) -> Array:
    return np.zeros_like(log_probs)


def cross_entropy_second(
    upstream: Array,
    direction: Array,
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    where: Optional[Array] = None,
) -> Array:
    logits = filled(logits, where)
    terms = Terms(logits, target, weight, ignore_index, label_smoothing)
    _, to_log_probs = terms.to_log_probs(upstream, reduction)
    centred = softmax_gradient(direction, logits, axis=terms.axis)["x"]
    to_logits = times(-to_log_probs.sum(axis=terms.axis, keepdims=True), centred)
    return np.where(terms.over_classes(terms.ignored), 0, to_logits).astype(logits.dtype)


def binary_cross_entropy_second(
    upstream: Array,
    direction: Array,
    probs: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    reduction: str = "mean",
) -> Array:
    rows = to_elements(upstream, probs, weight, reduction) * direction
    first = np.where(target == 0, 0, target * rows / probs / probs)
    second = np.where(target == 1, 0, (1 - target) * rows / (1 - probs) / (1 - probs))
    return (first + second).astype(probs.dtype)


def binary_cross_entropy_with_logits_second(
    upstream: Array,
    direction: Array,
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    pos_weight: Optional[Array] = None,
    reduction: str = "mean",
) -> Array:
    rows = to_elements(upstream, logits, weight, reduction) * direction
    positive = target if pos_weight is None else target * pos_weight
    return rows * ((1 - target + positive) * slope(logits))


SECOND: Table = {
    "sigmoid": {"functional": sigmoid_second},
    "log_sigmoid": {"functional": log_sigmoid_second},
    "softmax": {"functional": softmax_second},
    "log_softmax": {"functional": log_softmax_second},
    "logsumexp": {"functional": logsumexp_second},
    "nll_loss": {"functional": nll_loss_second},
    "cross_entropy": {"functional": cross_entropy_second},
    "binary_cross_entropy": {"functional": binary_cross_entropy_second},
    "binary_cross_entropy_with_logits": {"functional": binary_cross_entropy_with_logits_second},
}
