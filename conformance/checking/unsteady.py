"""Unsteady answers: failing checks asked again, to tell nondeterminism before any other cause is sought."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from conformance.cases.case import Case
from conformance.checking.control import ALIKE_FACTOR
from conformance.checking.fault_words import UNSTEADY
from conformance.checking.root_cause import Cause
from conformance.report.figures import count

Row = Mapping[str, Any]
Key = tuple[str, str, str]  # case, dtype, quantity
#: Asks (case, dtype) pairs again, several times each, and returns the rows.
Ask = Callable[[Collection[tuple[str, str]]], Sequence[Row]]

#: How often a check is asked again.
REPEATS = 3
#: Failing and conforming groups of checks that are asked again.
_MAX_FAILING_GROUPS, _MAX_CONFORMING_GROUPS = 40, 20
#: From this share of unsteady answers among the failing ones on, those that were not asked again are so too.
_MOSTLY = 0.8
#: Verdicts that cost a process or a time limit each.
_COSTLY = ("crashed", "timed out", "not run")


def key_of(row: Row) -> Key:
    """The check of a row."""
    return str(row["case"]), str(row["dtype"]), str(row["quantity"])


def unsteady(
    failing: Sequence[dict[str, Any]], conforming: Sequence[Row], ask: Ask
) -> tuple[list[dict[str, Any]], int, int]:
    """The failing checks whose answers differ from call to call by as much as they are wrong.

    Args:
        failing: The checks that fail.
        conforming: The checks that conform, of which a sample is asked again.
        ask: Asks groups again.

    Returns:
        The unsteady failing checks; how many checks were asked again; how many of these answered otherwise.
    """
    chosen = _sample(failing, _MAX_FAILING_GROUPS)
    if not chosen:
        return [], 0, 0
    chosen += [group for group in _sample(conforming, _MAX_CONFORMING_GROUPS) if group not in chosen]
    again = {key_of(row): row for row in ask(chosen)}
    first = {key_of(row): row for row in (*failing, *conforming)}
    asked = [key for key in again if key in first]
    differing = {key for key in asked if _differs(first[key], again[key])}
    if not differing:
        return [], len(asked), 0
    failed = [key_of(row) for row in failing]
    asked_failing = [key for key in failed if key in again]
    others = [key for key in asked_failing if key not in differing and _varies(again[key])]
    differing.update(others)  # wrong each time, by another amount
    share = sum(key in differing for key in asked_failing) / max(1, len(asked_failing))
    unsteady = [
        row
        for row, key in zip(failing, failed, strict=True)
        if key in differing or (share >= _MOSTLY and key not in again)
    ]
    return unsteady, len(asked), len(differing)


def cause(rows: Sequence[Row], judged: int, asked: int, differing: int) -> Cause:
    """Nondeterminism as a cause, of the checks that fail by it among all that are judged."""
    rate = f" (about 1 of {round(judged / len(rows)):,} is wrong)" if len(rows) * 2 < judged else ""
    does = (
        f"its answers differ from call to call{rate}: "
        f"{differing:,} of {count(asked, 'check')} answered otherwise when asked again"
    )
    return Cause(does, "", len(rows), judged, UNSTEADY, dict(rows[0]), ("unsteady",))


def selected(cases: Sequence[Case], groups: Collection[tuple[str, str]]) -> list[Case]:
    """The cases of the groups."""
    names = {case for case, _ in groups}
    return [case for case in cases if case.id in names]


def _sample(rows: Sequence[Row], limit: int) -> list[tuple[str, str]]:
    """Groups of checks, spread evenly over the rows; none that would cost a process."""
    groups = list(dict.fromkeys((row["case"], row["dtype"]) for row in rows if row["verdict"] not in _COSTLY))
    step = max(1, len(groups) // limit)
    return groups[::step][:limit]


def _varies(row: Row) -> bool:
    return str(row["message"] or "").startswith("not deterministic")


def _differs(first: Row, again: Row) -> bool:
    """Whether two answers differ by as much as they are wrong: in verdict, or by a factor of the error."""
    if first["conforms"] != again["conforms"]:
        return True
    if first["conforms"] or first["bits"] == again["bits"]:
        return False
    errors = sorted(row["ulp_error"] if row["ulp_error"] is not None else 0.0 for row in (first, again))
    return bool(errors[0] * ALIKE_FACTOR < errors[1])
