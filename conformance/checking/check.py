"""`conformance.check`: the whole corpus on a user's own function, the framework's own beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from conformance import report
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.check_run import CheckRun, records
from conformance.checking.control import COMPOSED, control_rows, inherit, refuse
from conformance.checking.formula_control import REFERENCE, reference_rows
from conformance.checking.formula_module import Formula, formula_cases, formula_operation
from conformance.checking.report import markdown, program
from conformance.checking.root_cause import diagnose
from conformance.checking.user_module import Function, subjects
from conformance.comparison.baseline import changes_since
from conformance.errors import RunError, SubjectError
from conformance.execution import session
from conformance.execution.progress import Progress
from conformance.operations import OPERATIONS, no_operation
from conformance.plan.requests import pick as select
from conformance.plan.settings import Settings
from conformance.report.files import write_whole
from conformance.results.run import Run
from conformance.subjects.subject import Subject


def check(
    function: Function,
    operation: str = "",
    *,
    formula: Formula | None = None,
    framework: str | None = None,
    mode: str | None = None,
    dtypes: Sequence[str] = (),
    output: str | Path | None = None,
    strict: bool = False,
    paths: Sequence[str | Path] = (),
    tags: Sequence[str] = (),
    known: Sequence[str | Path] = (),
    limit: float = 60.0,
    progress: Progress | None = None,
) -> CheckRun:
    """Runs every case of `operation` through a function of the user's, and through the framework's own.

    With a `formula` in the operation's place, the cases are those that its inputs' kinds ask for, and the
    NumPy reference of the formula is the control.

    Args:
        function: ``FILE_OR_MODULE:FUNCTION``, or a function that is defined at the top level of a file. It
            takes the operation's canonical signature in the framework's arrays. Cases that need a parameter
            it lacks are unsupported, and so is what it refuses throughout: a number of axes, class
            probabilities, a dtype.
        operation: The name of an operation, as ``cross_entropy``.
        formula: ``FILE:NAME`` of a formula, or its operation (see `conformance.formula`).
        framework: ``torch``, ``tensorflow``, ``jax`` or ``numpy``; None: the one that the function's file
            imports.
        mode: One of the framework's modes, as ``compile``; None: its default.
        dtypes: Among ``float16``, ``bfloat16``, ``float32``, ``float64``; none: all.
        output: The directory that receives the run's files; None: nothing is written.
        strict: Whether to count what the framework's own function fails alike.
        paths: Case files or folders; none: the suite's own corpus.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        known: Files of deviations that the caller accepts; they do not count, with `strict` either.
        limit: Seconds that one check may take.
        progress: Is told how far the run is; None: nobody is.

    Returns:
        The run; its `exit_code` is 0 where the function conforms.

    Raises:
        SubjectError: There is no such function or framework, or it cannot be started.
        RunError: There is no such operation or formula, no case is left, or `output` cannot be written.
        FormulaError: The formula's text is wrong: a line ``file:line: ...``, before any worker starts.
    """
    if (formula is None) == (not operation):
        raise RunError("what the function computes, say by --operation OP or by --formula FILE:NAME")
    of_formula = None if formula is None else formula_operation(formula)
    operation = operation if of_formula is None else of_formula.name
    if operation not in OPERATIONS:
        raise RunError(f"--operation {operation}: {no_operation(operation)}")
    user, control = subjects(function, operation, framework, mode)
    if of_formula is None:
        loaded, left_out = load_cases([Path(path) for path in paths] or None, known=known), 0
    else:
        loaded, left_out = formula_cases(of_formula, paths, known)
    cases = pick(loaded, operation, "numpy" if of_formula is not None else control.framework, tags)
    published: list[CheckRun] = []

    def judged_run(run: Run) -> CheckRun:
        if of_formula is None:
            return judged(run, user, control, cases, strict)
        reference = Subject(REFERENCE, "numpy")
        rows = reference_rows(of_formula, cases, dtypes)
        whole = replace(run, frame=pd.concat([run.frame, rows], ignore_index=True))
        return replace(judged(whole, user, reference, cases, strict), syntax=control.name, left_out=left_out)

    def publish(run: Run, directory: Path) -> None:
        published.append(judged_run(run))
        _write(published[0], directory, output)

    run = session.run(
        dtypes=dtypes,
        tags=tags,
        output=output,
        limit=limit,
        progress=progress,
        cases=cases,
        under_test=[user, control] if of_formula is None else [user],
        wanted=lambda subject, case, dtype, formulation, quantity: (
            formulation == "functional" or subject == control.name
        ),
        publish=publish,
    )
    checked = published[0] if published else judged_run(run)
    checked.directory = run.directory
    return checked


def _write(run: CheckRun, directory: Path, output: str | Path | None) -> None:
    """Writes the run's files into `directory`, which will take the place of `output`."""
    run.write(directory)
    report.write(run, directory, program, changes_since(output or None, run))
    summary = (directory / "summary.md").read_text("utf-8")
    write_whole(directory / "summary.md", summary + markdown(run))


def pick(cases: Sequence[Case], operation: str, framework: str, tags: Sequence[str]) -> list[Case]:
    """The operation's cases, each for the formulation that a function replaces, and the control's."""
    formulations = ("functional",) if framework in ("torch", "numpy") else ("functional", COMPOSED)
    return [
        replace(case, formulations=formulations)
        for case in select(cases, Settings(operations=[operation], tags=list(tags)))
    ]


def judged(run: Run, user: Subject, control: Subject, cases: Sequence[Case], strict: bool) -> CheckRun:
    """The run with what the function refuses and inherits marked as such, and a diagnosis of the rest.

    SubjectError where the function could not be started.
    """
    _refuse_what_never_started(run, user)
    by_id = {case.id: case for case in cases}
    rows = records(run.frame)
    user_rows = [row for row in rows if row["subject"] == user.name]
    by_check = control_rows([row for row in rows if row["subject"] == control.name])
    for row in user_rows:
        row.update(framework=user.framework)
    refuse(user_rows, by_id)
    inherit(user_rows, by_check, control.name)
    for row in by_check.values():
        if row["conforms"] is False and not row["known"]:
            row["known"] = "the control's own deviation"
    columns = list(run.frame.columns)
    frame = pd.DataFrame([*user_rows, *by_check.values()], columns=columns)
    settings = {**run.environment["settings"], "strict": strict}
    counted = [
        row for row in user_rows if not row["known"] or (strict and row["known"].startswith("inherited"))
    ]
    return CheckRun(
        frame.astype(run.frame.dtypes.to_dict()),
        {**run.environment, **_of_the_function(run, user), "settings": settings},
        run.frames,
        run.directory,
        lambda case, dtype: by_id[case].with_upstream(dtype),
        subject=user.name,
        control=control.name,
        strict=strict,
        diagnosis=diagnose(counted, by_id),
        where=user.function or "",
    )


def _of_the_function(run: Run, user: Subject) -> dict[str, object]:
    """What run.json says of known deviations, as far as they are the function's."""
    stale, otherwise = (run.environment.get(name) or [] for name in ("stale_known", "known_otherwise"))
    return {
        "stale_known": [line for line in stale if line.startswith(f"known for {user.name} ")],
        "known_otherwise": [line for line in otherwise if f" {user.name} " in line],
        "known_conforming": {},
    }


def _refuse_what_never_started(run: Run, user: Subject) -> None:
    described = run.environment["subjects"].get(user.name)
    answers = run.frame[run.frame["subject"] == user.name]
    if described is not None and "version" not in described and run.complete and not answers.empty:
        raise SubjectError(f"{user.name} cannot be started: {answers['message'].iloc[0]}")
