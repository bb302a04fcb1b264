"""Overview of a run, summed up once: the page, the summary, the badge and the terminal all draw this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from conformance.report.capabilities import Capabilities, capabilities
from conformance.report.changes import Changes, changes
from conformance.report.elements import Elements
from conformance.report.equivalence.agreement import Agreements, agreements
from conformance.report.equivalence.pairs import AgreedLoss, Equivalence, agreed_losses, equivalence
from conformance.report.findings import Finding, Headline, Row, headlines, known_findings, open_findings
from conformance.report.frames import light
from conformance.report.heatmap import Heatmap, heatmap
from conformance.report.interfaces import DifferenceLike, RunLike
from conformance.report.invariance import Invariance, invariance
from conformance.report.precision import no_digit_right
from conformance.report.processors.section import Processors, processors
from conformance.report.published_claims import Claims, claims
from conformance.report.reproduction.program_templates import ProgramTemplates, program_templates
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
        no_digit: How many checks conform with no digit right.
        claims: The figures and identities of the posts, and the other identities.
        frontier: The first gap at which each formulation leaves its bound.
        equivalence: How far the subjects are from one another.
        agreements: On which inputs each pair of subjects agrees, and how closely.
        agreed_losses: The checks on which all subjects agree and all lose.
        findings: The worst discrepancies.
        findings_total: How many findings the discrepancies are.
        known: The known deviations, by reason.
        known_total: How many reasons there are.
        capabilities: What each subject has of its own, composes or lacks.
        programs: The programs of all checks, as templates.
        invariance: Whether results keep their bits when only the circumstances of a call change.
        processors: Where kernel variants part, and what holds on certain kernels.
    """

    frame: pd.DataFrame
    sweep: pd.DataFrame
    summary: Summary
    changes: Changes | None
    heatmap: Heatmap
    no_digit: int
    claims: Claims
    frontier: tuple[Frontier, ...]
    equivalence: Equivalence
    agreements: Agreements
    agreed_losses: tuple[AgreedLoss, ...]
    findings: tuple[Finding, ...]
    findings_total: int
    known: tuple[Finding, ...]
    known_total: int
    capabilities: Capabilities
    invariance: Invariance
    processors: Processors
    programs: ProgramTemplates

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
    elements: Elements | None = None,
) -> Overview:
    """The overview of a run.

    Args:
        run: The run.
        snippet: Writes the program of one check, given its row of the frame; None where there is none.
        difference: What changed since an earlier run.
        elements: The elements of what the subjects returned; without them each shows its own worst one.
    """
    frame = light(run.frame)
    summary = summarise(frame, run.environment)
    subjects = [subject.name for subject in summary.subjects]
    write = snippet or (lambda row: None)
    elements = elements or Elements()
    findings, findings_total = open_findings(frame, write, elements)
    known, known_total = known_findings(frame, write, elements)
    sweep = light(run.sweep())
    pairs = light(run.equivalence())
    titles = {str(source): str(title) for source, title in (run.environment.get("sources") or {}).items()}
    return Overview(
        frame,
        sweep,
        summary,
        None if difference is None else changes(difference),
        heatmap(frame, subjects),
        int(no_digit_right(frame).sum()),
        claims(frame, light(run.relations()), light(run.breaks()), light(run.printed()), titles),
        frontier(sweep),
        equivalence(pairs, subjects),
        agreements(pairs, subjects),
        agreed_losses(light(run.agree_and_lose())),
        findings,
        findings_total,
        known,
        known_total,
        capabilities(frame, subjects),
        invariance(light(run.invariance()), subjects),
        processors(frame, run.environment, run.arguments, write),
        program_templates(_rows(frame), run.environment, run.arguments),
    )


#: What a check's program depends on.
_OF_PROGRAM = ["case", "dtype", "formulation", "quantity", "operation", "subject", "verdict", "worst_index"]
_OF_PROGRAM += ["observed", "exact", "message"]


def _rows(frame: pd.DataFrame) -> Iterator[Row]:
    """The checks as far as their programs depend on them."""
    for cells in zip(*(frame[name].tolist() for name in _OF_PROGRAM), strict=True):
        yield dict(zip(_OF_PROGRAM, cells, strict=True))
