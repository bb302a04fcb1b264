"""Normalized rows, softmax, log_softmax and logsumexp: their bounds, and those of gradients through them."""

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
    clean,
    floating,
    row_sum,
    unknown,
)
from conformance.operations.error_analysis.rows import Rows, rows_of
from conformance.operations.error_analysis.second_derivatives import (
    centred,
    log_softmax_second,
    softmax_second,
)
from conformance.operations.error_analysis.tangents import log_softmax_tangent, mean_direction
from conformance.operations.masks import kept


def class_axis(arguments: Arguments, dimensions: int) -> int:
    """The axis of the arguments; None is torch's implicit one: 0 for 0, 1 and 3 dimensions, else 1."""
    axis = arguments.get("axis", -1)
    if axis is None:
        return 0 if dimensions in (0, 1, 3) else 1
    return int(str(axis))


def as_rows(array: Array, axis: int) -> Array:
    """`array` with the class axis last; a 0-d array is one row of one class."""
    whole = array if array.ndim else array.reshape(1)
    return whole if axis in (-1, whole.ndim - 1) else np.moveaxis(whole, axis, -1)


def from_rows(pair: Pair, axis: int, shape: tuple[int, ...]) -> Pair:
    """The way back from `as_rows`."""
    if axis in (-1, len(shape) - 1):
        return pair[0].reshape(shape), pair[1].reshape(shape)
    first, second = (np.moveaxis(array, -1, axis).reshape(shape) for array in pair)
    return first, second


def softmax_value(rows: Rows, best: bool) -> Array:
    """p (u (|z| + k + 1) + error of the sum), and underflow of exp(z) and of the quotient."""
    return rows.p * rows.softmax_relative_error(best) + rows.model.floor * (1.0 + 1.0 / rows.s)


def softmax_gradient(rows: Rows, g: Array, best: bool) -> Array:
    """p (g - sum g p).

    The best algorithm first takes g at the maximum off every g: its own term, which nearly cancels where p is
    near 1, leaves the sum.
    """
    model, p = rows.model, rows.p
    relative = rows.softmax_relative_error(best)
    shifted = g - rows.at_top(g)
    center = row_sum(p * shifted)
    difference = np.abs(shifted - center)
    magnitudes = np.abs(shifted if best else g)
    mean = row_sum(magnitudes * p)
    lost = row_sum(magnitudes * np.minimum(p, 2 * model.floor) + np.minimum(magnitudes * p, model.floor))
    center_error = row_sum(magnitudes * p * (relative + model.u)) + lost
    center_error = center_error + model.summing(magnitudes * p, best) * mean
    rounding = 2 * model.u * (magnitudes + np.abs(center if best else row_sum(p * g)))
    error = p * (relative * difference + center_error + rounding + model.u * difference)
    return error + model.floor * (2.0 + difference * (1.0 + 1.0 / rows.s) + magnitudes)


def log_softmax_gradient(rows: Rows, g: Array, g_error: Array | float, best: bool) -> Array:
    """g - p G, G = sum of g over the row, where g itself is known within `g_error`.

    At a maximum with p near 1 the standard algorithm cancels; the best one knows that a row of the gradient
    sums to zero, and adds up the others.
    """
    model, p = rows.model, rows.p
    g_error = np.broadcast_to(g_error, g.shape)
    total = row_sum(g)
    size = np.abs(total)
    magnitude = row_sum(np.abs(g))
    summed = model.summing(g, best) * magnitude + row_sum(g_error)
    relative = np.expm1(np.where(p > 0, rows.log_softmax_error(best), 0.0) + (K + 2) * model.u)
    result = g - p * total
    error = p * (size * relative + summed) + g_error + 2 * model.u * np.abs(result)
    if best:
        other = _complement(rows, g, g_error, relative, summed, result)
        error = rows.with_top(error, np.where(rows.rest < 0.5, other, rows.at_top(error)))
    return error + model.floor * (3.0 + 2.0 * size)


def _complement(rows: Rows, g: Array, g_error: Array, relative: Array, summed: Array, result: Array) -> Array:
    """Error of the entry at the maximum when it is computed as minus the sum of the others."""
    model = rows.model
    size = np.abs(row_sum(g))
    others = np.abs(rows.with_top(result, 0.0))
    others_error = row_sum(rows.with_top(g_error, 0.0))
    lost = size * row_sum(rows.with_top(rows.p * relative, 0.0)) + rows.rest * summed
    underflow = row_sum(np.minimum(3.0 * others, model.floor * (3.0 + 2.0 * size)))
    rounding = (model.summing(others, best=True) + 3 * model.u) * row_sum(others)
    return lost + others_error + underflow + rounding


