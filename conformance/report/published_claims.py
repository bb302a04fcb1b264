"""Published claims: the figures that the posts print, and their identities on the posts' own inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.breakpoints import Breakpoints, breakpoints
from conformance.report.figures import missing, plain, ulps

JUDGEMENTS = ("identical", "within bounds", "broken")
_COLUMNS = ("relation", "operation", "left", "right", "judgement", "textbook", "distance", "subject", "dtype")


@dataclass(frozen=True)
class FigureAnswer:
    """Answer of one subject to a printed figure.

    Attributes:
        subject: The subject.
        observed: What it returns; of an unconfirmed figure, by a formulation that does not confirm it.
        confirmed: Whether every formulation confirms the figure.
        ways: The formulations that confirm it.
    """

    subject: str
    observed: str
    confirmed: bool
    ways: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """Figure that a post prints.

    Attributes:
        cases: The cases that hold it.
        printed: The figure as the post prints it.
        exact: The exact value.
        answers: What each subject returns.
    """

    cases: tuple[str, ...]
    printed: str
    exact: str
    answers: tuple[FigureAnswer, ...]

    @property
    def confirmed(self) -> bool:
        """Whether every subject confirms it."""
        return all(answer.confirmed for answer in self.answers)

    def of(self, subject: str) -> FigureAnswer | None:
        """What one subject returns; None where it was not asked."""
        return next((answer for answer in self.answers if answer.subject == subject), None)


@dataclass(frozen=True)
class Identity:
    """Identity on one post's inputs, or on all other inputs: how often it holds, and how.

    Attributes:
        name: The identity.
        operation: The operation.
        left: The formulations on its left side, as text.
        right: Those on its right side.
        textbook: Whether a textbook formulation is one of its sides.
        counts: How many checks are identical, within bounds, and broken.
        broken_in: The subjects and dtypes in which it breaks.
        largest: The largest distance of its sides in ulps, as text.
    """

    name: str
    operation: str
    left: str
    right: str
    textbook: bool
    counts: tuple[int, int, int]
    broken_in: tuple[str, ...]
    largest: str

    @property
    def holds(self) -> bool:
        """Whether it is broken nowhere."""
        return self.counts[2] == 0


@dataclass(frozen=True)
class Post:
    """Source of cases with what it prints and claims.

    Attributes:
        source: The source's name.
        title: What it is called; empty where its file of cases says nothing.
        figures: The figures that it prints.
        identities: The identities that it claims, on its own inputs.
    """

    source: str
    title: str
    figures: tuple[Figure, ...]
    identities: tuple[Identity, ...]

    @property
    def confirmed(self) -> int:
        """How many of its figures every subject confirms."""
        return sum(figure.confirmed for figure in self.figures)

    @property
    def broken(self) -> list[Identity]:
        """The identities that some check breaks."""
        return [identity for identity in self.identities if not identity.holds]

    @property
    def holding(self) -> list[Identity]:
        """The identities that every check keeps."""
        return [identity for identity in self.identities if identity.holds]


@dataclass(frozen=True)
class Claims:
    """Claims of all posts.

    Attributes:
        posts: The posts.
        elsewhere: The identities on the inputs of no post.
        breakpoints: Where the identities break.
    """

    posts: tuple[Post, ...]
    elsewhere: tuple[Identity, ...]
    breakpoints: Breakpoints


def claims(
    frame: pd.DataFrame,
    relations: pd.DataFrame,
    breaks: pd.DataFrame,
    printed: pd.DataFrame,
    titles: Mapping[str, str],
) -> Claims:
    """The posts are the sources of the cases tagged `seed`; identities on other cases are summed up apart."""
    seeds = [tags for tags in frame["tags"].unique() if "seed" in plain(tags).split(";")]
    tagged = frame.loc[frame["tags"].isin(seeds), "source"]
    sources = sorted(
        {str(s) for s in [*tagged.dropna().unique(), *printed.get("source", pd.Series(dtype=str))] if s}
    )
    source_of = relations["source"].fillna("").astype(str) if len(relations) else pd.Series(dtype=str)
    posts = []
    for source in sources:
        figures = _figures(printed[printed["source"].eq(source)]) if len(printed) else ()
        identities = _identities(relations[source_of.eq(source)]) if len(relations) else ()
        if figures or identities:
            posts.append(Post(source, titles.get(source, ""), figures, identities))
    elsewhere = _identities(relations[~source_of.isin(sources)]) if len(relations) else ()
    claimed = list(dict.fromkeys(identity.name for post in posts for identity in post.identities))
    return Claims(tuple(posts), elsewhere, breakpoints(breaks, claimed))


def _figures(printed: pd.DataFrame) -> tuple[Figure, ...]:
    out = []
    for (shown, exact), rows in printed.groupby(["printed", "exact"], sort=False):
        answers = []
        for subject, answered in rows.groupby("subject", sort=False):
            confirmed = answered["confirmed"].fillna(False).astype(bool)
            shown_row = answered[~confirmed].iloc[0] if not confirmed.all() else answered.iloc[0]
            ways = tuple(str(name) for name in answered.loc[confirmed, "formulation"])
            answers.append(
                FigureAnswer(str(subject), str(shown_row["observed"]), bool(confirmed.all()), ways)
            )
        cases = tuple(dict.fromkeys(str(case) for case in rows["case"]))
        out.append(Figure(cases, str(shown), str(exact), tuple(answers)))
    return tuple(out)


def _identities(relations: pd.DataFrame) -> tuple[Identity, ...]:
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    # Cells, not frames: of a hundred small groups each step of pandas would cost more than all their cells.
    for name, operation, *cells in zip(*(relations[column].tolist() for column in _COLUMNS), strict=True):
        groups.setdefault((name, operation), []).append(tuple(cells))
    return tuple(_identity(name, operation, rows) for (name, operation), rows in groups.items())


def _identity(name: str, operation: str, rows: list[tuple[Any, ...]]) -> Identity:
    lefts, rights, judged, textbook, distances, subjects, dtypes = zip(*rows, strict=True)
    places = zip(judged, subjects, dtypes, strict=True)
    identical, within, broken = (judged.count(word) for word in JUDGEMENTS)
    return Identity(
        name,
        operation,
        " or ".join(dict.fromkeys(lefts)),
        " or ".join(dict.fromkeys(rights)),
        all(value is True for value in textbook),
        (identical, within, broken),
        tuple(dict.fromkeys(f"{subject} {dtype}" for word, subject, dtype in places if word == "broken")),
        ulps(max((value for value in distances if not missing(value)), default=None)),
    )
