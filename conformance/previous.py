"""What changed since the run that lay there before: read late, and compared narrowly for memory's sake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from conformance import regression, stored
from conformance.errors import RunError
from conformance.results import Run

#: What two runs say of a check, or a relation, that is unchanged.
_SAID = ["verdict", "conforms", "ulp_error", "worst_index", "exact", "elements", "message", "bits"]
_JUDGED = ["judgement", "distance"]


def baseline(directory: str | Path, output: str | Path) -> Run:
    """The stored run that another one, about to be written to `output`, will be compared with."""
    run = stored.load(directory)
    if Path(directory).resolve() == Path(output).resolve():
        run.directory = None  # Its observations will be overwritten.
    return run


def last(output: str | Path) -> Run | None:
    """The complete run that `output` holds until another one takes its place; None where there is none."""
    try:
        run = stored.load(output, ("results", "relations"))
    except RunError:
        return None
    run.directory = None  # Its observations will be overwritten.
    return run if run.complete else None


def since(before: Run | None, run: Run) -> regression.Difference | None:
    """What changed since `before`, without what is unchanged; None for no whole run, or no shared subject."""
    if before is None or not run.complete:
        return None
    try:
        return regression.diff(*_apart(before, run), elements=False)
    except RunError:
        return None


def _apart(old: Run, new: Run) -> tuple[Run, Run]:
    """Both runs without the rows that say the same in both: to join those would take most of the memory."""
    checks = _differing(old.frame, new.frame, [*regression.CHECK, *_SAID])
    related = _differing(old.relations(), new.relations(), [*regression.RELATION, *_JUDGED])
    left, right = (
        replace(run, frame=frame, frames={"relations": relations})
        for run, frame, relations in zip((old, new), checks, related, strict=True)
    )
    return left, right


def _differing(old: pd.DataFrame, new: pd.DataFrame, columns: Sequence[str]) -> list[pd.DataFrame]:
    """The rows of each frame that the other one lacks, by 64-bit hashes of these columns."""
    hashes = [pd.util.hash_pandas_object(frame[list(columns)], index=False) for frame in (old, new)]
    return [old[~hashes[0].isin(hashes[1]).to_numpy()], new[~hashes[1].isin(hashes[0]).to_numpy()]]
