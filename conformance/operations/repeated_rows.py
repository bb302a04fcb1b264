"""Rows that are alike, counted: a loss over millions of rows costs what its distinct rows cost.

The sum of the terms' midpoints is exact either way, so that the result is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ONE, Ball, ball, exact_sum, product, quotient, wide
from conformance.operations.base import Arguments
from conformance.operations.classes import class_rows

#: Fewer rows than this are added up one by one.
MANY = 64
_ODD = np.uint64(0x9E3779B97F4A7C15)
Integers = npt.NDArray[np.int64]
Column = npt.NDArray[Any]


def distinct(columns: Sequence[Column]) -> tuple[Integers, list[int]] | None:
    """The first row of each kind that these columns hold, bit for bit, and how many there are of it.

    None where there are few rows, or where most of them differ.
    """
    size = columns[0].size
    if size < MANY:
        return None
    columns = [np.ascontiguousarray(column) for column in columns]
    _, first, kind, counts = np.unique(
        _hashed(columns), return_index=True, return_inverse=True, return_counts=True
    )
    if first.size > size // 2 or not _same(columns, first[kind]):
        return None
    return first, counts.tolist()


def distinct_rows(arguments: Arguments, scores: str) -> tuple[Arguments, list[int]] | None:
    """The arguments with each distinct row of `scores` and its label once, and how often each occurs.

    None where there are few rows, or where most of them differ.
    """
    labels = np.asarray(arguments["target"])
    if labels.dtype.kind == "f" or labels.size < MANY:
        return None
    matrix = class_rows(np.asarray(arguments[scores], np.float64))
    flat = labels.ravel().astype(np.int64)
    found = distinct([flat, *matrix.T])
    return found and ({**arguments, scores: matrix[found[0]], "target": flat[found[0]]}, found[1])


def _hashed(columns: Sequence[Column]) -> npt.NDArray[np.uint64]:
    """A word a row, the same for the same bits."""
    words = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        words = (words ^ (words >> np.uint64(29)) ^ column.view(np.uint64)) * _ODD
    return words


def _same(columns: Sequence[Column], of: Integers) -> bool:
    """Whether each row is bit for bit the row that it is counted with."""
    bits = (column.view(np.uint64) for column in columns)
    return all(np.array_equal(column, column[of]) for column in bits)


def reduced_alike(
    terms: Sequence[Ball], counts: Sequence[int], reduction: object, divisor: Ball
) -> list[Ball]:
    """The sum of the terms, each as often as its count, or that sum over `divisor`."""
    with wide():
        whole = exact_sum([product(ball(count), term) for count, term in zip(counts, terms, strict=True)])
        return [whole if reduction == "sum" or divisor == ONE else quotient(whole, divisor)]


def divisor_alike(
    labels: Sequence[int | None], counts: Sequence[int], weights: Sequence[Ball], arguments: Arguments
) -> Ball:
    """What a mean over labelled rows is divided by (`classes.label_divisor`)."""
    held = [(label, count) for label, count in zip(labels, counts, strict=True) if label is not None]
    if arguments["weight"] is None:
        return ball(sum(count for _, count in held))
    with wide():
        return exact_sum([product(ball(count), weights[label]) for label, count in held])
