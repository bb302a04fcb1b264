"""Answers of miniatures, kept: words are judged anew in seconds, without asking anybody again."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import table

import conformance
from conformance.cases.case import Case
from conformance.cases.discovery import corpus
from conformance.results.run import Run

PACKAGE = Path(conformance.__file__).parent
#: What answers and their verdicts depend on, beside the miniatures' own texts.
_ROOMS = (
    "adapters",
    "arithmetic",
    "cases",
    "execution",
    "judging",
    "operations",
    "plan",
    "results",
    "subjects",
)


class Answers:
    """Runs of batches in a directory, by the texts of their miniatures and of all that answers rest on."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def get(self, batch: Sequence[table.Miniature], cases: Sequence[Case], ask: Callable[[], Run]) -> Run:
        """The run of a batch over cases: the kept one, or what `ask` returns, kept where it is complete."""
        if self.directory is None:
            return ask()
        path = self.directory / f"{batch_digest(batch, cases)}.pickle"
        if path.exists():
            frame, environment, frames = pickle.loads(path.read_bytes())
            return Run(frame, environment, frames)
        run = ask()
        if run.complete:
            self.directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps((run.frame, run.environment, {"invariance": run.invariance()})))
        return run


def batch_digest(batch: Sequence[table.Miniature], cases: Sequence[Case]) -> str:
    """The digest of a batch: its miniatures, the cases, and the texts that answers and verdicts come from."""
    names = [(one.framework, one.name) for one in batch]
    ids = [case.id for case in cases]
    return hashlib.sha256(repr((names, ids, grounds_digest())).encode()).hexdigest()[:16]


@cache
def grounds_digest() -> str:
    """The digest of the miniatures, which use one another, of the cases, and of the rooms behind verdicts."""
    files = sorted(path for room in _ROOMS for path in (PACKAGE / room).rglob("*.py"))
    files += sorted(corpus().rglob("*.yaml"))
    files += sorted(path for path in table.HERE.rglob("*.py") if not path.name.startswith("test_"))
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()
