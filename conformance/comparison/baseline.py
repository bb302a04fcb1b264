"""Baseline: an earlier run, and what changed since; only the rows that differ are joined, to save memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from conformance.comparison.difference import Difference, diff
from conformance.comparison.joined_runs import CHECK, RELATION
from conformance.errors import RunError
from conformance.results import loading
from conformance.results.run import Run

#: Columns that are the same in both runs for a check, or a relation, that is unchanged.
_OUTCOME = ["verdict", "conforms", "ulp_error", "worst_index", "exact", "elements", "message", "bits"]
_JUDGEMENT = ["judgement", "distance"]


def load_baseline(directory: str | Path, output: str | Path) -> Run:
    """The stored run that another one, about to be written to `output`, will be compared with."""
    run = loading.load(directory)
    if Path(directory).resolve() == Path(output).resolve():
        run.directory = None  # Its observations will be overwritten.
    return run


def changes_since(before: Run | str | Path | None, run: Run) -> Difference | None:
    """What changed since `before`, a run or the directory that holds it, without what is unchanged.

    None where `run` or the one in the directory is not whole, where they share no subject, and where there
    is none before.
    """
    if before is None or not run.complete:
        return None
    checks = _UnmatchedRows(run.frame, [*CHECK, *_OUTCOME])
    related = _UnmatchedRows(run.relations(), [*RELATION, *_JUDGEMENT])
    try:
        if isinstance(before, Run):
            frame, relations = before.frame, before.relations()
            old = replace(
                before,
                frame=frame[checks.chosen(frame)],
                frames={"relations": relations[related.chosen(relations)]},
            )
        else:
            old = loading.load(before, ("results", "relations"), {"results": checks, "relations": related})
            old.directory = None  # Its observations will be overwritten.
            if not old.complete:
                return None
        new = replace(run, frame=checks.rest(), frames={"relations": related.rest()})
        return diff(old, new, elements=False)
    except RunError:
        return None


class _UnmatchedRows:
    """Which rows only one of two frames has, by 64-bit hashes of columns; the old one may come in parts.

    To join the rows that say the same in both would take most of the memory.
    """

    def __init__(self, new: pd.DataFrame, columns: Sequence[str]) -> None:
        self._new = new
        self.columns = list(columns)
        self._hashes = self._hashed(new)
        self._distinct = pd.Index(pd.unique(self._hashes))
        self._matched = np.zeros(len(self._distinct), np.bool_)

    def chosen(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether the new frame lacks each of these rows of the old one."""
        positions = self._distinct.get_indexer(pd.Index(self._hashed(rows)))
        self._matched[positions[positions >= 0]] = True
        return positions < 0

    def rest(self) -> pd.DataFrame:
        """The rows of the new frame that were in no part of the old one."""
        return self._new[~self._matched[self._distinct.get_indexer(pd.Index(self._hashes))]]

    def _hashed(self, frame: pd.DataFrame) -> npt.NDArray[np.uint64]:
        return np.asarray(pd.util.hash_pandas_object(frame[self.columns], index=False), np.uint64)
