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
    """A check that does not conform, or all checks that one known reason covers (the worst one shown)."""

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
    worst: Look
    ulps: str
    observed: str
    worst_index: str
    answers: tuple[Answer, ...]


def open_findings(frame: pd.DataFrame, snippet: Snippet, limit: int = 100) -> tuple[tuple[Finding, ...], int]:
    """Discrepancies, a finding per case, formulation, quantity and dtype, the worst first; and how many."""
    rows = _ranked(frame[discrepancies(frame)])
    keys = rows.drop_duplicates(CHECK)
    table = _by_check(frame, keys.head(limit))
    return tuple(_finding(row, table, rows, snippet) for row in keys.head(limit).to_dict("records")), len(
        keys
    )


def known_findings(
    frame: pd.DataFrame, snippet: Snippet, limit: int = 200
) -> tuple[tuple[Finding, ...], int]:
    """Known deviations, a finding per reason and operation, shown by its worst check; and how many."""
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & known_text(frame).ne("")
    rows = _ranked(frame[failing])
    keys = rows.drop_duplicates(["known", "operation"])
    table = _by_check(frame, keys.head(limit))
    out = []
    for row in keys.head(limit).to_dict("records"):
        same = rows[rows["known"].eq(row["known"]) & rows["operation"].eq(row["operation"])]
        out.append(_finding(row, table, same, snippet, len(same)))
    return tuple(out), len(keys)


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Worst verdict first, then the largest error."""
    severity = rows["verdict"].map(SEVERITY).fillna(len(SEVERITY))
    return rows.assign(severity=severity).sort_values(
        ["severity", "ulp_error"], ascending=False, kind="stable"
    )


def _by_check(frame: pd.DataFrame, keys: pd.DataFrame) -> dict[tuple[object, ...], pd.DataFrame]:
    """All subjects' rows of each wanted check."""
    wanted = frame.merge(keys[CHECK], on=CHECK, how="inner")
    return dict(iter(wanted.groupby(CHECK, sort=False)))


def _finding(
    row: Row,
    table: dict[tuple[object, ...], pd.DataFrame],
    same: pd.DataFrame,
    snippet: Snippet,
    checks: int | None = None,
) -> Finding:
    rows = table[tuple(row[name] for name in CHECK)]
    answers = tuple(_answer(entry, snippet) for entry in rows.to_dict("records"))
    if checks is None:
        chosen = same
        for name in CHECK:
            chosen = chosen[chosen[name].eq(row[name])]
        subjects = tuple(dict.fromkeys(str(s) for s in chosen["subject"]))
    else:
        subjects = tuple(dict.fromkeys(str(s) for s in same["subject"]))
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
        checks=checks or len(subjects),
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
