"""Softmax, its logarithm and its log-sum, row by row along an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from mpmath import exp, inf, log, mpf

from oracle.values import Array, number, zeros

Row = list[mpf]
Index = tuple[int, ...]


def indices_by_row(shape: tuple[int, ...], axis: int) -> Iterator[tuple[Index, list[Index]]]:
    """For each row along the axis: its index in the array without that axis, and its elements' indices."""
    axis = axis % len(shape)
    for row in np.ndindex(*shape[:axis], *shape[axis + 1 :]):
        yield row, [(*row[:axis], c, *row[axis:]) for c in range(shape[axis])]


def exponentials(row: Row) -> Row:
    """exp(x), all divided by the largest."""
    top = max(row)
    return [exp(x - top) for x in row]


def softmax_of(row: Row) -> Row:
    """exp(x_i) / sum_k exp(x_k)."""
    powers = exponentials(row)
    total = sum(powers)
    return [power / total for power in powers]


def log_sum_exp_of(row: Row) -> mpf:
    """log sum_k exp(x_k)."""
    return max(row) + log(sum(exponentials(row)))


def log_softmax_of(row: Row) -> Row:
    """x_i - log sum_k exp(x_k)."""
    top, log_sum = max(row), log(sum(exponentials(row)))
    return [(x - top) - log_sum for x in row]


def log_softmax_pull(a: Row, row: Row) -> Row:
    """The gradient of sum_k a_k log p_k: sum_k (a_i p_k - a_k p_i), where equal logits cancel exactly."""
    powers = exponentials(row)
    out = []
    for i in range(len(row)):
        equal = [k for k in range(len(row)) if row[k] == row[i]]
        total = powers[i] * sum(a[i] - a[k] for k in equal)
        for k in range(len(row)):
            if k not in equal:
                total += a[i] * powers[k] - a[k] * powers[i]
        out.append(total / sum(powers))
    return out


def softmax_pull(a: Row, row: Row) -> Row:
    """The gradient of sum_k a_k p_k: p_i sum_k (a_i - a_k) p_k."""
    p = softmax_of(row)
    return [p[i] * sum((a[i] - a[k]) * p[k] for k in range(len(row))) for i in range(len(row))]


def along(
    function: Callable[[Row], Row],
    x: Array,
    axis: int | None,
    where: Array | None = None,
    absent: mpf | int = 0,
) -> Array:
    """The function of each row along the axis; None is torch's: 0, or 1 in 2 and 4 dimensions.

    Rows are of the entries that `where` holds true for; the others' results are `absent`.
    """
    if axis is None:
        axis = 0 if x.ndim in (0, 1, 3) else 1
    out = zeros(x.shape)
    out[...] = mpf(absent)
    for _, indices in indices_by_row(x.shape, axis):
        kept = kept_in(indices, where)
        for index, result in zip(kept, function([number(x[p]) for p in kept]), strict=True):
            out[index] = result
    return out


def ones(row: Row) -> Row:
    """An upstream gradient of ones."""
    return [mpf(1) for _ in row]


def softmax(x: Array, axis: int | None = -1, where: Array | None = None) -> Array:
    """Softmax along the axis; 0 for the entries that `where` does not hold true for."""
    return along(softmax_of, x, axis, where)


def softmax_gradient(x: Array, axis: int | None = -1, where: Array | None = None) -> Array:
    """Zero, since the probabilities of a row always sum to one."""
    return along(lambda row: softmax_pull(ones(row), row), x, axis, where)


def log_softmax(x: Array, axis: int | None = -1, where: Array | None = None) -> Array:
    """The logarithm of softmax along the axis; -inf for the entries that `where` does not hold true for."""
    return along(log_softmax_of, x, axis, where, -inf)


def log_softmax_gradient(x: Array, axis: int | None = -1, where: Array | None = None) -> Array:
    """1 - n p of the entries that `where` holds true for."""
    return along(lambda row: log_softmax_pull(ones(row), row), x, axis, where)


def kept_in(indices: list[Index], where: Array | None) -> list[Index]:
    """The indices that `where` holds true for; all of them where there is none."""
    return [p for p in indices if where is None or where[p]]


def logsumexp(x: Array, axis: int = -1, where: Array | None = None) -> Array:
    """The logarithm of the sum of exponentials, without the axis; `where` says which entries it is over."""
    out = zeros(tuple(np.delete(x.shape, axis)))
    for row, indices in indices_by_row(x.shape, axis):
        out[row] = log_sum_exp_of([number(x[p]) for p in kept_in(indices, where)])
    return out


def logsumexp_gradient(x: Array, axis: int = -1, where: Array | None = None) -> Array:
    """The gradient of log-sum-exp is softmax over the entries that it is over, and 0 elsewhere."""
    out = zeros(x.shape)
    for _, indices in indices_by_row(x.shape, axis):
        kept = kept_in(indices, where)
        for index, share in zip(kept, softmax_of([number(x[p]) for p in kept]), strict=True):
            out[index] = share
    return out


def one_hot(target: Array, num_classes: int) -> Array:
    """A row for each label: 1 at the label, else 0."""
    out = zeros((*target.shape, num_classes))
    for i in np.ndindex(target.shape):
        out[(*i, int(target[i]))] = mpf(1)
    return out


VALUES: dict[str, Callable[..., Array]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "one_hot": one_hot,
}
GRADIENTS: dict[tuple[str, str], Callable[..., Array]] = {
    ("softmax", "x"): softmax_gradient,
    ("log_softmax", "x"): log_softmax_gradient,
    ("logsumexp", "x"): logsumexp_gradient,
}
