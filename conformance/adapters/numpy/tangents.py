"""NumPy: derivatives of the reference along a direction (forward mode), by hand.

Each takes the input's name, its direction and the function's own arguments.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from ..base import Array, Function
from . import reference
from .reference import Terms, filled, reduced, softmax, with_mask, with_rows


def sigmoid_tangent(name: str, direction: Array, x: Array) -> Array:
    return reference.sigmoid_gradient(direction, x)["x"]


def log_sigmoid_tangent(name: str, direction: Array, x: Array) -> Array:
    return reference.log_sigmoid_gradient(direction, x)["x"]


def softmax_tangent(
    name: str, direction: Array, x: Array, *, axis: int = -1, where: Optional[Array] = None
) -> Array:
    """The Jacobian is symmetric."""
    return reference.softmax_gradient(direction, x, axis=axis, where=where)["x"]


@with_mask
@with_rows
def mean_direction(direction: Array, x: Array, *, axis: int = -1) -> Array:
    return (softmax(x, axis=axis) * direction).sum(axis=axis)


def logsumexp_tangent(
    name: str, direction: Array, x: Array, *, axis: int = -1, where: Optional[Array] = None
) -> Array:
    return mean_direction(direction, x, axis=axis, where=where)


def log_softmax_tangent(
    name: str, direction: Array, x: Array, *, axis: int = -1, where: Optional[Array] = None
) -> Array:
    mean = mean_direction(direction, x, axis=axis, where=where)
    along = direction - (np.expand_dims(mean, axis) if x.ndim else mean)
    return along if where is None else np.where(where, along, 0).astype(x.dtype)


def nll_loss_tangent(
    name: str, direction: Array, log_probs: Array, target: Array, **parameters: Any
) -> Array:
    """It is linear."""
    return reference.nll_loss(direction, target, **parameters)


def cross_entropy_tangent(
    name: str,
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
    by_name = reference.cross_entropy_gradient(
        np.ones_like(terms.share),
        logits,
        target,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction="none",
        where=where,
    )
    return terms.reduce((by_name[name] * direction).sum(axis=terms.axis), reduction)


def of_elements(gradient: Function) -> Function:
    """The derivative of a binary loss: its gradient element by element, times the direction, reduced."""

    def tangent(
        name: str, direction: Array, x: Array, target: Array, *, reduction: str = "mean", **weights: Array
    ) -> Array:
        by_name = gradient(np.ones_like(x), x, target, reduction="none", **weights)
        return reduced(by_name[name] * direction, np.ones_like(x), reduction)

    return tangent


TANGENTS: Dict[str, Function] = {
    "sigmoid": sigmoid_tangent,
    "log_sigmoid": log_sigmoid_tangent,
    "softmax": softmax_tangent,
    "log_softmax": log_softmax_tangent,
    "logsumexp": logsumexp_tangent,
    "nll_loss": nll_loss_tangent,
    "cross_entropy": cross_entropy_tangent,
    "binary_cross_entropy": of_elements(reference.binary_cross_entropy_gradient),
    "binary_cross_entropy_with_logits": of_elements(reference.binary_cross_entropy_with_logits_gradient),
}
