"""Sigmoid and its logarithm, element by element."""

from __future__ import annotations

from collections.abc import Callable

from mpmath import exp, log, mpf

from oracle.values import Array, each


def sigmoid_of(x: mpf) -> mpf:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + exp(-x))


def sigmoid(x: Array) -> Array:
    """The sigmoid of each element."""
    return each(sigmoid_of, x)


def sigmoid_gradient(x: Array) -> Array:
    """s' = s (1 - s)."""
    return each(lambda v: sigmoid_of(v) * sigmoid_of(-v), x)


def log_sigmoid(x: Array) -> Array:
    """The logarithm of the sigmoid."""
    return each(lambda v: log(sigmoid_of(v)), x)


def log_sigmoid_gradient(x: Array) -> Array:
    """(log s)' = 1 - s."""
    return each(lambda v: sigmoid_of(-v), x)


VALUES: dict[str, Callable[..., Array]] = {"sigmoid": sigmoid, "log_sigmoid": log_sigmoid}
GRADIENTS: dict[tuple[str, str], Callable[..., Array]] = {
    ("sigmoid", "x"): sigmoid_gradient,
    ("log_sigmoid", "x"): log_sigmoid_gradient,
}
