"""Run of a user's function beside its control: whose checks count, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.checking.root_cause import Diagnosis
from conformance.results.run import Run


@dataclass(repr=False)
class CheckRun(Run):
    """The run of a user's function and its control.

    Attributes:
        subject: The function's name in the frame.
        control: The name of the framework's own, in the frame.
        strict: Whether what both fail alike counts too.
        invalid: `report`: answers to invalid calls are named; `fail`: they count.
        diagnosis: All that the function does wrong, in words; None where it conforms.
        invalid_calls: The invalid calls that it answers and that do not count, in words; empty: none.
        untried: What it has never been tried in, since it lacks or refuses it, in words.
        where: The function as FILE_OR_MODULE:FUNCTION.
        returns: Which of several results of the function is the loss; None: it returns one.
        syntax: The framework's own as a subject, as which programs are written; empty: the control.
        bits: What its bits depend on, within bounds, in words; empty: nothing.
        left_out: How many checks a formula's cases leave out, because it has no value there.
    """

    subject: str = ""
    control: str = ""
    strict: bool = False
    invalid: str = "report"
    diagnosis: Diagnosis | None = None
    invalid_calls: str = ""
    untried: tuple[str, ...] = ()
    where: str = ""
    returns: str | None = None
    syntax: str = ""
    left_out: int = 0
    bits: str = ""

    @property
    def own(self) -> pd.DataFrame:
        """The function's own checks."""
        return self.frame[self.frame["subject"] == self.subject]

    def rows(self) -> list[dict[str, Any]]:
        """The checks that count against the function, None where a cell holds nothing."""
        return records(self.discrepancies())

    def inherited(self) -> pd.DataFrame:
        """The function's checks that the control fails alike."""
        own = self.own
        return own[own["known"].str.startswith("inherited") & ~own["conforms"].fillna(True)]

    def discrepancies(self) -> pd.DataFrame:
        """The function's checks that do not conform; without `strict`, those it inherits left out."""
        own = self.own
        failed = ~own["conforms"].fillna(True)
        counted = own["known"] == ""
        if self.strict:
            counted |= own["known"].str.startswith("inherited")
        return own[failed & counted]

    @property
    def answered(self) -> int:
        """The number of the function's checks that have a verdict other than `unsupported`."""
        return int(self.own["conforms"].notna().sum())

    @property
    def exit_code(self) -> int:
        """0: it conforms; 1: it does not, answered no check, or is strictly to keep its bits and does not."""
        return 0 if self.answered and super().exit_code == 0 and not (self.strict and self.bits) else 1


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows, None where a cell holds nothing."""
    rows: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows
