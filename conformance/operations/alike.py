"""Rows that are alike, counted: a loss over millions of rows costs what its distinct rows cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ONE, Ball, ball, exact_sum, product, quotient, wide
from conformance.operations.base import Arguments
from conformance.operations.classes import class_rows

#: Fewer rows than this are added up one by one.
MANY = 1 << 16
_ODD = np.uint64(0x9E3779B97F4A7C15)
Integers = npt.NDArray[np.int64]


def distinct(arguments: Arguments, scores: str) -> tuple[Arguments, list[int]] | None:
    """The arguments with each distinct row of `scores` and its label once, and how often each occurs.

    None where there are few rows, or where most of them differ.
    """
    labels = np.asarray(arguments["target"])
    if labels.dtype.kind == "f" or labels.size < MANY:
        return None
    matrix = class_rows(np.asarray(arguments[scores], np.float64))
    flat = labels.ravel().astype(np.int64)
    _, first, group, counts = np.unique(
        _hashed(matrix, flat), return_index=True, return_inverse=True, return_counts=True
    )
    if first.size > flat.size // 16 or not _same(matrix, flat, first[group]):
        return None
    return {**arguments, scores: matrix[first], "target": flat[first]}, [int(count) for count in counts]


def _hashed(matrix: npt.NDArray[np.float64], labels: Integers) -> npt.NDArray[np.uint64]:
    """A word a row, the same for the same bits."""
    words = labels.view(np.uint64) * _ODD
    for column in np.ascontiguousarray(matrix.T):
        words = (words ^ (words >> np.uint64(29)) ^ column.view(np.uint64)) * _ODD
    return words


def _same(matrix: npt.NDArray[np.float64], labels: Integers, of: Integers) -> bool:
    """Whether each row is bit for bit the row that it is counted with."""
    bits = matrix.view(np.uint64)
    return all(np.array_equal(column, column[of]) for column in (labels.view(np.uint64), *bits.T))


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
