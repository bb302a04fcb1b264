"""Findings: discrepancies by case, known deviations by reason, each with what every subject returned."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.elements import Elements
from conformance.report.figures import link, missing, names, plain, shorten, ulps
from conformance.report.summary import discrepancies, known_text
from conformance.report.verdicts import SEVERITY, Look, look

CASE = ["operation", "case", "quantity"]
CHECK = ["operation", "case", "formulation", "quantity", "dtype"]
MAX_DISCREPANCIES = 100  # findings that the page holds
MAX_REASONS = 200
PREDICATES = {
    "lossy": "loses accuracy",
    "wrong": "is wrong",
    "raised": "raises an error",
    "timed out": "does not end in time",
    "crashed": "ends the process",
}
Row = Mapping[Any, Any]
Snippet = Callable[[Row], str | None]  # a row of the frame -> its reproduction


@dataclass(frozen=True)
class Answer:
    """Answer of one subject to the check of a finding.

    Attributes:
        subject: The subject.
        version: Its framework's version.
        look: Its verdict.
        observed: What it returned at the finding's element; at its own worst one where that was not kept.
        ulps: The error there, as text.
        bound: The bound at its own worst element, in ulps.
        attainable: The error there of the best known algorithm, in ulps.
        worst_index: Where its worst element is.
        element: Where `observed` and `ulps` are.
        message: What it said.
        conforms: Whether it conforms; None where the verdict says nothing of that.
        snippet: The program that shows it, where it fails and there is one.
    """

    subject: str
    version: str
    look: Look
    observed: str
    ulps: str
    bound: str
    attainable: str
    worst_index: str
    element: str
    message: str
    conforms: bool | None
    snippet: str | None


@dataclass(frozen=True)
class Finding:
    """Checks that fail on one case, or for one known reason, shown by the worst of them.

    Attributes:
        operation: The operation of all of them.
        case: The worst check's case.
        formulation: Its formulation.
        quantity: Its quantity.
        dtype: Its dtype.
        subjects: The subjects in which checks fail.
        exact: The exact value at the worst element.
        reason: The known deviation's reason; empty for a discrepancy.
        source: The reason's source, or the case's.
        link: The source's address, where it has one.
        file: The case's file.
        line: Its line there.
        why: Why the case is there.
        checks: How many checks fail.
        cases: On how many cases.
        also: Every formulation and dtype in which a check fails.
        worst: The worst verdict.
        worst_subjects: The subjects that have it.
        ulps: The worst check's error, as text.
        observed: What it returned.
        worst_index: Where its worst element is.
        answers: What every subject returned on it.
    """

    operation: str
    case: str
    formulation: str
    quantity: str
    dtype: str
    subjects: tuple[str, ...]
    exact: str
    reason: str
    source: str
    link: str | None
    file: str
    line: str
    why: str
    checks: int
    cases: int
    also: tuple[tuple[str, str], ...]
    worst: Look
    worst_subjects: tuple[str, ...]
    ulps: str
    observed: str
    worst_index: str
    answers: tuple[Answer, ...]

    @property
    def sentence(self) -> str:
        """The worst of it in a sentence: `softmax is wrong in jax on softmax-nan: 0.0 where nan is right`."""
        what = self.operation if self.quantity == "value" else f"{self.operation}'s {self.quantity}"
        where = f"in {names(list(self.worst_subjects))} on {shorten(self.case, 80)}"
        text = f"{what} {PREDICATES.get(self.worst.name, self.worst.name)} {where}"
        if self.observed and self.exact:
            text += f": {shorten(self.observed, 24)} where {shorten(self.exact, 24)} is right"
            text += f", {self.ulps} ulps" if self.ulps not in ("–", "∞") else ""
        return text


@dataclass(frozen=True)
class Headline:
    """Findings of one operation with the same worst verdict in the same subjects, told by the worst of them.

    Attributes:
        finding: The worst finding.
        position: Its place among the findings, the first is 1.
        others: How many other findings are like it.
        checks: How many checks fail in all of them.
    """

    finding: Finding
    position: int
    others: int
    checks: int


def headlines(findings: Sequence[Finding]) -> tuple[Headline, ...]:
    """What findings tell, each once: a crash on eight cases is one thing."""
    groups: dict[tuple[object, ...], list[tuple[int, Finding]]] = {}
    for position, finding in enumerate(findings, 1):
        key = finding.operation, finding.worst.name, finding.worst_subjects
        groups.setdefault(key, []).append((position, finding))
    return tuple(
        Headline(group[0][1], group[0][0], len(group) - 1, sum(finding.checks for _, finding in group))
        for group in groups.values()
    )


def open_findings(
    frame: pd.DataFrame, snippet: Snippet, elements: Elements, limit: int = MAX_DISCREPANCIES
) -> tuple[tuple[Finding, ...], int]:
    """Discrepancies, a finding per operation, case and quantity, the worst first; and how many there are."""
    return _grouped(frame, frame[discrepancies(frame)], CASE, snippet, elements, limit)


def known_findings(
    frame: pd.DataFrame, snippet: Snippet, elements: Elements, limit: int = MAX_REASONS
) -> tuple[tuple[Finding, ...], int]:
    """Known deviations, a finding per operation and reason, the worst first; and how many there are."""
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & known_text(frame).ne("")
    return _grouped(frame, frame[failing], ["operation", "known"], snippet, elements, limit)


def _grouped(
    frame: pd.DataFrame,
    failing: pd.DataFrame,
    by: list[str],
    snippet: Snippet,
    elements: Elements,
    limit: int,
) -> tuple[tuple[Finding, ...], int]:
    """A finding for each group of failing checks, shown by its worst one."""
    rows = ranked(failing)
    first = rows.drop_duplicates(by)
    shown = first.head(limit)
    groups = dict(iter(rows.groupby(by, sort=False)))
    answers: dict[tuple[str, ...], list[Row]] = {}
    for row in frame.merge(shown[CHECK].drop_duplicates(), on=CHECK).to_dict("records"):
        answers.setdefault(tuple(row[name] for name in CHECK), []).append(row)
    findings = tuple(
        _finding(
            row,
            answers[tuple(row[name] for name in CHECK)],
            groups[tuple(row[name] for name in by)],
            snippet,
            elements,
        )
        for row in shown.to_dict("records")
    )
    return findings, len(first)


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Worst verdict first, then the largest error."""
    severity = rows["verdict"].map(SEVERITY).fillna(len(SEVERITY))
    return rows.assign(severity=severity).sort_values(
        ["severity", "ulp_error"], ascending=False, kind="stable"
    )


