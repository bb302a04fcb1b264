"""The whole story of a run, told once: the page, the summary and the terminal all draw this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from conformance.report.capabilities import Support, support
from conformance.report.changes import Changes, changes
from conformance.report.equivalence import Equivalence, Lost, equivalence, lost
from conformance.report.findings import Finding, Row, known_findings, open_findings
from conformance.report.frames import light
from conformance.report.heatmap import Heat, heat
from conformance.report.protocol import DifferenceLike, RunLike
from conformance.report.published_claims import Claims, claims
from conformance.report.stability_frontier import Frontier, frontier
from conformance.report.summary import Summary, summarise


@dataclass(frozen=True)
class Story:
    """A run, summed up section by section in the page's order; `frame` and `sweep` are its light frames."""

    frame: pd.DataFrame
    sweep: pd.DataFrame
    summary: Summary
    changes: Changes | None
    heat: Heat
    claims: Claims
    frontier: tuple[Frontier, ...]
    equivalence: Equivalence
    lost: tuple[Lost, ...]
    findings: tuple[Finding, ...]
    findings_total: int
    known: tuple[Finding, ...]
    known_total: int
    support: tuple[tuple[str, tuple[Support | None, ...]], ...]

    @property
    def subjects(self) -> list[str]:
        """The run's subjects, in order."""
        return [subject.name for subject in self.summary.subjects]


def tell(
    run: RunLike,
    snippet: Callable[[Row], str | None] | None = None,
    difference: DifferenceLike | None = None,
) -> Story:
    """Sums a run up.

    `snippet` writes the reproduction of one check, given its row of the frame; `difference` is what changed
    since an earlier run.
    """
    frame = light(run.frame)
    summary = summarise(frame, run.environment)
    subjects = [subject.name for subject in summary.subjects]
    write = snippet or (lambda row: None)
    findings, findings_total = open_findings(frame, write)
    known, known_total = known_findings(frame, write)
    sweep = light(run.sweep())
    return Story(
        frame,
        sweep,
        summary,
        None if difference is None else changes(difference),
        heat(frame, subjects),
        claims(frame, light(run.relations()), light(run.breaks()), light(run.printed())),
        frontier(sweep),
        equivalence(light(run.equivalence()), subjects),
        lost(light(run.agree_and_lose())),
        findings,
        findings_total,
        known,
        known_total,
        support(frame, subjects),
    )
