"""The smallest input of a finding: the worst element's row alone, run again through every subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import conformance
from conformance.cases.case import Case
from conformance.checking.smallest_row import cut_out

Row = Mapping[str, Any]
CHECK = ["case", "subject", "formulation", "quantity", "dtype"]


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
