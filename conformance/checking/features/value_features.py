"""Value features: what is special about the numbers of a check's inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.operations import OPERATIONS

Array = npt.NDArray[Any]
Arguments = Mapping[str, Any]

#: From these scores on exp overflows; half types are computed in float32.
OVERFLOWING_SCORE = {"float16": 88.0, "bfloat16": 88.0, "float32": 88.0, "float64": 709.0}
#: Below these a number is subnormal, or within a factor of 2^4 of it.
_SMALLEST_NORMAL = {"float16": 2.0**-10, "bfloat16": 2.0**-122, "float32": 2.0**-122, "float64": 2.0**-1018}
#: Of inputs with more elements the values are not read.
_MAX_READ_ELEMENTS = 1 << 20
#: A running maximum that starts at a finite number, as -30,000, is wrong for rows below it.
_FINITE_START = 10_000.0
#: A sigmoid of a score beyond this is within the rounding of a half type of 0 or 1.
_TAIL_SCORE = 12.0
#: The probabilities of a row sum to one but for this, in bfloat16.
_UNNORMALISED = 2.0**-5
#: From here on 1 + exp(-x) loses digits of exp(-x) in float32.
_CONFIDENT_SCORE = 8.0


def of_values(operation: str, arguments: Arguments, axis: int, dtype: str, by_element: bool) -> Iterator[str]:
    """The features of the values of an operation's inputs, whose classes lie along `axis`.

    Args:
        operation: The operation's name.
        arguments: Its inputs and parameters, rounded to the dtype.
        axis: The axis of the classes.
        dtype: The dtype of the check.
        by_element: Whether targets belong to elements, and there are no classes.
    """
    first = arguments[OPERATIONS[operation].inputs[0].name]
    if first.dtype.kind != "f" or not first.size or first.size > _MAX_READ_ELEMENTS:
        return
    if np.isnan(first).any():
        yield "nan"
    if np.isposinf(first).any():
        yield "infinity"
    if np.isneginf(first).any():
        yield "masked"
    if ((first != 0) & (np.abs(first) < _SMALLEST_NORMAL[dtype])).any():
        yield "subnormal"
    if operation == "binary_cross_entropy":
        yield from _of_probabilities(first)
        return
    yield from _of_scores(first)
    overflows = bool((np.where(np.isfinite(first), first, 0.0) > OVERFLOWING_SCORE[dtype]).any())
    if operation in ("sigmoid", "log_sigmoid") or by_element:
        if overflows:
            yield "exp overflows"
        yield from _of_tails(first)
        yield from _of_binary_scores(first, arguments)
        return
    if overflows:
        yield "overflow"
    if (np.abs(first[np.isfinite(first)]) > _TAIL_SCORE).any():
        yield "large scores"
    if first.ndim:
        sums = np.exp(first).sum(axis=axis)
        if operation == "nll_loss" and (np.abs(sums - 1) > _UNNORMALISED).any():
            yield "rows unnormalised"
        rows = np.moveaxis(first, axis, -1)
        of_rows = list(_of_rows(rows, dtype))
        yield from of_rows
        if overflows or "rows far below" in of_rows:
            yield "unshifted"
        yield from _of_label_scores(rows, arguments)


def _of_probabilities(first: Array) -> Iterator[str]:
    if ((first < 0) | (first > 1)).any():
        yield "probability outside"
    if ((first < 1e-3) | (first > 1 - 1e-3)).any():
        yield "edge"
    if ((first == 0) | (first == 1)).any():
        yield "edge exact"


def _of_binary_scores(first: Array, arguments: Arguments) -> Iterator[str]:
    """Features of scores beside hard targets of the same shape."""
    target = arguments.get("target")
    if not isinstance(target, np.ndarray) or target.shape != first.shape:
        return
    towards = np.where(target == 1, first, np.where(target == 0, -first, 0.0))
    if (towards > _CONFIDENT_SCORE).any():
        yield "confident"
    if (towards < -_CONFIDENT_SCORE).any():
        yield "mistaken"


def _of_tails(first: Array) -> Iterator[str]:
    finite = np.where(np.isfinite(first), first, 0.0)
    if finite.max() > _TAIL_SCORE:
        yield "upper tail"
    if finite.min() < -_TAIL_SCORE:
        yield "lower tail"
    if np.abs(finite).max() > _TAIL_SCORE:
        yield "tail"


def _of_scores(first: Array) -> Iterator[str]:
    finite = np.where(np.isfinite(first), first, 0.0)
    if (first == 0).any():
        yield "zero"
    if np.abs(finite).max() > 1000:
        yield "large"


def _of_rows(rows: Array, dtype: str) -> Iterator[str]:
    if not rows.shape[-1]:
        return
    if np.isneginf(rows).all(axis=-1).any():
        yield "row masked"
    if np.isinf(rows).all(axis=-1).any():
        yield "all infinite"
    highest = np.where(np.isfinite(rows), rows, -np.inf).max(axis=-1)
    lowest = np.where(np.isfinite(rows), rows, np.inf).min(axis=-1)
    some = np.isfinite(highest)
    if not some.any():
        return
    spread = (highest - lowest)[some]
    if np.ptp(highest[some]) > 80:
        yield "rows apart"
    if (np.abs(highest[some]) > 8 * (spread + 1)).any():
        yield "offset"
    if highest[some].min() < -OVERFLOWING_SCORE[dtype]:
        yield "rows far below"
    if highest[some].min() < -_FINITE_START:
        yield "rows below -10,000"
    for threshold, name in ((12, "gap"), (30, "gap above 30"), (80, "gap above 80")):
        if spread.max() > threshold:
            yield name
    if rows.shape[-1] > 1:
        yield from _of_order(rows[some], spread)


def _of_order(rows: Array, spread: Array) -> Iterator[str]:
    """Features of how the scores of rows of two and more lie to their maximum."""
    second, top = np.partition(np.where(np.isnan(rows), -np.inf, rows), -2, axis=-1)[..., -2:].T
    if (second == top).any():
        yield "ties"
    if (spread == 0).any() and (second == top).any():
        yield "equal scores"
    finite = np.isfinite(top)
    if (np.isfinite(second) & finite & (top - second > _TAIL_SCORE)).any():
        yield "dominant"
    if (finite & (top - rows[..., 0] > _TAIL_SCORE)).any():
        yield "later maximum"


def _of_label_scores(rows: Array, arguments: Arguments) -> Iterator[str]:
    """Features of the label's own score, where each row has a label."""
    target = arguments.get("target")
    if not isinstance(target, np.ndarray) or target.dtype.kind == "f" or target.shape != rows.shape[:-1]:
        return
    inside = (target >= 0) & (target < rows.shape[-1]) & (target != arguments.get("ignore_index", -100))
    if not inside.any() or rows.shape[-1] < 2:
        return
    chosen, labels = rows[inside], target[inside]
    score = np.take_along_axis(chosen, labels[:, None], axis=-1)[:, 0]
    others = chosen.copy()
    np.put_along_axis(others, labels[:, None], -np.inf, axis=-1)
    other = others.max(axis=-1)
    if np.isneginf(score).any():
        yield "label masked"
    if (score - other > _TAIL_SCORE).any():
        yield "label dominant"
    if (np.isfinite(score) & (other - score > _TAIL_SCORE)).any():
        yield "label far below"
