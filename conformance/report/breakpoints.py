"""Breakpoints: the smallest logit gap at which the sides of an identity part, by sweep, dtype and subject."""

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
    """Logit gap at which an identity breaks, and the subjects that share it.

    Attributes:
        gap: The gap in up to seven digits.
        subjects: The subjects in which the identity breaks there.
        title: The gap's bits, and the values on both sides of it.
    """

    gap: str
    subjects: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Breakpoint:
    """Breakpoints of one identity on one sweep.

    Attributes:
        relation: The identity's name.
        operation: The operation.
        left: The formulation on its left side.
        right: The formulations on its right side.
        case: The sweep's case.
        cells: For each dtype the gaps at which it breaks, the smallest first; none where it holds.
    """

    relation: str
    operation: str
    left: str
    right: tuple[str, ...]
    case: str
    cells: tuple[tuple[Gap, ...], ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject in which it breaks somewhere."""
        return tuple(dict.fromkeys(name for cell in self.cells for gap in cell for name in gap.subjects))


@dataclass(frozen=True)
class Breakpoints:
    """Breakpoints of a run.

    Attributes:
        dtypes: The columns, from narrow to wide.
        claimed: The identities that the posts claim, in the posts' order.
        others: All other identities.
    """

    dtypes: tuple[str, ...]
    claimed: tuple[Breakpoint, ...]
    others: tuple[Breakpoint, ...]

    @property
    def every(self) -> tuple[Breakpoint, ...]:
        """All of them, the posts' first."""
        return self.claimed + self.others


def breakpoints(breaks: pd.DataFrame, claimed: list[str]) -> Breakpoints:
    """The breakpoints of a run's breaks; `claimed` names the posts' identities in the order to show them."""
    broken = [row for row in breaks.to_dict("records") if not missing(row["breaks_at"])]
    dtypes = tuple(sorted({str(row["dtype"]) for row in broken}, key=dtype_order))
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in broken:
        names = row["relation"], row["operation"], row["left"], row.get("case", row["operation"])
        groups.setdefault(tuple(map(str, names)), []).append(row)
    table = []
    for (relation, operation, left, case), rows in groups.items():
        cells = tuple(_gaps([row for row in rows if row["dtype"] == dtype]) for dtype in dtypes)
        right = tuple(dict.fromkeys(str(row["right"]) for row in rows))
        table.append(Breakpoint(relation, operation, left, right, case, cells))
    order = {name: position for position, name in enumerate(claimed)}
    of_posts = sorted((row for row in table if row.relation in order), key=lambda row: order[row.relation])
    return Breakpoints(dtypes, tuple(of_posts), tuple(row for row in table if row.relation not in order))


def _gaps(rows: list[Row]) -> tuple[Gap, ...]:
    gaps = []
    for gap, group in groupby(sorted(rows, key=itemgetter("breaks_at")), key=itemgetter("breaks_at")):
        same_gap = list(group)
        subjects = tuple(dict.fromkeys(str(row["subject"]) for row in same_gap))
        gaps.append(Gap(shown(gap), subjects, _title(same_gap[0])))
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
