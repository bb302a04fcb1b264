"""Pairs of classes that no check meets, by their two axes: where a fault of two things together hides."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby

from conformance.plan.coverage.cells import Cell, OperationCoverage

Pair = tuple[Cell, Cell]


def unmet(coverage: OperationCoverage, excused: Collection[frozenset[Cell]] = ()) -> list[Pair]:
    """The pairs of cells of different axes, each with checks, that no check falls into at once.

    Args:
        coverage: the cells of an operation.
        excused: pairs that cannot meet, for a reason.
    """
    pairs = [(first, second) for first, second, count in coverage.pairs() if not count]
    return [pair for pair in pairs if frozenset(pair) not in excused]


def met(coverage: OperationCoverage) -> int:
    """How many pairs of cells of different axes a check falls into."""
    return sum(count > 0 for _, _, count in coverage.pairs())


def grouped(pairs: Collection[Pair]) -> Iterator[str]:
    """A line of Markdown for each two axes: which classes of one meet none of which of the other.

    Args:
        pairs: pairs of cells that do not meet.
    """
    axes = {pair: (pair[0][0], pair[1][0]) for pair in pairs}
    ordered = sorted(pairs, key=axes.__getitem__)
    for (first, second), together in groupby(ordered, key=axes.__getitem__):
        others: dict[str, list[str]] = {}
        for (_, name), (_, other) in together:
            others.setdefault(name, []).append(other)
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, names in others.items():
            alike.setdefault(tuple(names), []).append(name)
        parts = [f"*{', '.join(names)}* with *{', '.join(missing)}*" for missing, names in alike.items()]
        yield f"- {first} and {second}: {'; '.join(parts)}"
