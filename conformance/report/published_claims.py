"""What the posts claim: the figures that they print, and their identities on their own inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.breakpoints import Stops, stops
from conformance.report.figures import missing, plain, ulps

JUDGEMENTS = ("identical", "within bounds", "broken")
_TOLD = ("relation", "operation", "left", "right", "judgement", "textbook", "distance", "subject", "dtype")


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
    """An identity on one post's inputs, or on all other inputs: how often it holds, and how."""

    name: str
    operation: str
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
    """Everything of the section."""

    posts: tuple[Post, ...]
    elsewhere: tuple[Identity, ...]
    stops: Stops


def claims(
    frame: pd.DataFrame, relations: pd.DataFrame, breaks: pd.DataFrame, printed: pd.DataFrame
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
            posts.append(Post(source, figures, identities))
    elsewhere = _identities(relations[~source_of.isin(sources)]) if len(relations) else ()
    claimed = list(dict.fromkeys(identity.name for post in posts for identity in post.identities))
    return Claims(tuple(posts), elsewhere, stops(breaks, claimed))


def _figures(printed: pd.DataFrame) -> tuple[Figure, ...]:
    out = []
    for (shown, exact), rows in printed.groupby(["printed", "exact"], sort=False):
        answers = []
        for subject, own in rows.groupby("subject", sort=False):
            confirmed = own["confirmed"].fillna(False).astype(bool)
            shown_row = own[~confirmed].iloc[0] if not confirmed.all() else own.iloc[0]
            ways = tuple(str(name) for name in own.loc[confirmed, "formulation"])
            answers.append(
                FigureAnswer(str(subject), str(shown_row["observed"]), bool(confirmed.all()), ways)
            )
        cases = tuple(dict.fromkeys(str(case) for case in rows["case"]))
        out.append(Figure(cases, str(shown), str(exact), tuple(answers)))
    return tuple(out)


def _identities(relations: pd.DataFrame) -> tuple[Identity, ...]:
    groups: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    # Cells, not frames: of a hundred small groups each step of pandas would cost more than all their cells.
    for name, operation, *cells in zip(*(relations[column].tolist() for column in _TOLD), strict=True):
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
        all(one is True for one in textbook),
        (identical, within, broken),
        tuple(dict.fromkeys(f"{subject} {dtype}" for word, subject, dtype in places if word == "broken")),
        ulps(max((one for one in distances if not missing(one)), default=None)),
    )
