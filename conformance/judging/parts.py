"""Wholes from their parts: sums over micro-batches, and shards of the classes (vocabulary-parallel).

What a subject returned for the parts is combined in the widest floating type and rounded once; the bounds
of the parts are carried through the combination to first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.cases.parts import is_split, sizes

Wide = npt.NDArray[np.longdouble]
#: Roundings of the combination itself, each of the largest number in it.
_ROUNDINGS = 16


@dataclass(frozen=True)
class Part:
    """One part's results, of a subject or exact.

    Attributes:
        result: The quantity that is compared.
        error: The absolute error that its bound grants.
        value: The part's value.
        value_error: The absolute error that the value's bound grants.
    """

    result: Any
    error: Any
    value: Any
    value_error: Any


def combined(case: Case, dtype: str, quantity: str, parts: Sequence[Part]) -> tuple[Wide, Wide]:
    """The whole's quantity, and the absolute error that the parts' bounds and the combination grant.

    Args:
        case: The whole.
        dtype: Its dtype.
        quantity: `value` or a gradient.
        parts: The parts' results, in order.
    """
    assert case.parts is not None
    with np.errstate(all="ignore"):
        if case.parts.rows is not None:
            results, errors = ([_wide(item) for item in of] for of in _columns(parts))
            whole, error = _of_rows(case, quantity, results), _of_rows(case, quantity, errors)
            size = _of_rows(case, quantity, [np.abs(item) for item in results])
        else:
            whole, error, size = _of_classes(case, dtype, quantity, parts)
        return whole, error + _ROUNDINGS * np.finfo(np.longdouble).eps * size


def _columns(parts: Sequence[Part]) -> tuple[list[Any], list[Any]]:
    return [part.result for part in parts], [part.error for part in parts]


def _wide(array: Any) -> Wide:
    return np.asarray(array, np.longdouble)


def _of_rows(case: Case, quantity: str, results: Sequence[Wide]) -> Wide:
    """Rows one behind another; what has no rows, a reduced loss or the gradient of a head, is summed."""
    assert case.parts is not None
    name = quantity.partition(":")[2]
    by_row = results[0].ndim > 0 and (not name or is_split(case, name))
    whole: Wide = np.concatenate(results) if by_row else np.sum(np.stack(results), axis=0)
    return whole if case.parts.over is None else whole / np.longdouble(case.parts.over)


def _of_classes(case: Case, dtype: str, quantity: str, parts: Sequence[Part]) -> tuple[Wide, Wide, Wide]:
    """The whole, its error and the size of its terms, by the logarithms of the shards' sums.

    With L_s of a shard (its log-sum-exp; its loss plus the logit at its label), L = log sum exp L_s and
    w_s = exp(L_s - L): the value is L (less the logit at the label), and w_s scales a shard's gradient g p_s.
    """
    assert case.parts is not None
    arguments = case.arguments(dtype)
    scores = _wide(next(iter(arguments.values())))
    ends = np.cumsum([0, *sizes(case.parts)]).tolist()
    hot = _hot(arguments.get("target"), scores.shape)
    shards = [_wide(scores)[:, start:stop] for start, stop in pairwise(ends)]
    local = [_hot(_local(arguments.get("target"), start, stop), shard.shape)
             for (start, stop), shard in zip(pairwise(ends), shards, strict=True)]  # fmt: skip
    logs = np.stack([_wide(p.value) + (h * z).sum(1) for p, h, z in zip(parts, local, shards, strict=True)])
    errors = np.stack([_wide(part.value_error) for part in parts])
    top = logs.max(0)
    total = top + np.log(np.exp(logs - top).sum(0))
    shares = np.exp(logs - total)
    error = (shares * errors).sum(0)
    if quantity == "value":
        return total - (hot * scores).sum(1), error, np.abs(logs).max(0) + np.abs(hot * scores).sum(1)
    flow = _wide(case.flow(dtype, total.shape))[:, None]
    weighted = [
        (_wide(part.result) + flow * h, _wide(part.error), share[:, None], (own + error)[:, None])
        for part, h, share, own in zip(parts, local, shares, errors, strict=True)
    ]
    slopes = np.concatenate([share * slope for slope, _, share, _ in weighted], axis=1)
    grown = [share * (wrong + np.abs(slope) * relative) for slope, wrong, share, relative in weighted]
    # The exponential carries the rounding of what it is taken of.
    size = np.abs(slopes) * (1 + np.abs(logs).max(0) + np.abs(total))[:, None] + np.abs(flow * hot)
    return slopes - flow * hot, np.concatenate(grown, axis=1), size


def _local(labels: Any, start: int, stop: int) -> Any:
    """Labels as a shard has them; see `slices.LocalLabels`."""
    return None if labels is None else (labels - start) * ((labels >= start) & (labels < stop))


def _hot(labels: Any, shape: tuple[int, ...]) -> Wide:
    """1 at each row's label; zeros where there are no labels."""
    if labels is None:
        return np.zeros(shape, np.longdouble)
    hot: Wide = (np.arange(shape[1]) == np.asarray(labels)[:, None]).astype(np.longdouble)
    return hot
