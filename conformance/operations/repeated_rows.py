"""Distinct rows and their counts: a loss over millions of rows costs what its distinct rows cost.

The sum of the terms' midpoints is exact either way, so that the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ONE, Ball, ball, exact_sum, product, quotient, wide
from conformance.operations.base import Arguments
from conformance.operations.classes import class_rows

#: Fewer rows than this are summed without counting.
MIN_COUNTED_ROWS = 64
_HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
Integers = npt.NDArray[np.int64]
Column = npt.NDArray[Any]


class Repetitions(NamedTuple):
    """Distinct rows among many.

    Attributes:
        first: The position at which each distinct row occurs first.
        counts: How often each occurs.
    """

    first: Integers
    counts: list[int]


def repetitions(columns: Sequence[Column]) -> Repetitions | None:
    """The distinct rows, bit for bit, of a table given by its columns.

    None where there are few rows, or where most of them differ.
    """
    size = columns[0].size
    if size < MIN_COUNTED_ROWS:
        return None
    columns = [np.ascontiguousarray(column) for column in columns]
    _, first, codes, counts = np.unique(
        _hashed(columns), return_index=True, return_inverse=True, return_counts=True
    )
    if first.size > size // 2 or not _equal_rows(columns, first[codes]):
        return None
    return Repetitions(first, counts.tolist())


def distinct_rows(arguments: Arguments, scores: str) -> tuple[Arguments, list[int]] | None:
    """The arguments with each distinct row of `scores` and its label once, and how often each occurs.

    None where there are few rows, or where most of them differ.

    Args:
        arguments: Completed arguments of a loss over classes.
        scores: The name of the first input.
    """
    labels = np.asarray(arguments["target"])
    if labels.dtype.kind == "f" or labels.size < MIN_COUNTED_ROWS:
        return None
    matrix = class_rows(np.asarray(arguments[scores], np.float64))
    flat = labels.ravel().astype(np.int64)
    rows = repetitions([flat, *matrix.T])
    if rows is None:
        return None
    return {**arguments, scores: matrix[rows.first], "target": flat[rows.first]}, rows.counts


def _hashed(columns: Sequence[Column]) -> npt.NDArray[np.uint64]:
    """A word a row, the same for the same bits."""
    words = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        words = (words ^ (words >> np.uint64(29)) ^ column.view(np.uint64)) * _HASH_MULTIPLIER
    return words


def _equal_rows(columns: Sequence[Column], counted_with: Integers) -> bool:
    """Whether each row is bit for bit the row that it is counted with."""
    bits = (column.view(np.uint64) for column in columns)
    return all(np.array_equal(column, column[counted_with]) for column in bits)


def reduced_by_counts(
    terms: Sequence[Ball], counts: Sequence[int], reduction: object, divisor: Ball
) -> list[Ball]:
    """The sum of the terms, each as often as its count, or that sum over `divisor`."""
    with wide():
        whole = exact_sum([product(ball(count), term) for count, term in zip(counts, terms, strict=True)])
        return [whole if reduction == "sum" or divisor == ONE else quotient(whole, divisor)]


def divisor_by_counts(
    labels: Sequence[int | None], counts: Sequence[int], weights: Sequence[Ball], arguments: Arguments
) -> Ball:
    """Divisor of a mean over labelled rows, each of which counts so often (`classes.label_divisor`)."""
    counted = [(label, count) for label, count in zip(labels, counts, strict=True) if label is not None]
    if arguments["weight"] is None:
        return ball(sum(count for _, count in counted))
    with wide():
        return exact_sum([product(ball(count), weights[label]) for label, count in counted])
