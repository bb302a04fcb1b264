"""Frames drawn for people: the page, the summary, the badge, the code-scanning file and the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from conformance.errors import ConformanceError
from conformance.report.badge import badge
from conformance.report.code_scanning.sarif import sarif
from conformance.report.elements import Elements
from conformance.report.files import write_whole
from conformance.report.findings import Row
from conformance.report.html import page, prepare
from conformance.report.interfaces import DifferenceLike, RunLike
from conformance.report.overview import Overview, overview_of
from conformance.report.pages import render
from conformance.report.reproduction.program import check_of, reproduce
from conformance.report.terminal import terminal

__all__ = ["Overview", "RunLike", "prepare", "terminal", "write"]

T = TypeVar("T", bound=RunLike)


def write(
    run: T,
    directory: Path,
    reproduction: Callable[[T, Row], str | None] | None = None,
    difference: DifferenceLike | None = None,
) -> Overview:
    """Writes report.html, summary.md, badge.svg and results.sarif of a run into `directory`; what they tell.

    `reproduction` writes the program of one check, given its row; without it the cases' inputs and the
    adapters' text make it. `difference` is what changed since an earlier run. Every file appears whole: a
    reader never sees half of one.
    """
    program = reproduction or _program

    def snippet(row: Row) -> str | None:
        try:
            return program(run, row)
        except (ConformanceError, KeyError):  # a check whose inputs are no longer to be had
            return None

    overview = overview_of(run, snippet, difference, Elements(directory, run.directory))
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "report.html", page(overview))
    write_whole(directory / "summary.md", render("summary.md", overview=overview))
    write_whole(directory / "badge.svg", badge(overview.summary))
    write_whole(directory / "results.sarif", sarif(overview))
    return overview


def _program(run: RunLike, row: Row) -> str | None:
    """The reproduction of a row in its framework alone."""
    if run.arguments is None:
        return None
    check = check_of(row, run.environment)
    return reproduce(check, run.arguments(check.case, check.dtype))
