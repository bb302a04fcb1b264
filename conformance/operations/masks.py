"""Masks of scores: `where` leaves out the entries that it is 0 for, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ZERO, Ball
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations.base import Arguments, Parameter, tensor

WHERE = Parameter("where", "tensor", None)
Mask = npt.NDArray[np.bool_]


def check_mask(operation: str, arguments: Arguments, scores: str) -> None:
    """ArgumentError for a mask of another shape than that of the scores."""
    where, shape = arguments.get("where"), tensor(arguments, scores).shape
    if where is not None and np.shape(tensor(arguments, "where")) != shape:
        raise ArgumentError(f"{operation}: where must have {scores}'s shape {list(shape)}")


def with_mask(complete: Arguments, scores: str, classes: int | None) -> Arguments:
    """The arguments with -inf in the place of the scores that `where` leaves out.

    A row's only class has the probability 1 in the limit of -inf; left out it has none, and holds nan.

    Args:
        complete: Completed arguments.
        scores: The name of the scores.
        classes: How many classes a row has; None where there are no rows.
    """
    out = left_out(complete, scores)
    if out is None:
        return complete
    return {**complete, scores: np.where(out, np.nan if classes == 1 else -np.inf, tensor(complete, scores))}


def left_out(arguments: Arguments, scores: str) -> Mask | None:
    """Which scores are left out; None without a mask that fits."""
    if arguments.get("where") is None:
        return None
    out: Mask = np.asarray(tensor(arguments, "where") == 0)
    return out if out.shape == np.shape(tensor(arguments, scores)) else None


def kept(array: FloatArray, arguments: Arguments, scores: str) -> FloatArray:
    """An array of the scores' shape with 0 where they are left out, such as the direction of a constant."""
    out = left_out(arguments, scores)
    return array if out is None else np.where(out, 0.0, array)


def constant_there(derivatives: Iterable[Ball], arguments: Arguments, scores: str) -> Iterable[Ball]:
    """Derivatives, flat in the scores' order, exactly 0 where the scores are left out."""
    out = left_out(arguments, scores)
    if out is None:
        return derivatives
    return [ZERO if zero else value for zero, value in zip(out.ravel(), derivatives, strict=True)]


def rows_throughout(arguments: Arguments, scores: str, axis: int | None) -> Mask:
    """Which rows along the axis, kept with length 1, are -inf or left out in every class."""
    x, out = tensor(arguments, scores), left_out(arguments, scores)
    gone: Mask = np.asarray(np.isneginf(x) if out is None else np.isneginf(x) | out)
    if axis is None or not x.ndim:
        return gone
    throughout: Mask = gone.all(axis=axis, keepdims=True) & (x.shape[axis] > 0)
    return throughout


__all__ = [
    "WHERE",
    "Mask",
    "check_mask",
    "constant_there",
    "kept",
    "left_out",
    "rows_throughout",
    "with_mask",
]
