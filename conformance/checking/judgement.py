"""Judgement of a user's function: what counts against it beside its control, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from conformance.cases.case import Case
from conformance.checking import invalid_calls, invariance, unsteady
from conformance.checking.check_run import CheckRun, records
from conformance.checking.control import control_rows, inherit, refuse
from conformance.checking.report import verdict
from conformance.checking.root_cause import Cause, Diagnosis, diagnose
from conformance.checking.untried import untried
from conformance.checking.weight_gradients import leave_out
from conformance.errors import SubjectError
from conformance.results.run import Run
from conformance.subjects.subject import Subject


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
    user_rows, by_check = _marked(run, user, control, by_id)
    mild, others = _invalid(user_rows, by_id, strict, invalid)
    asked = [row for row in user_rows if by_id[row["case"]].expect != "error" and _counts(row, strict)]
    diagnosis = _diagnosis(run, user, asked, by_id, others, again)
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
        diagnosis=diagnosis,
        bits=invariance.dependence(run, user.name),
        invalid_calls=invalid_calls.spelt(mild, by_id) if invalid == "report" else "",
        untried=tuple(untried(user_rows, by_id)),
        where=user.function or "",
        returns=user.returns,
    )
    checked.environment["verdict"] = verdict(checked)
    return checked


def _marked(
    run: Run, user: Subject, control: Subject, cases: Mapping[str, Case]
) -> tuple[list[dict[str, Any]], dict[tuple[str, str, str], dict[str, Any]]]:
    """The function's rows, what it refuses and inherits marked in them, and its control's by check."""
    rows = records(run.frame)
    user_rows = [row for row in rows if row["subject"] == user.name]
    by_check = control_rows([row for row in rows if row["subject"] == control.name])
    for row in user_rows:
        row.update(framework=user.framework)
    refuse(user_rows, cases)
    leave_out(user_rows, cases)
    inherit(user_rows, by_check, control.name)
    for row in by_check.values():
        if row["conforms"] is False and not row["known"]:
            row["known"] = "the control's own deviation"
    return user_rows, by_check


def _diagnosis(
    run: Run,
    user: Subject,
    rows: Sequence[dict[str, Any]],
    cases: Mapping[str, Case],
    others: Sequence[Cause],
    again: unsteady.Ask | None,
) -> Diagnosis | None:
    """All that the function does wrong: nondeterminism first, then invariance, then what features tell.

    Args:
        run: The run.
        user: The function.
        rows: The function's rows that count.
        cases: The cases by their ids.
        others: Causes that are known already.
        again: Asks checks again; None: nothing is asked again.
    """
    unsteady_rows, steadiness = _unsteady(rows, again if run.complete else None)
    unsteady_ids = {id(row) for row in unsteady_rows}
    remaining = [row for row in rows if id(row) not in unsteady_ids]
    dependent = [] if steadiness else _dependence(run, user, remaining, cases)
    explained = {kind for each in dependent for kind in each.features}
    remaining = [
        row
        for row in remaining
        if row["conforms"] or f"invariance: {invariance.kind_of(cases[row['case']])}" not in explained
    ]
    return diagnose(remaining, cases, [*steadiness, *dependent, *others])


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
