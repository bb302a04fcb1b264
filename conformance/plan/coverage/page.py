"""Coverage table as Markdown and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases.models import DTYPES
from conformance.operations import OPERATIONS
from conformance.plan.coverage.arrays import covering_arrays
from conformance.plan.coverage.axes import declared
from conformance.plan.coverage.cells import OperationCoverage
from conformance.plan.coverage.reasons import Empty
from conformance.plan.coverage.table import CROSSED, Table
from conformance.plan.coverage.unmet_pairs import grouped, unmet

#: Kinds of quantities: columns of an operation's table, beside the dtypes.
_KINDS = ("value", "gradient", "second", "jvp")
_HEAD = """# What the corpus covers: profile `{profile}`

<!-- Written by `conformance coverage --profile {profile}`: do not edit. -->

{checks:,} checks a subject, of {cases:,} cases. A cell is a class on an axis: how many checks fall into it,
by dtype and by quantity. A check may fall into several classes of an axis (a row with a mask and ties), and a
cell without checks has its reason. The numbers are those of one subject; what each is asked stands below.
Calls that expect an error are counted by dtype, formulation and quantity alone.
"""


def markdown(table: Table) -> str:
    """The table as a page.

    Args:
        table: the coverage of a profile.
    """
    cases = sum(each.checks["case"].nunique() for each in table.operations)
    checks = sum(len(each.checks) for each in table.operations)
    sections = [
        _HEAD.format(profile=table.profile, checks=checks, cases=cases),
        "## Subjects\n\n" + _subjects(table),
        "## Left out of this profile\n\n" + _left_out(table),
        "## Covering arrays\n\n" + _arrays(table),
        "## Pairs and triples\n\n" + _crossings(table),
        *(f"## {each.operation}\n\n" + "\n".join(_operation(each, table)) for each in table.operations),
    ]
    return "\n".join(section.rstrip("\n") + "\n" for section in sections)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table: the columns behind the first two are numbers."""
    lines = [heads, ["---"] * min(2, len(heads)) + ["---:"] * (len(heads) - 2), *rows]
    texts = [[f"{each:,}" if isinstance(each, int) else str(each) for each in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in texts) + "\n"


def _subjects(table: Table) -> str:
    wide = table.subjects.pivot_table(index="operation", columns="subject", values="checks", sort=False)
    rows = [[f"`{name}`", "", *(int(number) for number in numbers)] for name, numbers in
            zip(wide.index, wide.to_numpy(), strict=True)]  # fmt: skip
    return _grid(["operation", "", *(f"`{name}`" for name in wide.columns)], rows)


def _left_out(table: Table) -> str:
    if not table.left_out:
        return "Nothing.\n"
    rows = [[each.what, each.reason, each.checks] for each in table.left_out]
    return _grid(["what", "reason", "checks"], rows)


def _arrays(table: Table) -> str:
    arrays = covering_arrays()
    without = [each.operation for each in table.operations if each.operation not in
               {array.operation for array in arrays}]  # fmt: skip
    cases = {each.operation: each.checks["case"] for each in table.operations}
    rows = [
        [
            f"`{array.operation}`",
            f"`{array.entry}`: {', '.join(array.axes)}",
            array.strength,
            sum(name.startswith(f"{array.entry}[") for name in cases[array.operation].unique()),
        ]
        for array in arrays
    ]
    return (
        "Every combination of options of so many axes as the strength says is in a case, unless it cannot.\n"
        f"Without an array: {', '.join(f'`{name}`' for name in without) or 'none'}.\n\n"
        + _grid(["operation", "array: axes", "strength", "cases"], rows)
    )


def _crossings(table: Table) -> str:
    rows = []
    total = [0, 0]
    for each in table.operations:
        excused = table.excused(each.operation)
        pairs = [count for first, second, count in each.pairs() if frozenset((first, second)) not in excused]
        covered, possible = each.triples(CROSSED, excused)
        total = [total[0] + covered, total[1] + possible]
        met = sum(count > 0 for count in pairs)
        rows.append([f"`{each.operation}`", "", met, len(pairs), len(excused), covered, possible])
    heads = ["operation", "", "pairs met", "possible", "cannot meet", "triples met", "possible"]
    return (
        "Two classes of different axes cannot meet where the file of reasons says so; a triple is possible\n"
        f"unless two of its classes cannot. Triples are counted over these axes: {', '.join(CROSSED)}.\n"
        "Pairs that no check meets stand below each operation's table; how many are met may only grow.\n"
        f"Of {total[1]:,} triples {total[0]:,} are met ({total[0] / max(total[1], 1):.0%}): an array meets\n"
        "those of its own axes' options, and the axes here have more classes. No triple needs a reason.\n\n"
        + _grid(heads, rows)
    )


def _operation(coverage: OperationCoverage, table: Table) -> Iterator[str]:
    dtypes, kinds = _columns(coverage)
    answered = table.answered(coverage)
    rows: list[list[object]] = []
    order = {axis: index for index, axis in enumerate(declared(OPERATIONS[coverage.operation]))}
    numbered = sorted(enumerate(coverage.singles()), key=lambda item: order.get(item[1][0][0], len(order)))
    for column, ((axis, name), count) in numbered:
        if axis != "dtype":
            split = [int(number[column]) for number in (*dtypes, *kinds)]
            rows.append([axis, name, count, *split, *(numbers[column] for numbers in answered.values())])
    heads = ["axis", "class", "checks", *DTYPES, *_KINDS, *(f"`{name}` answered" for name in answered)]
    yield _grid(heads, rows)
    empty = [each for each in table.empty if each.operation == coverage.operation]
    if empty:
        yield "Empty:\n"
        yield from _reasons(empty)
        yield ""
    pairs = unmet(coverage, table.excused(coverage.operation))
    if pairs:
        yield f"<details><summary>{len(pairs):,} pairs of classes that no check meets</summary>\n"
        yield from grouped(pairs)
        yield "\n</details>\n"


def _columns(coverage: OperationCoverage) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
    """How many checks of each cell are of each dtype, and of each kind of quantity."""
    checks, matrix = coverage.checks, coverage.matrix
    kinds = checks["quantity"].str.partition(":")[0]

    def counted(mask: Any) -> npt.NDArray[Any]:
        return np.asarray(mask, np.float32) @ matrix

    return [counted(checks["dtype"] == name) for name in DTYPES], [counted(kinds == name) for name in _KINDS]


def _reasons(empty: Sequence[Empty]) -> Iterator[str]:
    """The empty cells by their reasons, those without one first."""

    def text(each: Empty) -> str:
        if each.reason is None:
            return "**no reason**"
        covered = each.reason.covered
        by = "" if covered is None else "; covered by {}: `{}`".format(
            " ".join(next(iter(covered.by.items()))), covered.test
        )  # fmt: skip
        return each.reason.reason + by

    ordered = sorted(empty, key=lambda each: (each.reason is not None, text(each)))
    for reason, together in groupby(ordered, key=text):
        cells = [" with ".join(f"{axis} *{name}*" for axis, name in each.cells) for each in together]
        yield f"- {'; '.join(cells)}: {reason}"


def json_object(table: Table) -> dict[str, Any]:
    """The table as plain data: every cell, the empty pairs, the counts of pairs and triples.

    Args:
        table: the coverage of a profile.
    """
    return {
        "profile": table.profile,
        "checks": sum(len(each.checks) for each in table.operations),
        "subjects": table.subjects.to_dict("records"),
        "left_out": [
            {"what": each.what, "checks": each.checks, "reason": each.reason} for each in table.left_out
        ],
        "operations": [_operation_object(each, table) for each in table.operations],
    }


def _operation_object(coverage: OperationCoverage, table: Table) -> dict[str, Any]:
    excused = table.excused(coverage.operation)
    covered, possible = coverage.triples(CROSSED, excused)
    dtypes, kinds = _columns(coverage)
    answered = table.answered(coverage)
    reasons = {each.cells: each.reason for each in table.empty if each.operation == coverage.operation}
    cells: list[dict[str, Any]] = []
    for column, (cell, count) in enumerate(coverage.singles()):
        numbers = [int(number[column]) for number in (*dtypes, *kinds)]
        entry = {"axis": cell[0], "class": cell[1], "checks": count}
        entry |= dict(zip((*DTYPES, *_KINDS), numbers, strict=True))
        if answered:
            entry["answered"] = {subject: counts[column] for subject, counts in answered.items()}
        if (cell,) in reasons:
            reason = reasons[cell,]
            entry["reason"] = None if reason is None else reason.reason
        cells.append(entry)
    pairs = [
        {"cells": [list(cell) for cell in cells_of], "reason": None if reason is None else reason.reason}
        for cells_of, reason in reasons.items()
        if len(cells_of) == 2
    ]
    return {
        "operation": coverage.operation,
        "checks": len(coverage.checks),
        "cells": cells,
        "pairs": {"possible": len(list(coverage.pairs())) - len(excused), "empty": pairs},
        "triples": {"covered": covered, "possible": possible},
    }
