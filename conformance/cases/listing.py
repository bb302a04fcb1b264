"""Lists of what there is: cases, operations, subjects, relations; as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.cases.parts import part_ids
from conformance.errors import RunError
from conformance.operations import OPERATIONS, no_operation
from conformance.subjects.subject import frameworks, install_hint, installed, installed_version

Row = dict[str, Any]
_HEADS = {"modes": "modes (default first)", "variants": "kernel variants"}


def show(
    what: str,
    paths: Sequence[str],
    console: Console,
    operations: Sequence[str] = (),
    tags: Sequence[str] = (),
    as_json: bool = False,
) -> None:
    """Prints one of the lists; no framework is imported.

    Args:
        what: ``cases``, ``operations``, ``subjects`` or ``relations``.
        paths: Case files or folders; none: the suite's own corpus.
        console: Where it is printed.
        operations: Only what is of these operations; none: all.
        tags: Only cases with one of these tags; none: all.
        as_json: Whether to print one array of objects in the table's place.

    Raises:
        RunError: There is no such operation, or the list knows no operations or tags.
    """
    for name in operations:
        if name not in OPERATIONS:
            raise RunError(f"--operation {name}: {no_operation(name)}")
    if tags and what != "cases":
        raise RunError(f"--tag: only cases have tags, not {what}")
    if operations and what == "subjects":
        raise RunError("--operation: subjects are of no operation")

    def cases() -> list[Case]:
        return [
            case
            for case in load_cases([Path(path) for path in paths] or None)
            if (not operations or case.operation in operations) and (not tags or set(tags) & set(case.tags))
        ]

    make = {"cases": _cases, "operations": _operations, "subjects": _subjects, "relations": _relations}[what]
    rows = [row for row in make(cases) if not operations or row["operation"] in operations]
    if as_json:
        console.print(json.dumps(rows, indent=2), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table(*(_HEADS.get(name, name) for name in (rows[0] if rows else ())))
    for row in rows:
        table.add_row(*(escape(_cell(name, value)) for name, value in row.items()))
    console.print(table)
    if what == "subjects":
        console.print(_mode_table())
    console.print(f"{len(rows)} {what if len(rows) != 1 else what[:-1]}")


def _mode_table() -> Table:
    """Every mode of every framework: what it does, and what it cannot do."""
    table = Table("subject", "what it does", "what it cannot do")
    for framework in FRAMEWORKS:
        for mode in description(framework).modes:
            cells = f"{framework}:{mode.name}", mode.line, "; ".join(mode.cannot)
            table.add_row(*map(escape, cells))
    return table


def _cell(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={default}" for key, default in value.items())
    return (
        " ".join(f"/{each}" if name == "variants" else each for each in value)
        if isinstance(value, list)
        else value
    )


def _cases(cases: Callable[[], list[Case]]) -> Iterator[Row]:
    for case in cases():
        yield {
            "case": case.id,
            "operation": case.operation,
            "dtypes": list(case.dtypes),
            "tags": list(case.tags),
            "source": case.source,
            "why": case.why,
        }


def _operations(_: Callable[[], list[Case]]) -> Iterator[Row]:
    for name, operation in OPERATIONS.items():
        yield {
            "operation": name,
            "inputs": [item.name for item in operation.inputs],
            "parameters": {item.name: item.default for item in operation.parameters},
            "formulations": list(operation.formulations),
        }


def _subjects(_: Callable[[], list[Case]]) -> Iterator[Row]:
    for name in frameworks():
        hint, described = install_hint(name), description(name)
        yield {
            "subject": name,
            "version": installed_version(name) if installed(name) else "",
            "modes": list(described.mode_names),
            "variants": [variant.name for variant in described.variants],
            "here": "installed" if installed(name) else f"missing: {hint}" if hint else "missing",
        }


def _relations(cases: Callable[[], list[Case]]) -> Iterator[Row]:
    for name, operation in OPERATIONS.items():
        for relation in operation.relations:
            yield {
                "operation": name,
                "relation": relation.name,
                "left": relation.left,
                "right": relation.right,
                "claim": relation.claim,
            }
    for case in cases():
        if case.equals is not None:
            yield {
                "operation": case.operation,
                "relation": case.equals.relation,
                "left": case.id,
                "right": case.equals.case,
                "claim": case.why,
            }
        if case.parts is not None:
            yield {
                "operation": case.operation,
                "relation": case.parts.relation,
                "left": case.id,
                "right": " ".join(part_ids(case)),
                "claim": case.why,
            }
