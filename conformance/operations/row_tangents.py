"""Derivatives of a row's functions along a direction (forward mode), in balls, with nothing that cancels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from conformance.arithmetic.balls import (
    NAN,
    ZERO,
    Ball,
    ball,
    balls,
    exact_sum,
    is_nan,
    product,
    sum_of,
    wide,
)
from conformance.arithmetic.formats import FloatArray
from conformance.operations.rows import Row


def mean_under_p(row: Row, coefficients: Sequence[Ball]) -> Ball:
    """sum_j p_j c_j for exact coefficients c; exactly 0 where those of each logit that occurs cancel.

    Where probabilities have no limit, it has one if their coefficients are the same.
    """
    if row.poisoned or any(is_nan(coefficient) for coefficient in coefficients):
        return NAN
    if row.special:
        undecided = [coefficients[index] for index in row.undecided]
        return ZERO if not row.size else undecided[0] if all(c == undecided[0] for c in undecided) else NAN
    groups: dict[float, list[int]] = {}
    for index, logit in enumerate(row.logits):
        if logit != -math.inf:
            groups.setdefault(logit, []).append(index)
    terms = []
    for indices in groups.values():
        coefficient = exact_sum([coefficients[index] for index in indices])
        if not coefficient.is_zero():
            terms.append(row.exps[indices[0]] * coefficient)
    return sum_of(terms) * row.inverse if terms else ZERO


def centred_directions(row: Row, v: FloatArray) -> list[Ball]:
    """v_i - sum_j p_j v_j: the derivative of log_softmax along v. The direction repeats few numbers."""
    along = balls(v)
    at: dict[float, Ball] = {}
    for value, own in zip(v.tolist(), along, strict=True):
        if value not in at:
            with wide():
                distances = [own - other for other in along]
            at[value] = mean_under_p(row, distances)
    return [at[value] for value in v.tolist()]


def label_tangent(row: Row, label: int, v: FloatArray) -> Ball:
    """sum_j p_j (v_j - v_y): the derivative of -log softmax at the label along v."""
    with wide():
        distances = [ball(other) - ball(float(v[label])) for other in v.tolist()]
    return mean_under_p(row, distances)


def weighted_tangent(row: Row, coefficients: Sequence[Ball], v: FloatArray) -> Ball:
    """sum_c u_c (sum_j p_j v_j - v_c), for exact coefficients u: that of their weighted surprisal."""
    along = balls(v)
    with wide():
        total = exact_sum(coefficients)
        level = exact_sum([product(u, value) for u, value in zip(coefficients, along, strict=True)])
        distances = [product(total, value) - level for value in along]
    return mean_under_p(row, distances)


__all__ = ["centred_directions", "label_tangent", "mean_under_p", "weighted_tangent"]