def _finding(row: Row, check: list[Row], same: pd.DataFrame, snippet: Snippet, elements: Elements) -> Finding:
    """The finding of `same` rows; `row` is the worst of them, `check` what every subject returned on it."""
    index, exact = _text(row, "worst_index"), _text(row, "exact")
    answers = tuple(_answer(entry, snippet, elements, index, exact) for entry in check)
    subjects = tuple(dict.fromkeys(str(name) for name in same["subject"]))
    ways = same[["formulation", "dtype"]].drop_duplicates().itertuples(index=False)
    reason, source = _reason(_text(row, "known"), _text(row, "source"))
    operation, case, formulation, quantity, dtype = (_text(row, name) for name in CHECK)
    as_bad = same["verdict"].eq(row["verdict"])
    return Finding(
        operation=operation,
        case=case,
        formulation=formulation,
        quantity=quantity,
        dtype=dtype,
        subjects=subjects,
        exact=_text(row, "exact"),
        reason=reason,
        source=source,
        link=link(source),
        file=_text(row, "file"),
        line=_text(row, "line"),
        why=_text(row, "why"),
        checks=len(same),
        cases=int(same["case"].nunique()),
        also=tuple((str(formulation), str(dtype)) for formulation, dtype in ways),
        worst=look(_text(row, "verdict")),
        worst_subjects=tuple(dict.fromkeys(map(str, same.loc[as_bad, "subject"]))),
        ulps=ulps(row["ulp_error"]),
        observed=_text(row, "observed"),
        worst_index=_text(row, "worst_index"),
        answers=answers,
    )


def _reason(known: str, source: str) -> tuple[str, str]:
    """A known deviation's reason and its own source, which the run writes behind it in parentheses."""
    matched = re.fullmatch(r"(.*\S)\s*\(([^()\s]+)\)", known, re.DOTALL)
    return (matched[1], matched[2]) if matched else (known, source)


def _answer(row: Row, snippet: Snippet, elements: Elements, index: str, exact: str) -> Answer:
    """The answer of a row's subject at the element `index`, whose exact value is `exact`."""
    conforms = row["conforms"]
    own = _text(row, "worst_index")
    there = None
    if index and own != index:
        there = elements.answer(row, tuple(int(i) for i in re.findall(r"\d+", index)), exact)
    shown = (
        row if there is None else {**row, "observed": there.observed, "exact": exact, "worst_index": index}
    )
    decided = None if missing(conforms) else bool(conforms)
    return Answer(
        _text(row, "subject"),
        _text(row, "framework_version"),
        look(_text(row, "verdict")),
        _text(row, "observed") if there is None else there.observed,
        ulps(row["ulp_error"] if there is None else there.ulp_error),
        ulps(row["ulp_bound"]),
        ulps(row["ulp_attainable"]),
        own,
        own if there is None else index,
        _text(row, "message"),
        decided,
        snippet(shown) if decided is False else None,
    )


def _text(row: Row, name: str) -> str:
    return plain(row.get(name))
