"""Explanation of one case, step by step: what each subject returns, beside the exact digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.cases.case import Case
from conformance.cases.published_figures import CONFIRMED_DTYPE, figures
from conformance.checking.check_run import records
from conformance.checking.formula_control import reference_rows
from conformance.checking.question import question
from conformance.errors import RunError
from conformance.judging.observation import digits as shortest
from conformance.judging.observation import embed
from conformance.operations import OPERATIONS, Reference, reference
from conformance.results.observation_store import Observations

Row = Mapping[str, Any]
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


def explain(
    case_id: str,
    subjects: Sequence[str],
    paths: Sequence[str],
    console: Console,
    dtype: str | None = None,
    **function: Any,
) -> None:
    """Prints the steps of a case with every subject's digits.

    Args:
        case_id: The case's id.
        subjects: As ``torch``, ``torch:compile``; none: every framework that is installed, or of a user's
            function its control.
        paths: Case files to look in; none: the suite's own corpus, or the cases that a formula asks for.
        console: Where it is printed.
        dtype: The dtype that is shown; None: float32, in which the posts computed, where the case has it.
        function: The further arguments of `question`: a user's function, or a formula.

    Raises:
        RunError: There is no such case, or not in this dtype.
        SubjectError: There is no such subject, or no call fits the function.
    """
    asked = question(case_id, paths, **function)
    case = asked.case
    if dtype is not None and dtype not in case.dtypes:
        raise RunError(f"--dtype {dtype}: {case_id} has {', '.join(case.dtypes)}")
    dtype = dtype or (CONFIRMED_DTYPE if CONFIRMED_DTYPE in case.dtypes else case.dtypes[0])
    *before, last = (replace(step, dtypes=(dtype,)) for step in steps(case))
    chain = [*(replace(step, quantities=("value",)) for step in before), last]
    with TemporaryDirectory() as folder:
        nobody = asked.formula is not None and asked.user is None
        run = None if nobody else asked.ask(chain, subjects, output=folder)
        returned = Observations(Path(folder)) if run is not None else None
        print_heading(case, dtype, console)  # behind what may be refused
        for position, step in enumerate(chain, 1):
            rows = [] if run is None else records(run.frame[run.frame["case"] == step.id])
            if asked.formula is not None:
                rows += records(reference_rows(asked.formula, [step], [dtype]))
            _print_step(position, step, dtype, rows, returned, console)


def print_heading(case: Case, dtype: str, console: Console) -> None:
    """Prints what a case is, and its inputs in a dtype."""
    console.print(Text.assemble((case.id, "bold"), f"  {case.file}:{case.line}  {case.source}"))
    if case.why:
        console.print(Text(case.why))
    console.print(Text(f"in {dtype}:"))
    for name, value in case.with_upstream(dtype).items():
        if name in case.inputs or name in case.parameters or name in ("upstream", "layout", "dtype_of"):
            console.print(Text(f"  {name} = {_shown(value)}"))


def _print_step(
    position: int,
    step: Case,
    dtype: str,
    rows: Sequence[Row],
    returned: Observations | None,
    console: Console,
) -> None:
    given = ", ".join(f"{name}={_shown(value)}" for name, value in step.parameters.items())
    title = f"[{position}] {step.operation}({', '.join(step.inputs)}{', ' + given if given else ''})"
    if step.printed is not None:
        title += f"   printed: {' '.join(figures(step.printed))}"
    console.print()
    console.print(Text(title, style="bold"))
    for quantity in step.quantity_names():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in ("", quantity, "ulps", "bound", "verdict"):
            table.add_column(Text(head))
        if step.expect != "error":
            arguments = step.arguments(dtype)
            flow = step.flow(dtype, OPERATIONS[step.operation].result_shape(arguments))
            truth = reference(step.operation, arguments, quantity, dtype, flow)
            table.add_row("exact", Text(_exact(truth)), "", "", "")
        for row in rows:
            if row["quantity"] == quantity and row["verdict"] != "unsupported":
                table.add_row(*(Text(cell) for cell in _cells(row, step.id, dtype, quantity, returned)))
        console.print(table)


def _cells(
    row: Row, step: str, dtype: str, quantity: str, returned: Observations | None
) -> tuple[str, str, str, str, str]:
    """A subject's line: who, its digits or what it said, the error, the bound and the verdict."""
    observation = None
    if returned is not None:
        observation = returned.get(row["subject"], (step, dtype, row["formulation"]), quantity)
    said = row["message"] or (f"{row['observed']} at its worst" if row["observed"] else "")
    digits = said if observation is None else _elements(embed(*observation)[1], dtype)
    who = f"{row['subject']} {row['formulation']}"
    return who, str(digits), _figure(row["ulp_error"]), _figure(row["ulp_bound"]), str(row["verdict"])


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
    return "" if value is None else f"{float(value):.3g}"


def _shown(value: Any) -> str:
    if hasattr(value, "values") and not isinstance(value, dict):  # a tensor, not a layout
        value = value.values("float64")
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=40, separator=", ").replace("\n", "")
    return repr(value)
