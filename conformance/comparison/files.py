"""Files of a difference: diff.csv, diff.md (it fits a pull-request comment), diff.html; and the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from conformance.comparison.causes import Cause, causes
from conformance.comparison.programs import Programs
from conformance.errors import RunError
from conformance.report.figures import VISIBLE, count, missing, shorten
from conformance.report.files import write_whole
from conformance.report.interfaces import DifferenceLike
from conformance.report.pages import asset, render

#: Changes that are drawn, what asks for attention first; what is unchanged stands in diff.csv alone.
_DRAWN = (
    "regressed",
    "worse",
    "changed error",
    "fixed",
    "better",
    "changed bits",
    "changed case",
    "follows",
    "added",
    "removed",
)
#: Changes of which the terminal and the Markdown name the cases alone.
_CASES_ALONE = ("added", "removed")
#: What each change means.
MEANINGS = {
    "regressed": "conformed, and does no longer; a relation that broke",
    "worse": "a larger error, within what is allowed or beyond it as before",
    "changed error": "raises or crashes otherwise than it did",
    "fixed": "conforms now; a relation that holds now",
    "better": "a smaller error",
    "changed bits": "other bits, about the same error",
    "changed case": "the case itself is another one now",
    "follows": "a relation that changed because one of its sides did",
    "added": "only in the new run",
    "removed": "only in the old run",
    "unchanged": "the same bits",
}
#: Rows of diff.md's tables.
_MARKDOWN_ROWS = 10
#: Cases that the terminal names, and lines of checks, a change.
_TERMINAL_CASES, _TERMINAL_ROWS = 20, 5
#: Rows a change in diff.html, and how many of them have their programs.
_PAGE_ROWS, _PROGRAM_ROWS = 1000, 100
#: Changes whose rows are grouped by cause, and have programs.
_ATTENTION = ("regressed", "worse", "changed error", "fixed", "better")
_STYLES = {
    "regressed": "bold red",
    "worse": "yellow",
    "changed error": "magenta",
    "fixed": "bold green",
    "better": "green",
}


class Drawable(DifferenceLike, Protocol):
    """What is drawn of a difference."""

    @property
    def warnings(self) -> list[str]:
        """A line for whatever else differs between the runs."""

    @property
    def factor(self) -> float:
        """How many times larger an error counts as changed."""

    def counts(self, kind: str = "check") -> dict[str, int]:
        """How many checks (or relations, by `kind`) changed in each way."""

    def gating(self, strict: bool = False) -> pd.DataFrame:
        """The rows that fail the gate."""

    def exit_code(self, strict: bool = False) -> int:
        """1 where something fails the gate, else 0."""

    def cases(self, change: str) -> dict[str, int]:
        """The cases with checks that changed so, and how many checks."""


@dataclass(frozen=True)
class Section:
    """One kind of change, as it is drawn.

    Attributes:
        change: The change, one of `changes.CHANGES`.
        rows: Its rows, at most so many as a page takes, with programs and links where they ask for attention.
        causes: The rows grouped by what changed in the same way.
        worst: The rows of a short table, one a case.
        total: How many rows there are in all.
        textbook: How many of them are of textbook formulations.
        meaning: What the change means.
        cases: The cases and how many checks of each, the variations of an entry in one text.
    """

    change: str
    rows: list[dict[str, Any]]
    causes: list[Cause]
    worst: list[dict[str, Any]]
    total: int
    textbook: int
    meaning: str
    cases: list[str]


@dataclass(frozen=True)
class Overview:
    """A difference summed up, for the Markdown, the page and the terminal.

    Attributes:
        sentence: The verdict and the counts in one sentence.
        regressed: Whether something fails the gate.
        unanswered: How many checks fail it since they have no verdict now.
        heading: The versions that are compared, in a line.
        versions: A subject's label, its version before and its version now.
        counts: A change, how many checks and how many relations changed so.
        textbook: How many regressions are of textbook formulations.
        sections: The changes that are drawn, what asks for attention first.
        warnings: A line for whatever else differs between the runs.
        factor: How many times larger an error counts as changed.
        started: When either run started.
    """

    sentence: str
    regressed: bool
    unanswered: int
    heading: str
    versions: list[tuple[str, str, str]]
    counts: list[tuple[str, int, int]]
    textbook: int
    sections: list[Section]
    warnings: list[str]
    factor: float
    started: tuple[str, str]


def overview_of(difference: Drawable, limit: int = _PAGE_ROWS, programs: Programs | None = None) -> Overview:
    """Sums a difference up, with at most `limit` rows a change beside the worst.

    Args:
        difference: The difference.
        limit: How many rows of a change are drawn.
        programs: Writes the rows' programs and links; None: they have none.
    """
    frame = difference.frame
    checks, relations = difference.counts("check"), difference.counts("relation")
    sections = []
    for change in _DRAWN:
        rows = frame[frame["change"] == change]
        if len(rows):
            textbook = rows["textbook"].fillna(False).astype(bool)
            rows = rows.iloc[np.argsort(textbook.to_numpy(), kind="stable")]
            drawn = [_row(row) for row in rows.to_dict("records")]
            shown = drawn[:limit]
            if programs is not None and change in _ATTENTION:
                for row in shown[:_PROGRAM_ROWS]:
                    row["program"], row["link"] = programs.text(row), programs.link(row)
            alike = causes([row for row in drawn if not row["textbook"]]) if change in _ATTENTION else []
            worst = [_row(row) for row in one_a_case(rows).head(_MARKDOWN_ROWS).to_dict("records")]
            cases = grouped(difference.cases(change))
            sections.append(
                Section(change, shown, alike, worst, len(rows), int(textbook.sum()), MEANINGS[change], cases)
            )
    gating = difference.gating()
    unanswered = int(gating["change"].eq("removed").sum())
    regressed_textbook = int((frame["change"].eq("regressed") & frame["textbook"].fillna(False)).sum())
    environments = difference.old.environment, difference.new.environment
    return Overview(
        _sentence(len(gating) - unanswered, unanswered, checks, relations),
        not gating.empty,
        unanswered,
        _heading(difference),
        _versions(difference),
        [(change, checks[change], relations[change]) for change in checks],
        regressed_textbook,
        sections,
        difference.warnings,
        difference.factor,
        (str(environments[0].get("started", "")), str(environments[1].get("started", ""))),
    )


def grouped(cases: dict[str, int]) -> list[str]:
    """Cases and how many checks of each changed, as text; the variations of one entry stand together."""
    groups: dict[str, list[str]] = {}
    for name in cases:
        groups.setdefault(name.split("[")[0], []).append(name)
    texts = []
    for entry, names in groups.items():
        checks = sum(cases[name] for name in names)
        alone = len(names) == 1
        texts.append(f"{names[0]} ({checks:,})" if alone else f"{entry} ({len(names)} cases, {checks:,})")
    return texts


def one_a_case(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each case file's entry, checks and relations apart: ten of one case tell one thing."""
    return rows[~rows.assign(entry=rows["case"].str.split("[").str[0]).duplicated(["kind", "entry"])]


