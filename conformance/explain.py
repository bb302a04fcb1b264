"""One case, step by step: what each subject returns at every step, beside the exact digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance import engine
from conformance.case import Case, load_cases
from conformance.errors import RunError
from conformance.operations import OPERATIONS

#: The steps that lead to an operation, as the posts take them: (operation, inputs that it shares).
STEPS: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("softmax", "log_softmax"),
    "log_softmax": ("softmax",),
    "binary_cross_entropy_with_logits": ("sigmoid",),
    "log_sigmoid": ("sigmoid",),
}


def steps(case: Case) -> list[Case]:
    """The case itself behind the cases of the steps that lead to it, on its own logits."""
    first = case.inputs[OPERATIONS[case.operation].inputs[0].name]
    before = []
    for name in STEPS.get(case.operation, ()):
        operation = OPERATIONS[name]
        parameters = {"axis": 1} if any(one.name == "axis" for one in operation.parameters) else {}
        before.append(case.variant(f"{case.id}/{name}", name, {operation.inputs[0].name: first}, parameters))
    if case.operation == "cross_entropy" and case.parameters.get("reduction", "mean") != "none":
        before.append(
            case.variant(
                f"{case.id}/rows", "cross_entropy", case.inputs, {**case.parameters, "reduction": "none"}
            )
        )
    return [*before, case]


def explain(case_id: str, subjects: Sequence[str], paths: Sequence[str], console: Console) -> None:
    """Prints the steps of a case with every subject's digits; RunError if there is no such case."""
    import difflib

    cases = {case.id: case for case in load_cases([Path(path) for path in paths] or None)}
    if case_id not in cases:
        near = difflib.get_close_matches(case_id, cases, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `conformance list cases` shows them all"
        raise RunError(f"no case {case_id!r}{hint}")
    case = cases[case_id]
    chain = steps(case)
    run = engine.run(subjects=subjects, cases=chain)
    console.print(
        f"[bold]{escape(case.id)}[/]  {escape(case.file)}:{case.line}  source: {escape(case.source)}"
    )
    if case.why:
        console.print(escape(case.why))
    for name, value in case.arguments(case.dtypes[0]).items():
        if value is not None:
            console.print(f"  {name} = {escape(_shown(value))}")
    for position, step in enumerate(chain, 1):
        _print_step(position, step, run.frame[run.frame["case"] == step.id], console)


def _print_step(position: int, step: Case, frame: Any, console: Console) -> None:
    parameters = ", ".join(f"{name}={value}" for name, value in step.parameters.items())
    title = (
        f"[{position}] {step.operation}({', '.join(step.inputs)}{', ' + parameters if parameters else ''})"
    )
    if step.printed is not None:
        title += f"   printed: {step.printed}"
    table = Table(title=escape(title), title_justify="left")
    for name in (
        "quantity",
        "dtype",
        "formulation",
        "subject",
        "observed (worst)",
        "exact there",
        "ulps",
        "bound",
        "verdict",
    ):
        table.add_column(name, justify="right" if name in ("ulps", "bound") else "left")
    for row in frame.to_dict("records"):
        if row["verdict"] == "unsupported":
            continue
        cells = (
            row["quantity"],
            row["dtype"],
            row["formulation"],
            row["subject"],
            row["observed"],
            row["exact"],
        )
        figures = (_figure(row["ulp_error"]), _figure(row["ulp_bound"]))
        table.add_row(*(escape(str(cell)) for cell in (*cells, *figures, row["verdict"])))
    console.print(table)


def _figure(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else f"{float(value):.3g}"


def _shown(value: Any) -> str:
    import numpy as np

    return (
        np.array2string(value, threshold=40, separator=", ") if isinstance(value, np.ndarray) else repr(value)
    )