@ErrorBounds
def softmax(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """Along `axis`; Blanchard, Higham and Higham (2021), Theorem 4.3, sum p |z| for the spread."""
    return _along_axis("softmax", arguments, quantity, g, model)


@ErrorBounds
def log_softmax(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """Along `axis`: u |z| + error of the logarithm + u |y|."""
    return _along_axis("log_softmax", arguments, quantity, g, model)


def _along_axis(operation: str, arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    x = floating(arguments, "x")
    if x.size == 0:
        return np.zeros(x.shape), np.zeros(x.shape)
    if quantity == "jvp:x" and operation == "softmax":  # its Jacobian is symmetric
        quantity, g = "gradient:x", direction(x.shape)
    if operation == "log_softmax" and quantity != "value":
        g = kept(np.broadcast_to(g, x.shape), dict(arguments), "x")
    axis = class_axis(arguments, x.ndim)
    rows = rows_of(as_rows(x, axis), model)
    if quantity == "value":
        error = softmax_value if operation == "softmax" else Rows.log_softmax_error
        pair = error(rows, False), error(rows, True)
    elif quantity == "jvp:x" and operation == "log_softmax":
        along = as_rows(direction(x.shape), axis)
        pair = log_softmax_tangent(rows, along, False)[1], log_softmax_tangent(rows, along, True)[1]
    elif quantity == "gradient:x":
        rows_g = as_rows(np.broadcast_to(g, x.shape), axis)
        if operation == "softmax":
            pair = softmax_gradient(rows, rows_g, False), softmax_gradient(rows, rows_g, True)
        else:
            first, second = (log_softmax_gradient(rows, rows_g, 0.0, best) for best in (False, True))
            pair = first, second
    elif quantity == "second:x":
        rows_g = as_rows(np.broadcast_to(g, x.shape), axis)
        along = as_rows(direction(x.shape), axis)
        if operation == "softmax":
            pair = softmax_second(rows, rows_g, along, False), softmax_second(rows, rows_g, along, True)
        else:
            first, second = (log_softmax_second(rows, rows_g, 0.0, along, best) for best in (False, True))
            pair = first, second
    else:
        raise unknown(operation, quantity)
    return from_rows(pair, axis, x.shape)


@ErrorBounds
def logsumexp(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """Along `axis`: error of the logarithm + u |m + l|; the gradient is g softmax(x).

    The gradient's bound is that of softmax by the shifted sum; exp(x - logsumexp(x)) loses digits with the
    common offset, and leaves it.
    """
    x = floating(arguments, "x")
    axis = class_axis(arguments, x.ndim)
    if x.size == 0:
        shape = x.shape if quantity not in ("value", "jvp:x") else np.sum(np.atleast_1d(x), axis=axis).shape
        return np.zeros(shape), np.zeros(shape)
    rows = rows_of(as_rows(x, axis), model)
    if quantity == "value":
        size = model.u * clean(np.abs(rows.m + rows.l)) + model.floor
        shape = rows.m.shape[:-1] if x.ndim else ()
        return (rows.log_error(False) + size).reshape(shape), (rows.log_error(True) + size).reshape(shape)
    if quantity == "jvp:x":
        along = as_rows(direction(x.shape), axis)
        shape = rows.m.shape[:-1] if x.ndim else ()
        errors = (
            mean_direction(rows, along, rows.softmax_relative_error(best), best)[1] for best in (False, True)
        )
        first, second = (error.reshape(shape) for error in errors)
        return first, second
    size = np.abs(g)[..., None] if x.ndim else np.abs(g).reshape(1)
    if quantity == "second:x":
        along = as_rows(direction(x.shape), axis)
        first, second = (_logsumexp_second(rows, size, along, best) for best in (False, True))
        return from_rows((first, second), axis, x.shape)
    if quantity != "gradient:x":
        raise unknown("logsumexp", quantity)
    first, second = (
        size * (softmax_value(rows, best) + 2 * model.u * rows.p) + 2 * model.floor for best in (False, True)
    )
    return from_rows((first, second), axis, x.shape)


def _logsumexp_second(rows: Rows, g: Array, v: Array, best: bool) -> Array:
    """g p (v - sum p v)."""
    size, error = centred(rows, v, rows.softmax_relative_error(best), best)
    return g * (error + 3 * rows.model.u * size) + 2 * rows.model.floor
