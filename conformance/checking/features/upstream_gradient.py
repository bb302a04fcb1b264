"""Upstream gradient: whether a function's gradients are what they would be if it were all ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.operations import OPERATIONS

Row = Mapping[str, Any]

#: Ratios of exact to observed that differ by less from an upstream gradient are that.
_TOLERANCE = 0.02
#: Checks that have to show it, and the share of those that can.
_MIN_CHECKS, _MIN_SHARE = 3, 0.8


def leaves_out_upstream(rows: Sequence[Row], cases: Mapping[str, Case]) -> bool:
    """Whether exact over observed is the worst element's own upstream gradient in nearly every check.

    Args:
        rows: Failing checks of gradients.
        cases: The cases by their ids.
    """
    shows = [shown for row in rows if (shown := _shows(row, cases[row["case"]])) is not None]
    return len(shows) >= _MIN_CHECKS and sum(shows) >= _MIN_SHARE * len(shows)


def _shows(row: Row, case: Case) -> bool | None:
    """Whether one check shows it; None where it cannot."""
    if not row["observed"] or not row["exact"] or not row["worst_index"]:
        return None
    observed, exact = float(row["observed"]), float(row["exact"])
    if not (np.isfinite([observed, exact]).all() and observed and exact):
        return None
    shape = OPERATIONS[case.operation].result_shape(case.arguments(row["dtype"]))
    flow = np.asarray(case.flow(row["dtype"], shape))
    factors = list(_own(flow, row["worst_index"]))
    if not factors:
        return None
    factors += [factor / rows for factor in factors for rows in _rows_of_mean(case, row["dtype"])]
    return any(abs(exact / observed / factor - 1) < _TOLERANCE for factor in factors)


def _rows_of_mean(case: Case, dtype: str) -> Iterator[int]:
    """The number of rows of a mean, which divides the upstream gradient of each of them."""
    target = case.arguments(dtype).get("target")
    if case.arguments(dtype).get("reduction") == "mean" and isinstance(target, np.ndarray) and target.size:
        yield target.size


def _own(flow: np.ndarray[Any, Any], worst_index: str) -> Iterator[float]:
    """The upstream gradients that may belong to an element: of its own place, or of its row."""
    index = tuple(json.loads(worst_index))
    places = {index} if flow.ndim == len(index) else {()} if not flow.ndim else set()
    if flow.ndim and flow.ndim == len(index) - 1:
        places = {index[:axis] + index[axis + 1 :] for axis in range(len(index))}
    for place in places:
        inside = all(at < length for at, length in zip(place, flow.shape, strict=True))
        if inside and flow[place] not in (0, 1):
            yield float(flow[place])
