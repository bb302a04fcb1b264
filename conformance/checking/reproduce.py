"""Program of one check of the corpus: the subject is asked, and its worst answer written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.cases.case import Case
from conformance.checking.check_run import records
from conformance.checking.explain import case_named
from conformance.checking.smallest_row import Row, cut_out
from conformance.errors import RunError
from conformance.execution import session
from conformance.report.reproduction.program import check_of, reproduce
from conformance.results.run import Run


def reproduction(
    case_id: str,
    subject: str,
    *,
    dtype: str | None = None,
    quantity: str | None = None,
    smallest: bool = False,
    paths: Sequence[str] = (),
) -> str:
    """A program that imports the subject's framework alone and shows the worst check of a case.

    Args:
        case_id: The case's id.
        subject: As ``torch`` or ``torch:compile``.
        dtype: Only this dtype; None: the worst of all.
        quantity: ``value`` or ``gradient:ARGUMENT``; None: the worst of all.
        smallest: Whether to cut the worst element's row out, where the same verdict stands on it alone.
        paths: Case files or folders; none: the suite's own corpus.

    Returns:
        The program's text.

    Raises:
        RunError: There is no such case, dtype or quantity, or no program can be written.
        SubjectError: There is no such subject.
    """
    case = case_named(case_id, paths)
    for name, value, there in (
        ("--dtype", dtype, case.dtypes),
        ("--quantity", quantity, case.quantity_names()),
    ):
        if value is not None and value not in there:
            raise RunError(f"{name} {value}: {case_id} has {', '.join(there)}")
    run, row = _worst(case, subject, dtype, quantity)
    if smallest and (cut := cut_out(row, case)) is not None:
        same = {"dtype": row["dtype"], "quantity": row["quantity"], "formulation": row["formulation"]}
        shorter = replace(cut, formulations=(row["formulation"],), _built={})
        run_of_row, row_alone = _worst(shorter, subject, same["dtype"], same["quantity"])
        if row_alone["verdict"] == row["verdict"]:
            run, row = run_of_row, row_alone
    if run.arguments is None:
        raise RunError(f"{case_id}: the run holds no inputs")
    text = reproduce(check_of(row, run.environment), run.arguments(case_id, str(row["dtype"])))
    if text is None:
        raise RunError(f"{case_id}: no program can be written, its inputs are too large; try --smallest")
    return text


def _worst(case: Case, subject: str, dtype: str | None, quantity: str | None) -> tuple[Run, Row]:
    """The run of one case, and its worst check: discrepancies first, then by error over bound."""
    run = session.run(
        subjects=[subject],
        cases=[case],
        dtypes=() if dtype is None else [dtype],
        large=True,
        wanted=lambda _subject, _case, _dtype, _formulation, name: quantity in (None, name),
    )
    rows = [row for row in records(run.frame) if row["verdict"] != "unsupported"]
    if not rows:
        raise RunError(f"{subject} has nothing of {case.id}: {run.frame['message'].iloc[0]}")

    def rank(row: Row) -> tuple[bool, bool, float]:
        counts = not row["known"] and not row["textbook"]
        return bool(row["conforms"]), not counts, -(row["ratio"] or 0.0)

    return run, min(rows, key=rank)
