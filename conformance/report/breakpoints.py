"""Where each identity stops: the smallest logit gap at which its sides part, per sweep, dtype and subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from conformance.report.figures import dtype_order, missing, plain

Row = Mapping[Any, Any]


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
    broken = [row for row in breaks.to_dict("records") if not missing(row["breaks_at"])]
    dtypes = tuple(sorted({str(row["dtype"]) for row in broken}, key=dtype_order))
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in broken:
        names = row["relation"], row["operation"], row["left"], row.get("case", row["operation"])
        groups.setdefault(tuple(map(str, names)), []).append(row)
    found = []
    for (relation, operation, left, case), rows in groups.items():
        cells = tuple(_gaps([row for row in rows if row["dtype"] == dtype]) for dtype in dtypes)
        right = tuple(dict.fromkeys(str(row["right"]) for row in rows))
        found.append(Stop(relation, operation, left, right, case, cells))
    order = {name: place for place, name in enumerate(claimed)}
    ours = sorted((one for one in found if one.relation in order), key=lambda one: order[one.relation])
    return Stops(dtypes, tuple(ours), tuple(one for one in found if one.relation not in order))


def _gaps(rows: list[Row]) -> tuple[Gap, ...]:
    gaps = []
    for gap, own in groupby(sorted(rows, key=itemgetter("breaks_at")), key=itemgetter("breaks_at")):
        alike = list(own)
        subjects = tuple(dict.fromkeys(str(row["subject"]) for row in alike))
        gaps.append(Gap(shown(gap), subjects, _title(alike[0])))
    return tuple(gaps)


def shown(gap: object) -> str:
    """A gap in up to seven digits: the title has it to the bit."""
    try:
        return f"{float(str(gap)):.7g}"
    except ValueError:
        return str(gap)


def _title(row: Row) -> str:
    return (
        f"holds to {plain(row.get('holds_to'))} ({plain(row.get('holds_to_bits'))}); "
        f"at {plain(row.get('breaks_at'))} ({plain(row.get('breaks_at_bits'))}) "
        f"{plain(row.get('left'))} gives {plain(row.get('left_value'))}, "
        f"{plain(row.get('right'))} {plain(row.get('right_value'))}, exact {plain(row.get('exact'))}"
    )
