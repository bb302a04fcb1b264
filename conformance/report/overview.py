"""Overview of a run, summed up once: the page, the summary, the badge and the terminal all draw this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from conformance.report.capabilities import Capabilities, capabilities
from conformance.report.changes import Changes, changes
from conformance.report.equivalence import AgreedLoss, Equivalence, agreed_losses, equivalence
from conformance.report.findings import Finding, Headline, Row, headlines, known_findings, open_findings
from conformance.report.frames import light
from conformance.report.heatmap import Heatmap, heatmap
from conformance.report.interfaces import DifferenceLike, RunLike
from conformance.report.processors.section import Processors, processors
from conformance.report.published_claims import Claims, claims
from conformance.report.stability_frontier import Frontier, frontier
from conformance.report.summary import Summary, summarise


@dataclass(frozen=True)
class Overview:
    """Overview of a run, section by section.

    Attributes:
        frame: The run's checks, light (see `frames.light`).
        sweep: The run's sweeps over the logit gap, light.
        summary: The verdict on the whole run.
        changes: What changed since an earlier run; None without one.
        heatmap: The worst verdict of each operation, subject and dtype.
        claims: The figures and identities of the posts, and the other identities.
        frontier: The first gap at which each formulation leaves its bound.
        equivalence: How far the subjects are from one another.
        agreed_losses: The checks on which all subjects agree and all lose.
        findings: The worst discrepancies.
        findings_total: How many findings the discrepancies are.
        known: The known deviations, by reason.
        known_total: How many reasons there are.
        capabilities: What each subject has of its own, composes or lacks.
        processors: Where kernel variants part, and what holds on certain kernels.
    """

    frame: pd.DataFrame
    sweep: pd.DataFrame
    summary: Summary
    changes: Changes | None
    heatmap: Heatmap
    claims: Claims
    frontier: tuple[Frontier, ...]
    equivalence: Equivalence
    agreed_losses: tuple[AgreedLoss, ...]
    findings: tuple[Finding, ...]
    findings_total: int
    known: tuple[Finding, ...]
    known_total: int
    capabilities: Capabilities
    processors: Processors

    @property
    def headlines(self) -> tuple[Headline, ...]:
        """What the discrepancies tell, each once."""
        return headlines(self.findings)

    @property
    def subjects(self) -> list[str]:
        """The run's subjects, in order."""
        return [subject.name for subject in self.summary.subjects]


def overview_of(
    run: RunLike,
    snippet: Callable[[Row], str | None] | None = None,
    difference: DifferenceLike | None = None,
) -> Overview:
    """The overview of a run.

    Args:
        run: The run.
        snippet: Writes the program of one check, given its row of the frame; None where there is none.
        difference: What changed since an earlier run.
    """
    frame = light(run.frame)
    summary = summarise(frame, run.environment)
    subjects = [subject.name for subject in summary.subjects]
    write = snippet or (lambda row: None)
    findings, findings_total = open_findings(frame, write)
    known, known_total = known_findings(frame, write)
    sweep = light(run.sweep())
    return Overview(
        frame,
        sweep,
        summary,
        None if difference is None else changes(difference),
        heatmap(frame, subjects),
        claims(frame, light(run.relations()), light(run.breaks()), light(run.printed())),
        frontier(sweep),
        equivalence(light(run.equivalence()), subjects),
        agreed_losses(light(run.agree_and_lose())),
        findings,
        findings_total,
        known,
        known_total,
        capabilities(frame, subjects),
        processors(frame, run.environment, run.arguments, write),
    )
