"""Explanation of one case, step by step: what each subject returns, beside the exact digits."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.cases.published_figures import CONFIRMED_DTYPE, figures
from conformance.errors import RunError
from conformance.execution import session
from conformance.judging.observation import digits as shortest
from conformance.judging.observation import embed
from conformance.operations import OPERATIONS, Reference, reference
from conformance.results.observation_store import Observations

#: Elements of a result that are shown.
MAX_SHOWN_ELEMENTS = 12

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
        parameters = (
            {"axis": 1} if any(parameter.name == "axis" for parameter in operation.parameters) else {}
        )
        before.append(case.variant(f"{case.id}/{name}", name, {operation.inputs[0].name: first}, parameters))
    if case.operation == "cross_entropy" and case.parameters.get("reduction", "mean") != "none":
        before.append(
            case.variant(
                f"{case.id}/rows", "cross_entropy", case.inputs, {**case.parameters, "reduction": "none"}
            )
        )
    return [*before, case]


def case_named(case_id: str, paths: Sequence[str]) -> Case:
    """The case of an id; RunError with the likeliest one where there is none."""
    cases = {case.id: case for case in load_cases([Path(path) for path in paths] or None)}
    if case_id not in cases:
        # An entry with `vary` has no case of its own name.
        near = [name for name in cases if name.startswith(f"{case_id}[")]
        near = near or difflib.get_close_matches(case_id, cases, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `conformance list cases` shows them all"
        raise RunError(f"no case {case_id!r}{hint}")
    return cases[case_id]


def explain(
    case_id: str, subjects: Sequence[str], paths: Sequence[str], console: Console, dtype: str | None = None
) -> None:
    """Prints the steps of a case with every subject's digits.

    Args:
        case_id: The case's id.
        subjects: As ``torch``, ``torch:compile``; none: every framework that is installed.
        paths: Case files to look in; none: the suite's own corpus.
        console: Where it is printed.
        dtype: The dtype that is shown; None: float32, in which the posts computed, where the case has it.

    Raises:
        RunError: There is no such case.
    """
    case = case_named(case_id, paths)
    dtype = dtype or (CONFIRMED_DTYPE if CONFIRMED_DTYPE in case.dtypes else case.dtypes[0])
    *before, last = (replace(step, dtypes=(dtype,)) for step in steps(case))
    chain = [*(replace(step, quantities=("value",)) for step in before), last]
    console.print(f"[bold]{escape(case.id)}[/]  {escape(case.file)}:{case.line}  {escape(case.source)}")
    if case.why:
        console.print(escape(case.why))
    console.print(f"in {dtype}:")
    for name, value in case.with_upstream(dtype).items():
        if name in case.inputs or name in case.parameters or name in ("upstream", "layout"):
            console.print(f"  {name} = {escape(_shown(value))}")
    with TemporaryDirectory() as folder:
        run = session.run(subjects=subjects, cases=chain, output=folder, large=True)
        returned = Observations(Path(folder))
        for position, step in enumerate(chain, 1):
            _print_step(position, step, dtype, run.frame[run.frame["case"] == step.id], returned, console)


def _print_step(
    position: int, step: Case, dtype: str, frame: pd.DataFrame, returned: Observations, console: Console
) -> None:
    given = ", ".join(f"{name}={_shown(value)}" for name, value in step.parameters.items())
    title = f"[{position}] {step.operation}({', '.join(step.inputs)}{', ' + given if given else ''})"
    if step.printed is not None:
        title += f"   printed: {' '.join(figures(step.printed))}"
    console.print()
    console.print(f"[bold]{escape(title)}[/]")
    for quantity in step.quantity_names():
        rows = frame[(frame["quantity"] == quantity) & (frame["verdict"] != "unsupported")]
        table = Table(
            "", quantity, "ulps", "bound", "verdict", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        if step.expect != "error":
            arguments = step.arguments(dtype)
            flow = step.flow(dtype, OPERATIONS[step.operation].result_shape(arguments))
            truth = reference(step.operation, arguments, quantity, dtype, flow)
            table.add_row("exact", escape(_exact(truth)), "", "", "")
        for row in rows.to_dict("records"):
            observation = returned.get(row["subject"], (step.id, dtype, row["formulation"]), quantity)
            digits = row["message"] if observation is None else _elements(embed(*observation)[1], dtype)
            who = f"{row['subject']} {row['formulation']}"
            ends = (_figure(row["ulp_error"]), _figure(row["ulp_bound"]), str(row["verdict"]))
            table.add_row(*(escape(str(cell)) for cell in (who, digits, *ends)))
        console.print(table)


def _exact(truth: Reference) -> str:
    """The exact digits of each element, the first of many."""
    indices = list(np.ndindex(truth.rounded.shape))
    shown = [truth.text(index, 11) for index in indices[:MAX_SHOWN_ELEMENTS]]
    return "  ".join(shown) + (" ..." if len(indices) > MAX_SHOWN_ELEMENTS else "")


def _elements(values: npt.NDArray[np.float64], dtype: str) -> str:
    flat = values.reshape(-1)
    return "  ".join(shortest(float(value), dtype) for value in flat[:MAX_SHOWN_ELEMENTS]) + (
        " ..." if flat.size > MAX_SHOWN_ELEMENTS else ""
    )


def _figure(value: Any) -> str:
    return "" if pd.isna(value) else f"{float(value):.3g}"


def _shown(value: Any) -> str:
    if hasattr(value, "values"):
        value = value.values("float64")
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=40, separator=", ").replace("\n", "")
    return repr(value)
