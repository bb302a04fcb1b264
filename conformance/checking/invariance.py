"""Invariance of a user's function: what its bits depend on beside its arguments, as words and as causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.cases.case import Case
from conformance.checking.fault_words import RAISES, UNSTEADY
from conformance.checking.root_cause import Cause
from conformance.report.figures import count, names
from conformance.results.run import Run

Row = Mapping[str, Any]
#: Kind of `invariance.csv` -> what the function does where its results part, and what its bits depend on.
WORDS = {
    "batch": ("its result for a row depends on the batch", "the batch around a row"),
    "position": ("its result for a row depends on the row's position in the batch", "a row's position"),
    "layout": ("its result depends on the memory layout", "the memory layout"),
    "repeat": ("its result changes when it is called a second time", "a call before"),
    "threads": ("its result depends on the number of threads", "the number of threads"),
    "concurrency": ("its result changes when two calls run at once", "a call at the same time"),
}
#: From this share of the failing checks on, invariance is what is wrong, and is told first.
_MOSTLY = 0.5


def causes(run: Run, subject: str, failing: Sequence[Row], cases: Mapping[str, Case]) -> list[Cause]:
    """A cause for each kind of invariance that is broken: results part by more than the bounds.

    Args:
        run: The run, with its frame `invariance`.
        subject: The function's name.
        failing: The checks that fail and count.
        cases: The cases by their ids.
    """
    frame = run.invariance()
    broken = frame[(frame["subject"] == subject) & (frame["verdict"] == "broken")]
    found = []
    for kind in (kind for kind in WORDS if kind in set(broken["kind"])):
        rows = [row for row in failing if kind_of(cases[row["case"]]) == kind]
        if rows:
            there = int(frame[(frame["subject"] == subject) & (frame["kind"] == kind)]["compared"].sum())
            found.append((kind, rows, max(there, len(rows))))
    among = [row for row in failing if kind_of(cases[row["case"]])]
    harm = UNSTEADY if len(among) >= _MOSTLY * len(failing) else RAISES
    return [
        Cause(WORDS[kind][0], "", len(rows), there, harm, dict(rows[0]), (f"invariance: {kind}",))
        for kind, rows, there in found
    ]


def kind_of(case: Case) -> str:
    """The kind of invariance that a case states; empty: none."""
    return (case.equals.invariance or "") if case.equals is not None else ""


def dependence(run: Run, subject: str) -> str:
    """What a function's bits depend on, its results within bounds, in a clause; empty: nothing."""
    frame = run.invariance()
    own = frame[(frame["subject"] == subject) & (frame["verdict"] == "within bounds")]
    kinds = [kind for kind in WORDS if kind in set(own["kind"])]
    if not kinds:
        return ""
    some = own["compared"].sum() - own["bitwise"].sum()
    words = names([WORDS[kind][1] for kind in kinds])
    return f"its bits depend on {words}, within bounds: {count(int(some), 'comparison')}"
