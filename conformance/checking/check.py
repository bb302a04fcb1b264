"""`conformance.check`: the whole corpus on a user's own function, the framework's own beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from conformance import report
from conformance.caches import cache_directory
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking import conventions as declarations
from conformance.checking import invalid_calls, invariance, unsteady
from conformance.checking.check_run import CheckRun, records
from conformance.checking.control import control_rows, inherit, is_legacy, refuse
from conformance.checking.deferred_cases import DeferredCases
from conformance.checking.first_call import FirstCall
from conformance.checking.formula_control import REFERENCE, reference_rows
from conformance.checking.formula_module import Formula, formula_cases, formula_operation
from conformance.checking.report import markdown, program, verdict
from conformance.checking.root_cause import Cause, diagnose
from conformance.checking.untried import untried
from conformance.checking.user_module import Function, subjects
from conformance.checking.weight_gradients import leave_out
from conformance.comparison.baseline import changes_since
from conformance.errors import RunError, SubjectError
from conformance.execution import session
from conformance.execution.kept_workers import KeptWorkers
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
    returns: int | str | None = None,
    dtypes: Sequence[str] = (),
    output: str | Path | None = None,
    strict: bool = False,
    invalid: str = "report",
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
        returns: Which of several results of the function is the loss: an index, or a key; None: it returns
            one.
        dtypes: Among ``float16``, ``bfloat16``, ``float32``, ``float64``; none: all.
        output: The directory that receives the run's files; None: nothing is written.
        strict: Whether to count what the framework's own function fails alike.
        invalid: ``report``: answers where an error is right are named, and do not count; ``fail``: they do.
            A number in the place of a label out of range always counts.
        paths: Case files or folders; none: the suite's own corpus.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        known: Files of deviations that the caller accepts; they do not count, with `strict` either.
        limit: Seconds that one check may take.
        progress: Is told how far the run is; None: nobody is.

    Returns:
        The run; its `exit_code` is 0 where the function conforms.

    Raises:
        SubjectError: There is no such function or framework, it cannot be started, or no call fits it.
        RunError: There is no such operation, formula or policy; no case is left; or `output` cannot be
            written.
        FormulaError: The formula's text is wrong: a line ``file:line: ...``, before any worker starts.
    """
    if invalid not in invalid_calls.POLICIES:
        raise RunError(f"--invalid {invalid}: it is {' or '.join(invalid_calls.POLICIES)}")
    if (formula is None) == (not operation):
        raise RunError("what the function computes, say by --operation OP or by --formula FILE:NAME")
    of_formula = None if formula is None else formula_operation(formula)
    operation = operation if of_formula is None else of_formula.name
    if operation not in OPERATIONS:
        raise RunError(f"--operation {operation}: {no_operation(operation)}")
    which = None if returns is None else str(returns)
    user, control = subjects(function, operation, framework, mode, which)
    declared = {} if of_formula is not None else declarations.declared_by(function, operation)
    of_battery, left_out = ([], 0) if of_formula is None else formula_cases(of_formula, paths, known)

    def load() -> Sequence[Case]:
        if of_formula is not None:
            return pick(of_battery, operation, "numpy", tags)
        loaded = load_cases([Path(path) for path in paths] or None, known=known, operations=(operation,))
        return declarations.decided(pick(loaded, operation, control.framework, tags), declared)

    cases = DeferredCases(load)
    published: list[CheckRun] = []

    def again(groups: Collection[tuple[str, str]]) -> Sequence[unsteady.Row]:
        chosen = frozenset(groups)
        run = session.run(
            dtypes=dtypes,
            limit=limit,
            repeat=unsteady.REPEATS,
            cases=unsteady.selected(cases, chosen),
            under_test=[user],
            wanted=lambda subject, case, dtype, formulation, quantity: (
                formulation == "functional" and (case.id, dtype) in chosen
            ),
        )
        return records(run.frame)

    def judged_run(run: Run) -> CheckRun:
        hello = run.environment["subjects"].get(user.name, {})
        declarations.refuse_undeclared(hello, declared, user.function or "")
        if of_formula is None:
            return judged(run, user, control, cases, strict, invalid, again)
        reference = Subject(REFERENCE, "numpy")
        rows = reference_rows(of_formula, cases, dtypes)
        whole = replace(run, frame=pd.concat([run.frame, rows], ignore_index=True))
        checked = judged(whole, user, reference, cases, strict, invalid, again)
        checked.syntax, checked.left_out = control.name, left_out
        checked.environment["verdict"] = verdict(checked)
        return checked

    def publish(run: Run, directory: Path) -> None:
        published.append(judged_run(run))
        _write(published[0], directory, output)

    run = session.run(
        dtypes=dtypes,
        tags=tags,
        output=output,
        limit=limit,
        progress=FirstCall(user.name, progress),
        cases=cases,
        under_test=[user, control] if of_formula is None else [user],
        wanted=lambda subject, case, dtype, formulation, quantity: (
            not case.conventions if subject == control.name else formulation == "functional"
        ),
        publish=publish,
        make_workers=lambda limits, slots: KeptWorkers(limits, slots, control, operation),
        meanwhile=None if output is None else lambda: report.prepare(cache_directory() / "report"),
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
    """The operation's cases, each for the formulation that a function replaces, and the control's.

    Those that ask for a framework's own history (`is_legacy`) are left out.
    """
    controls = OPERATIONS[operation].controls
    few = framework in ("torch", "numpy") and controls[0] == "functional"
    formulations = ("functional",) if few else tuple(dict.fromkeys(("functional", *controls)))
    return [
        replace(case, formulations=formulations)
        for case in select(cases, Settings(operations=[operation], tags=list(tags)))
        if not is_legacy(case)
    ]


def judged(
    run: Run,
    user: Subject,
    control: Subject,
    cases: Sequence[Case],
    strict: bool,
    invalid: str = "report",
    again: unsteady.Ask | None = None,
) -> CheckRun:
    """The run with what the function refuses and inherits marked as such, and a diagnosis of the rest.

    Args:
        run: The checks of the function and of its control.
        user: The function.
        control: The framework's own.
        cases: The cases of the run.
        strict: Whether what both fail alike counts.
        invalid: Whether answers to invalid calls count, as in `check`.
        again: Asks checks again, to tell nondeterminism; None: nothing is asked again.

    Raises:
        SubjectError: The function could not be started.
    """
    _refuse_what_never_started(run, user)
    by_id = {case.id: case for case in cases}
    rows = records(run.frame)
    user_rows = [row for row in rows if row["subject"] == user.name]
    by_check = control_rows([row for row in rows if row["subject"] == control.name])
    for row in user_rows:
        row.update(framework=user.framework)
    refuse(user_rows, by_id)
    leave_out(user_rows, by_id)
    inherit(user_rows, by_check, control.name)
    for row in by_check.values():
        if row["conforms"] is False and not row["known"]:
            row["known"] = "the control's own deviation"
    mild, others = _invalid(user_rows, by_id, strict, invalid)
    asked = [row for row in user_rows if by_id[row["case"]].expect != "error" and _counts(row, strict)]
    unsteady_rows, steadiness = _unsteady(asked, again if run.complete else None)
    remaining = [row for row in asked if not any(row is other for other in unsteady_rows)]
    dependent = [] if steadiness else _dependence(run, user, remaining, by_id)
    explained = {kind for each in dependent for kind in each.features}
    remaining = [
        row
        for row in remaining
        if row["conforms"] or f"invariance: {invariance.kind_of(by_id[row['case']])}" not in explained
    ]
    frame = pd.DataFrame([*user_rows, *by_check.values()], columns=list(run.frame.columns))
    settings = {**run.environment["settings"], "strict": strict, "invalid": invalid}
    checked = CheckRun(
        frame.astype(run.frame.dtypes.to_dict()),
        {**run.environment, **_of_the_function(run, user), "settings": settings},
        run.frames,
        run.directory,
        lambda case, dtype: by_id[case].with_upstream(dtype),
        subject=user.name,
        control=control.name,
        strict=strict,
        invalid=invalid,
        diagnosis=diagnose(remaining, by_id, [*steadiness, *dependent, *others]),
        bits=invariance.dependence(run, user.name),
        invalid_calls=invalid_calls.spelt(mild, by_id) if invalid == "report" else "",
        untried=tuple(untried(user_rows, by_id)),
        where=user.function or "",
        returns=user.returns,
    )
    checked.environment["verdict"] = verdict(checked)
    return checked


def _invalid(
    rows: Sequence[dict[str, Any]], cases: Mapping[str, Case], strict: bool, policy: str
) -> tuple[list[dict[str, Any]], list[Cause]]:
    """The harmless answers to invalid calls, marked where they do not count, and what counts as causes."""
    answered = [row for row in invalid_calls.answers(rows, cases) if _counts(row, strict)]
    mild = [row for row in answered if not invalid_calls.is_harmful(row, cases[row["case"]])]
    harmful = [row for row in answered if invalid_calls.is_harmful(row, cases[row["case"]])]
    causes = invalid_calls.harm(harmful, cases)
    if policy == "fail":
        return mild, causes + invalid_calls.counted(mild, cases)
    for row in mild:
        row["known"] = invalid_calls.KNOWN
    return mild, causes


def _counts(row: Mapping[str, Any], strict: bool) -> bool:
    """Whether a check is the function's own: not known, or inherited where that counts."""
    return not row["known"] or (strict and str(row["known"]).startswith("inherited"))


def _unsteady(
    rows: Sequence[dict[str, Any]], again: unsteady.Ask | None
) -> tuple[list[dict[str, Any]], list[Cause]]:
    """The failing checks whose answers differ from call to call, and that as a cause."""
    failing = [row for row in rows if row["conforms"] is False]
    if again is None or not failing:
        return [], []
    conforming = [row for row in rows if row["conforms"]]
    differing, asked, otherwise = unsteady.unsteady(failing, conforming, again)
    if not differing:
        return [], []
    for row in differing:
        row["message"] = f"answers otherwise when asked again; {row['message']}".removesuffix("; ")
    return differing, [unsteady.cause(differing, len(failing) + len(conforming), asked, otherwise)]


def _dependence(
    run: Run, user: Subject, rows: Sequence[Mapping[str, Any]], cases: Mapping[str, Case]
) -> list[Cause]:
    """What the function's results depend on beside its arguments, as causes."""
    return invariance.causes(run, user.name, [row for row in rows if row["conforms"] is False], cases)


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
