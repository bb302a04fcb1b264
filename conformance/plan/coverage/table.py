"""Coverage table of a profile: what it asks, what it leaves out and why, and what a run's subjects answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.plan import profiles
from conformance.plan.coverage.axes import OF_QUESTIONS, UPSTREAM
from conformance.plan.coverage.cells import OperationCoverage, coverage_of
from conformance.plan.coverage.reasons import REASONS, Empty, explained
from conformance.plan.omissions import LeftOut, left_out
from conformance.plan.requests import pick
from conformance.plan.settings import Settings
from conformance.subjects.subject import MODES

#: Axes whose classes are crossed three at a time.
CROSSED = (*(axis.name for axis in OF_QUESTIONS), UPSTREAM)


@dataclass(frozen=True)
class Table:
    """The coverage of a profile.

    Attributes:
        profile: its name.
        operations: the cells of each operation.
        empty: the empty cells, with their reasons.
        subjects: how many checks each subject is asked: operation and subject -> checks.
        left_out: what the profile does not ask.
        answers: a run's rows, one a check and subject; None: no run was named.
    """

    profile: str
    operations: tuple[OperationCoverage, ...]
    empty: tuple[Empty, ...]
    subjects: pd.DataFrame
    left_out: tuple[LeftOut, ...]
    answers: pd.DataFrame | None = None

    @property
    def unexplained(self) -> list[Empty]:
        """The empty cells without a reason."""
        return [each for each in self.empty if each.reason is None]

    def excused(self, operation: str) -> list[frozenset[tuple[str, str]]]:
        """The pairs of cells of an operation that are empty for a reason."""
        return [
            frozenset(each.cells)
            for each in self.empty
            if each.operation == operation and each.reason is not None and len(each.cells) == 2
        ]

    def answered(self, coverage: OperationCoverage) -> dict[str, list[int]]:
        """How many checks of each cell every subject of the run was judged on; empty without a run."""
        if self.answers is None:
            return {}
        keys = ["case", "dtype", "formulation", "quantity"]
        judged = self.answers[self.answers["verdict"] != "unsupported"]
        counts = {}
        for subject, rows in judged.groupby("subject", sort=True, observed=True):
            there = pd.MultiIndex.from_frame(coverage.checks[keys]).isin(
                pd.MultiIndex.from_frame(rows[keys].astype(str))
            )
            counts[str(subject)] = (there.astype(np.float32) @ coverage.matrix).astype(int).tolist()
        return counts


def table(profile: str = "default", answers: pd.DataFrame | None = None, reasons: Path = REASONS) -> Table:
    """The coverage table of a profile over the suite's corpus; no framework is imported.

    Args:
        profile: one of `profiles.PROFILES`.
        answers: a run's results (`Run.frame`); None: what was answered is not counted.
        reasons: the file of reasons of empty cells.

    Raises:
        CaseError: a case file, or the file of reasons, is at fault.
    """
    every = load_cases()
    cases = pick(every, Settings(profile=profile))
    coverage = coverage_of(cases)
    subjects = _asked(cases, profile)
    return Table(
        profile,
        tuple(coverage),
        tuple(explained(coverage, reasons)),
        subjects,
        tuple(left_out(profile, every)),
        answers,
    )


def _names(profile: str) -> list[str]:
    """The subjects of a profile: every framework in its default mode, or in each."""
    return [
        framework if mode == modes[0] else f"{framework}:{mode}"
        for framework, modes in MODES.items()
        for mode in (modes if profile == "full" else modes[:1])
    ]


def _asked(cases: Sequence[Case], profile: str) -> pd.DataFrame:
    """How many checks of each operation each subject of the profile is asked."""
    wanted = profiles.wanted_by(profile)
    counts: dict[tuple[str, str], int] = {}
    for subject in _names(profile):
        for case in cases:
            number = 0
            quantities = case.quantity_names()
            if wanted is None:
                number = len(case.dtypes) * len(case.formulations) * len(quantities)
            else:
                number = sum(
                    wanted(subject, case, dtype, formulation, quantity)
                    for dtype in case.dtypes
                    for formulation in case.formulations
                    for quantity in quantities
                )
            counts[case.operation, subject] = counts.get((case.operation, subject), 0) + number
    rows: list[dict[str, Any]] = [
        {"operation": operation, "subject": subject, "checks": number}
        for (operation, subject), number in counts.items()
    ]
    return pd.DataFrame(rows, columns=["operation", "subject", "checks"])