def _sentence(regressions: int, unanswered: int, checks: dict[str, int], relations: dict[str, int]) -> str:
    def of(change: str) -> int:
        return checks[change] + relations[change]

    parts = [
        f"{of(change):,} {change}" for change in ("fixed", "worse", "better", "changed bits") if of(change)
    ]
    rest = f"; {', '.join(parts)}" if parts else ""
    failures = [count(regressions, "regression")] if regressions else []
    if unanswered:
        verb = "has" if unanswered == 1 else "have"
        failures.append(f"{count(unanswered, 'check')} of the baseline {verb} no verdict now")
    return f"{', '.join(failures) or 'Nothing regressed'}{rest}."


def _versions(difference: Drawable) -> list[tuple[str, str, str]]:
    versions = []
    for pair in difference.pairs:
        described = [
            run.environment.get("subjects", {}).get(name, {})
            for run, name in ((difference.old, pair.old), (difference.new, pair.new))
        ]
        before, after = (
            f"{about.get('version') or 'unknown'} "
            f"(Python {about.get('python') or '?'}, NumPy {about.get('numpy') or '?'})"
            for about in described
        )
        versions.append((pair.label, before, after))
    return versions


def _heading(difference: Drawable) -> str:
    """The versions that are compared: `torch 2.12.1 → 2.13.0, jax 0.10.2 as before`."""
    parts = []
    for pair in difference.pairs:
        before, after = (
            str(run.environment.get("subjects", {}).get(name, {}).get("version") or "unknown")
            for run, name in ((difference.old, pair.old), (difference.new, pair.new))
        )
        parts.append(f"{pair.label} {before} {'as before' if before == after else f'→ {after}'}")
    return ", ".join(parts)


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    plain = {
        str(name): value.translate(VISIBLE) if isinstance(value, str) else "" if missing(value) else value
        for name, value in row.items()
    }
    plain["ulp_error_old"], plain["ulp_error_new"] = (
        None if missing(row[name]) else float(row[name]) for name in ("ulp_error_old", "ulp_error_new")
    )
    for side in ("old", "new"):
        plain[f"returned_{side}"] = _returned(plain, side)
    plain["ulp_bound"] = None if missing(row["ulp_bound"]) else float(row["ulp_bound"])
    plain["name"] = plain["relation"] or plain["formulation"]
    plain["program"] = plain["link"] = ""
    return plain


