"""Smallest input of a check: the case of its worst element alone, or of that element's row of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.cases.tensors.values import Literal

Row = Mapping[str, Any]
#: Operations whose rows are no functions of one row each: every query meets all keys.
OF_ALL_ROWS = ("attention",)
ELEMENTWISE = ("sigmoid", "log_sigmoid", "binary_cross_entropy", "binary_cross_entropy_with_logits")


def cut_out(row: Row, case: Case) -> Case | None:
    """The case of the worst element (its row of classes) alone; None where it cannot be cut out."""
    arguments = case.arguments(str(row["dtype"]))
    positions = str(row["worst_index"]).strip("[]").split(",")
    index = [int(position) for position in positions if position.strip().isdigit()]
    tensors = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    first = tensors[next(iter(case.inputs))]
    if not index or first.size < 2 or arguments.get("reduction", "none") != "none" or case.layout:
        return None
    if case.operation in OF_ALL_ROWS:
        return None
    if case.operation in ELEMENTWISE:
        if any(value.shape != first.shape for value in tensors.values()):
            return None
        cut = {name: value[tuple(index)].reshape(1) for name, value in tensors.items()}
    elif first.ndim == 2 and first.shape[0] > 1 and arguments.get("axis", -1) in (-1, 1):
        single = slice(index[0], index[0] + 1)
        rows = {name for name, value in tensors.items() if name in case.inputs or value.shape == first.shape}
        cut = {name: value[single] if name in rows else value for name, value in tensors.items()}
    else:
        return None
    literals = {name: Literal(value.shape, value.dtype.kind in "iu", value) for name, value in cut.items()}
    return replace(
        case,
        inputs={name: literals[name] for name in case.inputs},
        parameters={name: literals.get(name, value) for name, value in case.parameters.items()},
        dtypes=(str(row["dtype"]),),
        tags=(),
        expect="value",
        printed=None,
        decimals=None,
        upstream=None,
        equals=None,
        parts=None,
        _built={},
    )
