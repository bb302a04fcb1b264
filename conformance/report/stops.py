"""Where each identity stops: the smallest logit gap at which its sides part, per sweep, dtype and subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.figures import dtype_order, missing, plain


@dataclass(frozen=True)
class Gap:
    """One breaking gap and the subjects that share it; `title` has the bits and the values on both sides."""

    gap: str
    subjects: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Stop:
    """One identity on one sweep; `cells` has each dtype's gaps, the smallest first, none where it holds."""

    relation: str
    operation: str
    left: str
    right: tuple[str, ...]
    case: str
    cells: tuple[tuple[Gap, ...], ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject in which it stops somewhere."""
        return tuple(dict.fromkeys(name for cell in self.cells for gap in cell for name in gap.subjects))


@dataclass(frozen=True)
class Stops:
    """Identities that stop: those that the posts claim, and the others."""

    dtypes: tuple[str, ...]
    claimed: tuple[Stop, ...]
    others: tuple[Stop, ...]

    @property
    def every(self) -> tuple[Stop, ...]:
        """All of them, the posts' first."""
        return self.claimed + self.others


def stops(breaks: pd.DataFrame, claimed: list[str]) -> Stops:
    """The run's breaks as a table; `claimed` names the posts' identities in the order to show them."""
    broken = breaks[~breaks["breaks_at"].map(missing).astype(bool)] if len(breaks) else breaks
    if not len(broken):
        return Stops((), (), ())
    dtypes = tuple(sorted({str(name) for name in broken["dtype"]}, key=dtype_order))
    sweep = "case" if "case" in broken else "operation"
    found = []
    for (relation, operation, left, case), rows in broken.groupby(
        ["relation", "operation", "left", sweep], sort=False
    ):
        cells = tuple(_gaps(rows[rows["dtype"].eq(dtype)]) for dtype in dtypes)
        right = tuple(dict.fromkeys(str(name) for name in rows["right"]))
        found.append(Stop(str(relation), str(operation), str(left), right, str(case), cells))
    order = {name: place for place, name in enumerate(claimed)}
    ours = sorted((one for one in found if one.relation in order), key=lambda one: order[one.relation])
    return Stops(dtypes, tuple(ours), tuple(one for one in found if one.relation not in order))


def _gaps(rows: pd.DataFrame) -> tuple[Gap, ...]:
    gaps = []
    for gap, own in rows.groupby("breaks_at", sort=True):
        subjects = tuple(dict.fromkeys(str(name) for name in own["subject"]))
        gaps.append(Gap(shown(gap), subjects, _title(own.iloc[0].to_dict())))
    return tuple(gaps)


def shown(gap: object) -> str:
    """A gap in up to seven digits: the title has it to the bit."""
    try:
        return f"{float(str(gap)):.7g}"
    except ValueError:
        return str(gap)


def _title(row: Mapping[Any, Any]) -> str:
    return (
        f"holds to {plain(row.get('holds_to'))} ({plain(row.get('holds_to_bits'))}); "
        f"at {plain(row.get('breaks_at'))} ({plain(row.get('breaks_at_bits'))}) "
        f"{plain(row.get('left'))} gives {plain(row.get('left_value'))}, "
        f"{plain(row.get('right'))} {plain(row.get('right_value'))}, exact {plain(row.get('exact'))}"
    )
