"""Functions as users hand them to the worker, in NumPy."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

Array = Any


def noisy_sigmoid(x: Array) -> Array:
    """Prints, by Python and by the system call, and warns."""
    print("a line that is no frame")
    os.write(1, b"CFM1 bytes that are no frame\n")
    warnings.warn("twice the same", stacklevel=1)
    warnings.warn("twice the same", stacklevel=1)
    return 1 / (1 + np.exp(-x))


def cross_entropy_of_labels(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """Lacks weight, ignore_index and label_smoothing."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = -np.take_along_axis(log_probs, target[:, None], axis=1)[:, 0]
    return rows.mean() if reduction == "mean" else rows.sum() if reduction == "sum" else rows


class Squares:
    """A function with a gradient by hand, to be named with a dot."""

    @staticmethod
    def sigmoid(x: Array) -> Array:
        """Not sigmoid at all."""
        return x * x


def _squares_gradient(upstream: Array, x: Array) -> dict[str, Array]:
    return {"x": 2 * upstream * x}


Squares.sigmoid.gradient = _squares_gradient  # type: ignore[attr-defined]


def not_for_halves(x: Array) -> Array:
    """Says what it lacks."""
    if x.dtype == np.float16:
        raise NotImplementedError("no float16 here")
    return x


def raises(x: Array) -> Array:
    """Raises."""
    raise ArithmeticError("as it does")


def dies(x: Array) -> Array:
    """Takes the process with it."""
    os._exit(9)


not_a_function = 3
