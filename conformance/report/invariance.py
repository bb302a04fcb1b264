"""Invariance section: by subject and kind, whether results keep their bits; what changes, farthest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import count, names, ulps

BITWISE, WITHIN, BROKEN = "bitwise", "within bounds", "broken"
#: The kinds in their order, and what changes in each; `invariance.csv` may have more.
KINDS = {
    "batch": "a row alone and in a batch",
    "position": "a row's position in its batch",
    "layout": "contiguous and strided",
    "repeat": "a second call",
    "threads": "one thread and all",
    "threads, all checks": "one thread and all",
    "concurrency": "two calls at once",
}
#: Kinds of a subject that a sentence names.
MAX_NAMED_KINDS = 3


@dataclass(frozen=True)
class Kept:
    """Comparisons of one kind: how many kept their bits.

    Attributes:
        kind: What changed.
        operation: The operation; empty: all.
        dtype: The dtype; empty: all.
        subject: The subject.
        verdict: `bitwise`, `within bounds` or `broken`.
        compared: How many results were compared.
        bitwise: How many of them kept every bit.
        largest: The largest distance, in ulps.
        worst_case: The case that shows it.
    """

    kind: str
    operation: str
    dtype: str
    subject: str
    verdict: str
    compared: int
    bitwise: int
    largest: str
    worst_case: str

    @property
    def meaning(self) -> str:
        """What changed, in words."""
        return KINDS.get(self.kind, self.kind)


@dataclass(frozen=True)
class Invariance:
    """Invariance of a run.

    Attributes:
        kinds: The kinds that were compared, in order.
        rows: By subject, in order: one for each kind; None where nothing was compared.
        changes: Per operation, dtype, subject and kind what did not keep its bits, the farthest first.
        every: The same for all that was compared.
    """

    kinds: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[Kept | None, ...]], ...] = ()
    changes: tuple[Kept, ...] = ()
    every: tuple[Kept, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence a subject."""
        return tuple(_sentence(subject, [cell for cell in cells if cell]) for subject, cells in self.rows)


def invariance(frame: pd.DataFrame, subjects: Sequence[str]) -> Invariance:
    """Sums a run's frame `invariance` up.

    Args:
        frame: Columns as `results.run.INVARIANCE`.
        subjects: The run's subjects, in order.
    """
    if frame.empty:
        return Invariance()
    present = [str(kind) for kind in frame["kind"].unique()]
    kinds = [kind for kind in KINDS if kind in present] + [kind for kind in present if kind not in KINDS]
    whole = {(kept.subject, kept.kind): kept for kept in _summed(frame, ["subject", "kind"])}
    order = [name for name in subjects if name in set(frame["subject"])]
    rows = [(name, tuple(whole.get((name, kind)) for kind in kinds)) for name in order]
    every = _summed(frame, ["operation", "dtype", "subject", "kind"])
    return Invariance(
        tuple(kinds), tuple(rows), tuple(k for k in every if k.verdict != BITWISE), tuple(every)
    )


def _summed(frame: pd.DataFrame, keys: list[str]) -> list[Kept]:
    """The rows of the frame summed over all but the keys, those that changed most first."""
    summed = []
    for values, rows in frame.groupby(keys, sort=True, observed=True):
        about = dict(zip(keys, map(str, values), strict=True))
        worst = rows.sort_values("largest_distance", ascending=False, kind="stable").iloc[0]
        compared, bitwise = int(rows["compared"].sum()), int(rows["bitwise"].sum())
        broken = int(rows["broken"].sum())
        verdict = BROKEN if broken else BITWISE if bitwise == compared else WITHIN
        largest = float(worst["largest_distance"])
        kept = Kept(
            about.get("kind", ""),
            about.get("operation", ""),
            about.get("dtype", ""),
            about.get("subject", ""),
            verdict,
            compared,
            bitwise,
            ulps(largest),
            "" if verdict == BITWISE else str(worst["worst_case"]),
        )
        summed.append((verdict != BROKEN, -largest, kept))
    return [kept for _, _, kept in sorted(summed, key=lambda each: each[:2])]


def _sentence(subject: str, cells: Sequence[Kept]) -> str:
    """What one subject's results depend on."""
    compared, bitwise = (sum(getattr(cell, name) for cell in cells) for name in ("compared", "bitwise"))
    changed = sorted(
        (cell for cell in cells if cell.verdict != BITWISE), key=lambda cell: cell.verdict != BROKEN
    )
    if not changed:
        return f"{subject}: bitwise in all of {count(compared, 'comparison')}"
    named = [
        f"{cell.kind} ({cell.compared - cell.bitwise:,}, {cell.verdict})"
        for cell in changed[:MAX_NAMED_KINDS]
    ]
    more = len(changed) - len(named)
    named += [f"{more} more"] if more > 0 else []
    return f"{subject}: {bitwise:,} of {count(compared, 'comparison')} bitwise; bits depend on {names(named)}"
