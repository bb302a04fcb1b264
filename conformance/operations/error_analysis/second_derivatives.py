"""Second derivatives over a row of classes, along the fixed direction v: their bounds.

All of them centre something under p, as p (v - sum p v): the rounded p multiplies terms that cancel where p
is near 1. The best algorithm counts v (and the upstream) from its value at the maximum, whose own term then
is 0 and leaves every sum.
"""

from __future__ import annotations

import numpy as np

from conformance.operations.error_analysis.model import Array, K, row_sum
from conformance.operations.error_analysis.rows import Rows


def mean_under_p(rows: Rows, values: Array, error: Array, relative: Array, best: bool) -> tuple[Array, Array]:
    """sum p x over each row, and its error: x is known within `error`, each p within its `relative` error."""
    model, p, magnitudes = rows.model, rows.p, np.abs(values)
    size = row_sum(magnitudes * p)
    lost = row_sum(magnitudes * np.minimum(p, 2 * model.floor) + np.minimum(magnitudes * p, model.floor))
    rounding = row_sum(magnitudes * p * (relative + model.u)) + row_sum(p * error)
    return row_sum(p * values), rounding + lost + model.summing(magnitudes * p, best) * size


def softmax_second(rows: Rows, g: Array, v: Array, best: bool) -> Array:
    """p (h - sum p h), h = g v - v sum p g - g sum p v: the derivative of softmax's gradient along v."""
    model, u = rows.model, rows.model.u
    relative = rows.softmax_relative_error(best)
    if best:
        g, v = g - rows.at_top(g), v - rows.at_top(v)
    g_error, v_error = (u * np.abs(values) if best else np.zeros(v.shape) for values in (g, v))
    g_mean, g_mean_error = mean_under_p(rows, g, g_error, relative, best)
    v_mean, v_mean_error = mean_under_p(rows, v, v_error, relative, best)
    h = g * v - g_mean * v - g * v_mean
    parts = np.abs(g * v) + np.abs(g_mean * v) + np.abs(g * v_mean)
    h_error = np.abs(v) * (g_mean_error + g_error) + np.abs(g) * (v_mean_error + v_error) + 4 * u * parts
    h_error = h_error + model.floor * (2.0 + np.abs(v))
    h_mean, h_mean_error = mean_under_p(rows, h, h_error, relative, best)
    size = np.abs(h - h_mean)
    rounding = (relative + u) * size + h_error + h_mean_error + 2 * u * (np.abs(h) + np.abs(h_mean))
    return rows.p * rounding + model.floor * (2.0 + size * (1.0 + 1.0 / rows.s) + np.abs(h))


def centred(rows: Rows, v: Array, relative: Array, best: bool) -> tuple[Array, Array]:
    """p (v - sum p v) and its error."""
    model, u = rows.model, rows.model.u
    shifted = v - rows.at_top(v)
    size = np.abs(shifted - row_sum(rows.p * shifted))
    magnitudes = shifted if best else v
    error = u * np.abs(magnitudes) if best else np.zeros(v.shape)
    mean, mean_error = mean_under_p(rows, magnitudes, error, relative, best)
    # Each term may be multiplied with p, or with p and the upstream, before they are subtracted.
    rounding = (relative + u) * size + error + mean_error + 4 * u * (np.abs(magnitudes) + np.abs(mean))
    return rows.p * size, rows.p * rounding + model.floor * (
        2.0 + size * (1.0 + 1.0 / rows.s) + np.abs(magnitudes)
    )


def log_softmax_second(rows: Rows, g: Array, g_error: Array | float, v: Array, best: bool) -> Array:
    """sum(g) p (v - sum p v), where g is known within `g_error`, and p is the exponential of log_softmax."""
    model = rows.model
    relative = np.expm1(np.where(rows.p > 0, rows.log_softmax_error(best), 0.0) + (K + 2) * model.u)
    size, error = centred(rows, v, relative, best)
    total = np.abs(row_sum(g))
    summed = model.summing(g, best) * row_sum(np.abs(g)) + row_sum(np.broadcast_to(g_error, g.shape))
    # The upstream may come first: each p g v then underflows by itself, at most twice.
    lost = np.minimum(2 * rows.p * total * np.abs(v), model.floor * (1.0 + np.abs(v)))
    underflow = lost + rows.p * row_sum(lost) + model.floor * (3.0 + total)
    return total * error + (summed + 3 * model.u * total) * size + underflow
