"""Difference: what changed between two runs, its gate and its files; `diff` makes one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from conformance.comparison import changed_elements, files
from conformance.comparison.circumstances import warnings_about
from conformance.comparison.joined_runs import CHANGES, changed_rows
from conformance.comparison.subject_matching import Pair, pair
from conformance.errors import RunError
from conformance.results import loading
from conformance.results.run import Run

#: What a gate makes of checks that the old run answered and the new one did not: it reports them, and fails
#: where one that conformed is unsupported now; it fails on each; it allows all but those that were not run.
Removed = Literal["report", "fail", "allow"]


@dataclass
class Difference:
    """What changed between two runs.

    Attributes:
        frame: One row a check and a relation (columns: `joined_runs.COLUMNS`), what asks for
            attention first.
        old: The earlier run.
        new: The later run.
        pairs: The subjects that were compared.
        warnings: A line for whatever else differs: hardware, settings, an incomplete run.
        factor: How many times larger an error counts as changed.
        removed: Whether the gate fails on checks that are gone, not run or unsupported now.
    """

    frame: pd.DataFrame
    old: Run
    new: Run
    pairs: list[Pair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    factor: float = 2.0
    removed: Removed = "report"

    def counts(self, kind: str = "check") -> dict[str, int]:
        """How many checks (or relations, by `kind`) changed in each way; every way is there."""
        counts = self.frame.loc[self.frame["kind"] == kind, "change"].value_counts().to_dict()
        return {change: int(counts.get(change, 0)) for change in CHANGES}

    def gating(self, strict: bool = False) -> pd.DataFrame:
        """The rows that fail the gate: regressed, with `strict` also worse, and by `removed` what is gone.

        Nothing of a textbook formulation does, and nothing that a user's file of known deviations accepts.
        """
        frame = self.frame
        fails = frame["change"].isin(["regressed", "worse"] if strict else ["regressed"])
        if self.removed == "fail":
            fails |= self._unanswered()
        elif self.removed == "allow":
            fails &= frame["verdict_new"].ne("unsupported")
            fails |= self._unanswered() & frame["verdict_new"].eq("not run")
        excused = frame["known_new"].isin(self.new.environment.get("accepted") or [])
        return frame[fails & ~excused & ~frame["textbook"].fillna(False).astype(bool)]

    def _unanswered(self) -> pd.Series[bool]:
        """The checks that the old run answered and the new one did not: gone, not run or unsupported."""
        frame = self.frame
        gone = frame["kind"].eq("check") & frame["change"].eq("removed")
        return gone & ~frame["verdict_old"].isin(["unsupported", "not run"])

    def exit_code(self, strict: bool = False) -> int:
        """1 where something fails the gate, else 0."""
        return int(not self.gating(strict).empty)

    def cases(self, change: str) -> dict[str, int]:
        """The cases with checks that changed so, and how many; textbook formulations do not count.

        Cases that are named after the upstream issue that they come from stand first.
        """
        frame = self.frame
        rows = frame[(frame["kind"] == "check") & (frame["change"] == change)]
        rows = rows[~rows["textbook"].fillna(False).astype(bool)]
        sources = dict(zip(rows["case"], rows["source"], strict=True))
        counts = rows["case"].value_counts(sort=False).to_dict()
        ordered = sorted(counts, key=lambda name: not _names_its_issue(str(name), str(sources[name])))
        return {str(name): int(counts[name]) for name in ordered}

    def save(self, directory: str | Path) -> None:
        """Writes diff.csv, diff.md and diff.html into `directory`; RunError where it cannot be written."""
        files.write(self, Path(directory))


def diff(
    old: Run | str | Path,
    new: Run | str | Path,
    *,
    factor: float = 2.0,
    pairs: Sequence[str] = (),
    elements: bool = True,
    removed: Removed = "report",
) -> Difference:
    """Compares two runs, check by check and relation by relation.

    A check joins by case, operation, formulation, quantity, dtype and subject; a pinned subject joins by its
    framework, mode and device.

    Args:
        old: The earlier run, or the directory that holds it.
        new: The later run, or the directory that holds it.
        factor: How many times larger an error counts as changed; errors that differ by less than 1 ulp of
            the dtype count as equal.
        pairs: ``OLD=NEW``, names of subjects to compare where the rule above does not tell.
        elements: Whether to name the element of each check that changed most, with bits and exact value,
            where the runs' observations are at hand.
        removed: What the gate makes of checks that the old run answered and the new one did not: ``fail``:
            it fails; ``allow``: it does not; ``report``: it fails where one that conformed is unsupported.

    Returns:
        The difference.

    Raises:
        RunError: A run cannot be read, subjects cannot be paired, or `factor` is below 1.
    """
    if not factor >= 1:
        raise RunError(f"--factor {factor:g}: at least 1")
    before, after = (run if isinstance(run, Run) else loading.load(run) for run in (old, new))
    matched = pair(before, after, pairs)
    rows = changed_rows(before, after, matched, factor)
    if elements:
        changed_elements.fill(rows, before, after)
    return Difference(rows, before, after, matched, warnings_about(before, after, matched), factor, removed)


def _names_its_issue(case: str, source: str) -> bool:
    issue = re.search(r"/(?:issues|pull)/(\d+)$", source)
    return issue is not None and issue[1] in case.split("-")
