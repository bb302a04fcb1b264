"""Interfaces of a run and of a difference: what the report needs of them, not how they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

Arguments = Mapping[str, object]
InputsOf = Callable[[str, str], Arguments]  # (case, dtype) -> the case's arguments, rounded to the dtype


class DifferenceLike(Protocol):
    """What changed between two runs, as `conformance/comparison/difference.py` finds it."""

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each check and relation with its `change`, what asks for attention first."""

    @property
    def old(self) -> RunLike:
        """The earlier run."""

    @property
    def new(self) -> RunLike:
        """The later run."""

    @property
    def pairs(self) -> Sequence[PairLike]:
        """The subjects that were compared."""


class PairLike(Protocol):
    """A subject's names in both runs."""

    @property
    def old(self) -> str:
        """In the earlier run."""

    @property
    def new(self) -> str:
        """In the later run."""

    @property
    def label(self) -> str:
        """The pair's own name."""


class RunLike(Protocol):
    """A run as the report sees it; every frame has the columns that `results/run.py` documents."""

    @property
    def frame(self) -> pd.DataFrame:
        """Every check, one a row."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions, hardware, settings and times (`run.json`)."""

    @property
    def directory(self) -> Path | None:
        """Where the run lies, with the record of what the subjects returned; None: nowhere."""

    @property
    def arguments(self) -> InputsOf | None:
        """The cases' inputs, for the reproductions; None where they are no longer at hand."""

    def tolerance(self) -> pd.DataFrame:
        """Per operation, formulation, quantity, dtype and subject: counts, ulps and the worst case."""

    def equivalence(self) -> pd.DataFrame:
        """Per pair of subjects: shared checks, identical bits, distances in ulps."""

    def invariance(self) -> pd.DataFrame:
        """Whether results keep their bits."""

    def relations(self) -> pd.DataFrame:
        """Every identity on every case: `identical`, `within bounds` or `broken`."""

    def breaks(self) -> pd.DataFrame:
        """The smallest logit gap at which an identity breaks, bisected to the bit."""

    def sweep(self) -> pd.DataFrame:
        """Error in ulps over the logit gap, for the stability frontier."""

    def printed(self) -> pd.DataFrame:
        """The figures that the sources print, and who confirms them."""

    def agree_and_lose(self) -> pd.DataFrame:
        """Checks on which all subjects agree and all are far from the exact value."""
