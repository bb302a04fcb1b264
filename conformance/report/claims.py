"""What the posts claim: printed figures, identities, and the logit gap at which each identity stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.figures import dtype_order, plain, ulps

JUDGEMENTS = ("identical", "within bounds", "broken")


@dataclass(frozen=True)
class FigureAnswer:
    """What one subject returns for a figure; `ways` are the formulations that confirm it."""

    subject: str
    observed: str
    confirmed: bool
    ways: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A figure that a post prints, its exact value, and what each subject returns."""

    case: str
    printed: str
    exact: str
    answers: tuple[FigureAnswer, ...]

    @property
    def confirmed(self) -> bool:
        """Whether every subject confirms it."""
        return all(answer.confirmed for answer in self.answers)


@dataclass(frozen=True)
class Identity:
    """An identity on one post's inputs, or on all other inputs: how often it holds, and how."""

    name: str
    left: str
    right: str
    textbook: bool
    counts: tuple[int, int, int]  # identical, within bounds, broken
    broken_in: tuple[str, ...]
    largest: str

    @property
    def holds(self) -> bool:
        """Whether it is broken nowhere."""
        return self.counts[2] == 0


@dataclass(frozen=True)
class Post:
    """One source with what it prints and claims."""

    source: str
    figures: tuple[Figure, ...]
    identities: tuple[Identity, ...]


@dataclass(frozen=True)
class Break:
    """Where an identity stops in one subject and dtype; `gap` is None when it held at every gap tried."""

    gap: str | None
    title: str


@dataclass(frozen=True)
class Breaks:
    """One identity's breaking gaps: a row a subject, a column a dtype."""

    relation: str
    operation: str
    left: str
    right: str
    dtypes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Break | None, ...]], ...]


@dataclass(frozen=True)
class Claims:
    """Everything of the section."""

    posts: tuple[Post, ...]
    elsewhere: tuple[Identity, ...]
    breaks: tuple[Breaks, ...]


def claims(
    frame: pd.DataFrame, relations: pd.DataFrame, breaks: pd.DataFrame, printed: pd.DataFrame
) -> Claims:
    """The posts are the sources of the cases tagged `seed`; identities on other cases are summed up apart."""
    tagged = frame.loc[
        frame["tags"].fillna("").astype(str).str.split(";").map(lambda tags: "seed" in tags), "source"
    ]
    sources = sorted(
        {str(s) for s in [*tagged.dropna().unique(), *printed.get("source", pd.Series(dtype=str))] if s}
    )
    source_of = relations["source"].fillna("").astype(str) if len(relations) else pd.Series(dtype=str)
    posts = []
    for source in sources:
        figures = _figures(printed[printed["source"].eq(source)]) if len(printed) else ()
        identities = _identities(relations[source_of.eq(source)]) if len(relations) else ()
        if figures or identities:
            posts.append(Post(source, figures, identities))
    elsewhere = _identities(relations[~source_of.isin(sources)]) if len(relations) else ()
    return Claims(tuple(posts), elsewhere, _breaks(breaks))


def _figures(printed: pd.DataFrame) -> tuple[Figure, ...]:
    out = []
    for (case, shown, exact), rows in printed.groupby(["case", "printed", "exact"], sort=False):
        answers = []
        for subject, own in rows.groupby("subject", sort=False):
            confirmed = own["confirmed"].fillna(False).astype(bool)
            shown_row = own[~confirmed].iloc[0] if not confirmed.all() else own.iloc[0]
            ways = tuple(str(name) for name in own.loc[confirmed, "formulation"])
            answers.append(
                FigureAnswer(str(subject), str(shown_row["observed"]), bool(confirmed.all()), ways)
            )
        out.append(Figure(str(case), str(shown), str(exact), tuple(answers)))
    return tuple(out)


def _identities(relations: pd.DataFrame) -> tuple[Identity, ...]:
    out = []
    for (name, left, right), rows in relations.groupby(["relation", "left", "right"], sort=False):
        judged = rows["judgement"].value_counts().to_dict()
        broken = rows[rows["judgement"].eq("broken")]
        where = broken[["subject", "dtype"]].drop_duplicates()
        places = tuple(f"{subject} {dtype}" for subject, dtype in where.itertuples(index=False))
        identical, within, broke = (int(judged.get(word, 0)) for word in JUDGEMENTS)
        counts = (identical, within, broke)
        textbook = bool(rows["textbook"].fillna(False).astype(bool).all())
        out.append(
            Identity(
                str(name),
                str(left),
                str(right),
                textbook,
                counts,
                places,
                ulps(rows["distance"].max()),
            )
        )
    return tuple(out)


def _breaks(breaks: pd.DataFrame) -> tuple[Breaks, ...]:
    out = []
    if not len(breaks):
        return ()
    for (relation, operation), rows in breaks.groupby(["relation", "operation"], sort=False):
        dtypes = tuple(sorted({str(d) for d in rows["dtype"]}, key=dtype_order))
        cells = {(str(r["subject"]), str(r["dtype"])): _break(r) for r in rows.to_dict("records")}
        subjects = list(dict.fromkeys(str(s) for s in rows["subject"]))
        table = tuple(
            (subject, tuple(cells.get((subject, dtype)) for dtype in dtypes)) for subject in subjects
        )
        first = rows.iloc[0]
        out.append(
            Breaks(str(relation), str(operation), str(first["left"]), str(first["right"]), dtypes, table)
        )
    return tuple(out)


def _break(row: Mapping[Any, Any]) -> Break:
    gap = plain(row.get("breaks_at"))
    if not gap:
        held = plain(row.get("holds_to"))
        return Break(None, f"holds up to a gap of {held}" if held else "holds at every gap tried")
    return Break(
        gap,
        f"holds to {plain(row.get('holds_to'))} ({plain(row.get('holds_to_bits'))}); at {gap} "
        f"({plain(row.get('breaks_at_bits'))}) left is {plain(row.get('left_value'))}, "
        f"right {plain(row.get('right_value'))}, exact {plain(row.get('exact'))}",
    )


def first_gaps(table: Breaks) -> dict[str, str]:
    """The smallest breaking gap of any subject, per dtype in which there is one."""
    out = {}
    for place, dtype in enumerate(table.dtypes):
        cells = (cells[place] for _, cells in table.rows)
        gaps = [cell.gap for cell in cells if cell is not None and cell.gap]
        if gaps:
            out[dtype] = min(gaps, key=_size)
    return out


def _size(gap: str) -> float:
    try:
        return float(gap)
    except ValueError:
        return math.inf
