"""Findings: discrepancies one by one, known deviations by their reason, each with every subject's answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.figures import link, missing, plain, ulps
from conformance.report.summary import discrepancies, known_text
from conformance.report.verdicts import SEVERITY, Look, look

CASE = ["operation", "case", "quantity"]
CHECK = ["operation", "case", "formulation", "quantity", "dtype"]
Row = Mapping[Any, Any]
Snippet = Callable[[Row], str | None]  # a row of the frame -> its reproduction


@dataclass(frozen=True)
class Answer:
    """What one subject returned on the check of a finding."""

    subject: str
    version: str
    look: Look
    observed: str
    ulps: str
    bound: str
    attainable: str
    worst_index: str
    message: str
    conforms: bool | None
    snippet: str | None


@dataclass(frozen=True)
class Finding:
    """Checks that fail on one case, or for one known reason, shown by the worst of them."""

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
    also: tuple[tuple[str, str], ...]  # every formulation and dtype in which it fails
    worst: Look
    ulps: str
    observed: str
    worst_index: str
    answers: tuple[Answer, ...]


def open_findings(frame: pd.DataFrame, snippet: Snippet, limit: int = 100) -> tuple[tuple[Finding, ...], int]:
    """Discrepancies, a finding per operation, case and quantity, the worst first; and how many there are."""
    return _grouped(frame, frame[discrepancies(frame)], CASE, snippet, limit)


def known_findings(
    frame: pd.DataFrame, snippet: Snippet, limit: int = 200
) -> tuple[tuple[Finding, ...], int]:
    """Known deviations, a finding per operation and reason, the worst first; and how many there are."""
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & known_text(frame).ne("")
    return _grouped(frame, frame[failing], ["operation", "known"], snippet, limit)


def _grouped(
    frame: pd.DataFrame, failing: pd.DataFrame, by: list[str], snippet: Snippet, limit: int
) -> tuple[tuple[Finding, ...], int]:
    """A finding for each group of failing checks, shown by its worst one."""
    rows = ranked(failing)
    first = rows.drop_duplicates(by)
    shown = first.head(limit)
    groups = dict(iter(rows.groupby(by, sort=False)))
    answers: dict[tuple[str, ...], list[Row]] = {}
    for row in frame.merge(shown[CHECK].drop_duplicates(), on=CHECK).to_dict("records"):
        answers.setdefault(tuple(row[name] for name in CHECK), []).append(row)
    found = tuple(
        _finding(
            row,
            answers[tuple(row[name] for name in CHECK)],
            groups[tuple(row[name] for name in by)],
            snippet,
        )
        for row in shown.to_dict("records")
    )
    return found, len(first)


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Worst verdict first, then the largest error."""
    severity = rows["verdict"].map(SEVERITY).fillna(len(SEVERITY))
    return rows.assign(severity=severity).sort_values(
        ["severity", "ulp_error"], ascending=False, kind="stable"
    )


def _finding(row: Row, check: list[Row], same: pd.DataFrame, snippet: Snippet) -> Finding:
    """The finding of `same` rows; `row` is the worst of them, `check` what every subject returned on it."""
    answers = tuple(_answer(entry, snippet) for entry in check)
    subjects = tuple(dict.fromkeys(str(name) for name in same["subject"]))
    ways = same[["formulation", "dtype"]].drop_duplicates().itertuples(index=False)
    reason, source = _reason(_text(row, "known"), _text(row, "source"))
    operation, case, formulation, quantity, dtype = (_text(row, name) for name in CHECK)
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
        ulps=ulps(row["ulp_error"]),
        observed=_text(row, "observed"),
        worst_index=_text(row, "worst_index"),
        answers=answers,
    )


def _reason(known: str, source: str) -> tuple[str, str]:
    """A known deviation's reason and its own source, which the run writes behind it in parentheses."""
    found = re.fullmatch(r"(.*\S)\s*\(([^()\s]+)\)", known, re.DOTALL)
    return (found[1], found[2]) if found else (known, source)


def _answer(row: Row, snippet: Snippet) -> Answer:
    conforms = row["conforms"]
    decided = None if missing(conforms) else bool(conforms)
    return Answer(
        _text(row, "subject"),
        _text(row, "framework_version"),
        look(_text(row, "verdict")),
        _text(row, "observed"),
        ulps(row["ulp_error"]),
        ulps(row["ulp_bound"]),
        ulps(row["ulp_attainable"]),
        _text(row, "worst_index"),
        _text(row, "message"),
        decided,
        snippet(row) if decided is False else None,
    )


def _text(row: Row, name: str) -> str:
    return plain(row.get(name))
