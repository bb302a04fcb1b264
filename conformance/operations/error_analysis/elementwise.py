"""Elementwise operations, sigmoid, log_sigmoid and one_hot: their bounds."""

from __future__ import annotations

import numpy as np

from conformance.operations.base import direction
from conformance.operations.error_analysis.model import (
    Arguments,
    Array,
    ErrorBounds,
    K,
    Pair,
    Rounding,
    floating,
    unknown,
)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow, right to a few units of float64 in both tails."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


@ErrorBounds
def sigmoid(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """s = 1 / (1 + exp(-x)): (k + 2) u s. Gradient g s (1 - s): (2 k + 6) u of itself, in both tails.

    Second derivative: times v (1 - 2 s), which the standard algorithm knows to (2 k + 4) u max(s, 1/2).
    """
    x = floating(arguments, "x")
    if quantity == "jvp:x":  # the direction takes the upstream gradient's part
        quantity, g = "gradient:x", direction(x.shape)
    s = logistic(x)
    if quantity == "value":
        error = (K + 2) * model.u * s + 2 * model.floor
    elif quantity == "gradient:x":
        error = (2 * K + 6) * model.u * np.abs(g) * s * logistic(-x) + model.floor * (1 + 3 * np.abs(g))
    elif quantity == "second:x":
        size = np.abs(g * direction(x.shape)) * s * logistic(-x)
        odd = np.abs(np.tanh(x / 2))
        underflow = model.floor * (4 + 12 * np.abs(g))
        # 1 - 2 s from the rounded s cancels at 0; (1 - e) / (1 + e) by expm1 does not.
        cancellation = (2 * K + 4) * model.u * np.maximum(s, 0.5)
        first = size * ((2 * K + 9) * model.u * odd + cancellation) + underflow
        return first, size * (4 * K + 9) * model.u * odd + underflow
    else:
        raise unknown("sigmoid", quantity)
    return error, error


@ErrorBounds
def log_sigmoid(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """log s: (2 k + 2) u of itself. Gradient g (1 - s): (k + 6) u of itself; second: (2 k + 7) u."""
    x = floating(arguments, "x")
    if quantity == "jvp:x":
        quantity, g = "gradient:x", direction(x.shape)
    if quantity == "value":
        error = (2 * K + 2) * model.u * softplus(-x) + 2 * model.floor
    elif quantity == "gradient:x":
        error = (K + 6) * model.u * np.abs(g) * logistic(-x) + model.floor * (1 + 2 * np.abs(g))
    elif quantity == "second:x":
        size = np.abs(g * direction(x.shape)) * logistic(x) * logistic(-x)
        error = (2 * K + 7) * model.u * size + model.floor * (4 + 12 * np.abs(g))
    else:
        raise unknown("log_sigmoid", quantity)
    return error, error


@ErrorBounds
def one_hot(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """Zeros and ones are representable in every dtype: no error at all."""
    if quantity != "value":
        raise unknown("one_hot", quantity)
    shape = (*np.asarray(arguments["target"]).shape, int(str(arguments["num_classes"])))
    return np.zeros(shape), np.zeros(shape)
