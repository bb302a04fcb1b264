"""What changed since the run that lay there before: read late, and compared narrowly for memory's sake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from conformance.comparison import difference
from conformance.errors import RunError
from conformance.results import loading
from conformance.results.run import Run

#: What two runs say of a check, or a relation, that is unchanged.
_SAID = ["verdict", "conforms", "ulp_error", "worst_index", "exact", "elements", "message", "bits"]
_JUDGED = ["judgement", "distance"]


def baseline(directory: str | Path, output: str | Path) -> Run:
    """The stored run that another one, about to be written to `output`, will be compared with."""
    run = loading.load(directory)
    if Path(directory).resolve() == Path(output).resolve():
        run.directory = None  # Its observations will be overwritten.
    return run


def since(before: Run | str | Path | None, run: Run) -> difference.Difference | None:
    """What changed since `before`, a run or the directory that holds it, without what is unchanged.

    None where `run` or the one in the directory is not whole, where they share no subject, and where there
    is none before.
    """
    if before is None or not run.complete:
        return None
    checks = _Unlike(run.frame, [*difference.CHECK, *_SAID])
    related = _Unlike(run.relations(), [*difference.RELATION, *_JUDGED])
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
        return difference.diff(old, new, elements=False)
    except RunError:
        return None


class _Unlike:
    """Which rows only one of two frames has, by 64-bit hashes of columns; the old one may come in parts.

    To join the rows that say the same in both would take most of the memory.
    """

    def __init__(self, new: pd.DataFrame, columns: Sequence[str]) -> None:
        self._new = new
        self.columns = list(columns)
        self._hashes = self._hashed(new)
        self._places = pd.Index(pd.unique(self._hashes))
        self._met = np.zeros(len(self._places), np.bool_)

    def chosen(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether the new frame lacks each of these rows of the old one."""
        places = self._places.get_indexer(pd.Index(self._hashed(rows)))
        self._met[places[places >= 0]] = True
        return places < 0

    def rest(self) -> pd.DataFrame:
        """The rows of the new frame that were in no part of the old one."""
        return self._new[~self._met[self._places.get_indexer(pd.Index(self._hashes))]]

    def _hashed(self, frame: pd.DataFrame) -> npt.NDArray[np.uint64]:
        return np.asarray(pd.util.hash_pandas_object(frame[self.columns], index=False), np.uint64)
