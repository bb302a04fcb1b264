"""Derivatives along the fixed direction v (forward mode) over a row of classes: their bounds.

The standard algorithm pushes v through the operation: it centres v under p, as v - sum p v. The best one
counts v from its value at the maximum, whose own term is 0 then and leaves the sum.
"""

from __future__ import annotations

import numpy as np

from conformance.operations.error_analysis.model import Array, K, row_sum
from conformance.operations.error_analysis.rows import Rows
from conformance.operations.error_analysis.second_derivatives import mean_under_p


def relative_p(rows: Rows, best: bool) -> Array:
    """Relative error of p as the exponential of log_softmax, which log_softmax keeps."""
    return np.expm1(np.where(rows.p > 0, rows.log_softmax_error(best), 0.0) + (K + 2) * rows.model.u)


def mean_direction(rows: Rows, v: Array, relative: Array, best: bool) -> tuple[Array, Array]:
    """sum p v of each row and its error: the derivative of logsumexp along v."""
    model = rows.model
    if not best:
        mean, error = mean_under_p(rows, v, np.zeros(v.shape), relative, False)
        return mean, error + 2 * model.u * np.abs(mean) + 2 * model.floor
    top = rows.at_top(v)
    mean, error = mean_under_p(rows, v - top, model.u * np.abs(v - top), relative, True)
    return mean + top, error + 2 * model.u * (np.abs(mean) + np.abs(mean + top)) + 2 * model.floor


def log_softmax_tangent(rows: Rows, v: Array, best: bool) -> tuple[Array, Array]:
    """v - sum p v and its error, of each class: the derivative of log_softmax along v."""
    model = rows.model
    relative = relative_p(rows, best)
    if not best:
        mean, error = mean_under_p(rows, v, np.zeros(v.shape), relative, False)
        rounding = 2 * model.u * (np.abs(v) + np.abs(mean))
        return v - mean, error + rounding + 2 * model.floor
    shifted = v - rows.at_top(v)
    mean, error = mean_under_p(rows, shifted, model.u * np.abs(shifted), relative, True)
    return shifted - mean, error + 2 * model.u * (np.abs(shifted) + np.abs(mean)) + 2 * model.floor


def label_tangent(rows: Rows, v: Array, v_label: Array, best: bool) -> tuple[Array, Array]:
    """sum p (v - v_y) of each row and its error; the gradient's products with v may be added up instead."""
    model = rows.model
    relative = relative_p(rows, best)
    distance = v - v_label[..., None]
    size = row_sum(rows.p * distance)
    if best:
        mean, error = mean_under_p(rows, distance, model.u * np.abs(distance), relative, True)
        return size[..., 0], (error + 2 * model.u * np.abs(mean) + 2 * model.floor)[..., 0]
    mean, error = mean_under_p(rows, v, np.zeros(v.shape), relative, False)
    magnitude = np.abs(v_label[..., None])
    rounding = (model.summing(rows.p * np.abs(v), False) + (K + 4) * model.u) * (
        magnitude + row_sum(rows.p * np.abs(v))
    )
    # The label's own p times v: no more than the label's share of p is lost.
    return size[..., 0], (error + rounding + (3.0 + magnitude) * model.floor)[..., 0]
