"""Program of one check of the corpus: the subject is asked, and its worst answer written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance.adapters.base import FORMULATIONS
from conformance.cases.case import Case
from conformance.checking.check_run import records
from conformance.checking.question import Question, question
from conformance.checking.smallest_row import Row, cut_out
from conformance.checking.user_source import imported
from conformance.errors import RunError
from conformance.report.reproduction.program import check_of, reproduce
from conformance.results.run import Run


def reproduction(
    case_id: str,
    subject: str | None = None,
    *,
    dtype: str | None = None,
    quantity: str | None = None,
    formulation: str | None = None,
    smallest: bool = False,
    paths: Sequence[str] = (),
    **function: Any,
) -> str:
    """A program that imports the subject's framework alone, or a user's function, and shows a case's check.

    The check is the worst that counts; where all conform, or are known, the worst of `functional`.

    Args:
        case_id: The case's id.
        subject: As ``torch`` or ``torch:compile``; None: a user's function is asked.
        dtype: Only this dtype; None: the worst of all.
        quantity: ``value`` or ``gradient:ARGUMENT``; None: the worst of all.
        formulation: Only this formulation; None: what counts, then `functional`.
        smallest: Whether to cut the worst element's row out, where the same verdict stands on it alone.
        paths: Case files or folders; none: the suite's own corpus, or the cases that a formula asks for.
        function: The further arguments of `question`: a user's function, or a formula.

    Returns:
        The program's text.

    Raises:
        RunError: There is no such case, dtype, quantity or formulation, or no program can be written.
        SubjectError: There is no such subject or function.
    """
    asked = question(case_id, paths, **function)
    case = asked.case
    if (subject is None) == (asked.user is None):
        raise RunError("whose program it is, say by --subject S or by --function FILE_OR_MODULE:FUNCTION")
    for name, value, there in (
        ("--dtype", dtype, case.dtypes),
        ("--quantity", quantity, case.quantity_names()),
        ("--formulation", formulation, case.formulations if asked.user is None else ("functional",)),
    ):
        if value is not None and value not in there:
            raise RunError(f"{name} {value}: {case_id} has {', '.join(there)}")
    who = subject if asked.user is None else asked.user.name
    assert who is not None
    run, row = _worst(asked, case, who, dtype, quantity, formulation)
    if smallest and (cut := cut_out(row, case)) is not None:
        same = {"dtype": row["dtype"], "quantity": row["quantity"], "formulation": row["formulation"]}
        shorter = replace(cut, formulations=(row["formulation"],), _built={})
        run_of_row, row_alone = _worst(asked, shorter, who, **same)
        if row_alone["verdict"] == row["verdict"]:
            run, row = run_of_row, row_alone
    if run.arguments is None:
        raise RunError(f"{case_id}: the run holds no inputs")
    text = _program(asked, run, row, run.arguments(case_id, str(row["dtype"])))
    if text is None:
        raise RunError(f"{case_id}: no program can be written, its inputs are too large; try --smallest")
    return text


def _program(asked: Question, run: Run, row: Row, arguments: Any) -> str | None:
    """The program of a check; of a user's function, one that imports it."""
    if asked.user is None or asked.control is None:
        return reproduce(check_of(row, run.environment), arguments)
    check = check_of({**row, "subject": asked.control.name}, run.environment)
    return reproduce(check, arguments, imported(asked.user.function or "", asked.user.returns))


def _worst(
    asked: Question,
    case: Case,
    subject: str,
    dtype: str | None,
    quantity: str | None,
    formulation: str | None,
) -> tuple[Run, Row]:
    """The run of one case, and its worst check: what counts, then `functional`, then error over bound."""
    run = asked.ask(
        [case],
        [] if asked.user is not None else [subject],
        dtypes=() if dtype is None else [dtype],
        quantity=quantity,
        formulation=formulation,
    )
    own = [row for row in records(run.frame) if row["subject"] == subject]
    rows = [row for row in own if row["verdict"] != "unsupported"]
    if not rows:
        raise RunError(f"{subject} has nothing of {case.id}: {own[0]['message']}")

    def rank(row: Row) -> tuple[bool, int, float]:
        counts = not row["conforms"] and not row["known"] and not row["textbook"]
        order = 0 if counts else FORMULATIONS.index(row["formulation"])
        return not counts, order, -(row["ratio"] or 0.0)

    return run, min(rows, key=rank)
