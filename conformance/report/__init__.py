"""Frames drawn for people: the page, the summary, the badge, the code-scanning file and the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conformance.errors import ConformanceError
from conformance.report.badge import badge
from conformance.report.files import write_whole
from conformance.report.findings import Row
from conformance.report.html import page
from conformance.report.pages import render
from conformance.report.protocol import InputsOf, RunLike
from conformance.report.reproduce import check_of, reproduce
from conformance.report.sarif import sarif
from conformance.report.story import tell
from conformance.report.terminal import terminal

__all__ = ["InputsOf", "RunLike", "terminal", "write"]


def write(
    run: RunLike, directory: Path, previous: RunLike | None = None, inputs_of: InputsOf | None = None
) -> None:
    """Writes report.html, summary.md, badge.svg and results.sarif of a run into `directory`.

    `previous` is the run to compare with, `inputs_of(case, dtype)` gives a case's arguments for the
    reproductions. Every file appears whole: a reader never sees half of one.
    """
    story = tell(run, previous, _snippets(run, inputs_of) if inputs_of else None)
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "report.html", page(story))
    write_whole(directory / "summary.md", render("summary.md", story=story))
    write_whole(directory / "badge.svg", badge(story.summary))
    write_whole(directory / "results.sarif", sarif(story))


def _snippets(run: RunLike, inputs_of: InputsOf) -> Callable[[Row], str | None]:
    """Writes the reproduction of a row; None for a check whose inputs are no longer to be had."""

    def snippet(row: Row) -> str | None:
        check = check_of(row, run.environment)
        try:
            return reproduce(check, inputs_of(str(row["case"]), check.dtype))
        except (ConformanceError, KeyError):
            return None

    return snippet
