"""The smallest input of a finding: the worst element's row alone, run again through every subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import conformance
from conformance.cases.case import Case
from conformance.cases.tensors.values import Literal

Row = Mapping[str, Any]
ELEMENTWISE = ("sigmoid", "log_sigmoid", "binary_cross_entropy", "binary_cross_entropy_with_logits")
CHECK = ["case", "subject", "formulation", "quantity", "dtype"]


def cut_out(row: Row, case: Case) -> Case | None:
    """The case of the worst element (its row of classes) alone; None where it cannot be cut out."""
    arguments = case.arguments(str(row["dtype"]))
    positions = str(row["worst_index"]).strip("[]").split(",")
    index = [int(position) for position in positions if position.strip().isdigit()]
    tensors = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    first = tensors[next(iter(case.inputs))]
    if not index or first.size < 2 or arguments.get("reduction", "none") != "none" or case.layout:
        return None
    if case.operation in ELEMENTWISE:
        if any(value.shape != first.shape for value in tensors.values()):
            return None
        cut = {name: value[tuple(index)].reshape(1) for name, value in tensors.items()}
    elif first.ndim == 2 and first.shape[0] > 1 and arguments.get("axis", -1) in (-1, 1):
        single = slice(index[0], index[0] + 1)
        cut = {name: value[single] if name in case.inputs else value for name, value in tensors.items()}
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
        _built={},
    )


def smallest(
    examples: Sequence[Row], cases: Mapping[str, Case], subjects: Sequence[str]
) -> list[tuple[Row, Case, list[Row]]]:
    """For each example the check that shows the deviation on the smallest input: itself, or a row of it.

    With the check come its case and what every subject returned on it. A row that is cut out of a case
    counts only if the same subject deviates on it for the same reason, run again.
    """
    cuts = {}
    for number, row in enumerate(examples):
        case = cut_out(row, cases[row["case"]])
        if case is not None:
            cuts[number] = replace(case, id=f"{case.id}#{number}", _built={})
    frame = conformance.run(cases=list(cuts.values()), subjects=subjects).frame
    results: list[tuple[Row, Case, list[Row]]] = []
    for number, row in enumerate(examples):
        case = cuts.get(number)
        rerun = [] if case is None else frame[frame["case"] == case.id].to_dict("records")
        same = [again for again in rerun if all(again[name] == row[name] for name in CHECK[1:])]
        if case is not None and same and same[0]["known"] == row["known"]:
            check = [again for again in rerun if all(again[name] == row[name] for name in CHECK[2:])]
            results.append(({**same[0], "case": row["case"]}, case, check))
        else:
            results.append((row, cases[row["case"]], []))
    return results