def _returned(row: dict[str, Any], side: str) -> str:
    """What a side returned: digits and bits, or its error."""
    if row["kind"] == "relation":
        return ""
    observed, bits = row[f"observed_{side}"], row[f"bits_{side}"]
    if observed:
        return f"{observed} ({bits})" if bits else str(observed)
    return shorten(str(row[f"message_{side}"]), 100)


def write(difference: Drawable, directory: Path) -> None:
    """Writes the three files, each whole or not at all; RunError where `directory` cannot be written."""
    overview = overview_of(difference, programs=Programs(difference.new, directory))
    try:
        write_whole(directory / "diff.csv", difference.frame.to_csv(index=False, lineterminator="\n"))
        write_whole(directory / "diff.md", render("diff.md", overview=overview))
        page = render(
            "diff.html",
            overview=overview,
            version=str(difference.new.environment.get("conformance", "")),
            style=asset("report.css") + asset("table.css"),
            theme_script=asset("theme.js"),
            script=asset("row_filter.js"),
        )
        write_whole(directory / "diff.html", page)
    except OSError as error:
        raise RunError(
            f"{directory}: cannot be written ({error.strerror or error}); name another --output"
        ) from None


def terminal(difference: Drawable, console: Console, strict: bool = False) -> None:
    """Prints the verdict, versions, counts, cases and the rows that ask for attention first."""
    overview = overview_of(difference, 0)
    style = "bold red" if difference.exit_code(strict) else "bold green"
    console.print(Text(overview.sentence, style=style))
    if overview.unanswered:
        console.print(Text("--allow-removed accepts checks that are gone or unsupported", style="dim"))
    for label, old, new in overview.versions:
        console.print(Text(f"{label}: {old} -> {new}"))
    for warning in overview.warnings:
        console.print(Text(f"warning: {shorten(warning)}", style="yellow"))
    console.print(
        Text(
            "checks:    "
            + ", ".join(f"{checks:,} {change}" for change, checks, _ in overview.counts if checks)
        ),
        soft_wrap=True,
    )
    console.print(
        Text(
            "relations: "
            + ", ".join(f"{relations:,} {change}" for change, _, relations in overview.counts if relations)
        ),
        soft_wrap=True,
    )
    if overview.textbook:
        console.print(
            Text(f"{count(overview.textbook, 'regression')} of textbook formulations: shown, not gating")
        )
    for section in overview.sections:
        _print_section(section, console)


def _print_section(section: Section, console: Console) -> None:
    if section.change in ("follows", "changed bits"):
        return
    style = _STYLES.get(section.change, "")
    names = [shorten(name, 100) for name in section.cases]
    if names:
        more = f" and {len(names) - _TERMINAL_CASES} more" if len(names) > _TERMINAL_CASES else ""
        console.print(
            Text(f"{section.change} cases (checks): {', '.join(names[:_TERMINAL_CASES])}{more}", style=style),
            soft_wrap=True,
        )
    for row in [] if section.change in _CASES_ALONE else section.worst[:_TERMINAL_ROWS]:
        errors = " -> ".join(
            "-" if row[f"ulp_error_{s}"] is None else f"{row[f'ulp_error_{s}']:.4g}" for s in ("old", "new")
        )
        line = (
            f"  {shorten(row['case'], 80)} {row['name']} {row['quantity']} {row['dtype']} {row['subject']}: "
            f"{row['verdict_old']} -> {row['verdict_new']}, {errors} ulps"
        )
        if row["returned_old"] or row["returned_new"]:
            line += f"; {row['returned_old']} -> {row['returned_new']}"
        if row["exact"]:
            line += f"; exact {row['exact']}"
        console.print(Text(line), soft_wrap=True)
