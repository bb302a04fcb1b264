"""What `conformance list` shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.adapters.registry import description
from conformance.cases.loader import load_cases
from conformance.operations import OPERATIONS
from conformance.subjects.subject import frameworks, install_hint, installed


def show(what: str, paths: Sequence[str], console: Console) -> None:
    """Prints one of the lists; no framework is imported."""
    rows = {"cases": _cases, "operations": _operations, "subjects": _subjects, "relations": _relations}[what](
        paths
    )
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    console.print(f"{len(rows) - 1} {what}")


def _cases(paths: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("case", "operation", "dtypes", "tags", "source", "why")]
    for case in load_cases([Path(path) for path in paths] or None):
        rows.append(
            (case.id, case.operation, " ".join(case.dtypes), " ".join(case.tags), case.source, case.why)
        )
    return rows


def _operations(_: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("operation", "inputs", "parameters", "formulations")]
    for name, operation in OPERATIONS.items():
        inputs = " ".join(item.name for item in operation.inputs)
        parameters = " ".join(f"{item.name}={item.default}" for item in operation.parameters)
        rows.append((name, inputs, parameters, " ".join(operation.formulations)))
    return rows


def _subjects(_: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("subject", "modes (default first)", "kernel variants", "here")]
    for name in frameworks():
        hint = install_hint(name)
        here = "installed" if installed(name) else f"missing: {hint}" if hint else "missing"
        described = description(name)
        variants = " ".join(f"/{variant.name}" for variant in described.variants)
        rows.append((name, " ".join(described.modes), variants, here))
    return rows


def _relations(paths: Sequence[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("operation", "relation", "left", "right", "claim")]
    for name, operation in OPERATIONS.items():
        rows += [
            (name, relation.name, relation.left, relation.right, relation.claim)
            for relation in operation.relations
        ]
    for case in load_cases([Path(path) for path in paths] or None):
        if case.equals is not None:
            rows.append((case.operation, case.equals.relation, case.id, case.equals.case, case.why))
    return rows
