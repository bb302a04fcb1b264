"""Columns of which few entries differ: what is computed of them is computed once a kind.

Rows of logits in half types, classes that are masked and upstream gradients hold few different numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FloatArray

Places = npt.NDArray[np.intp]

#: Of so few entries none are looked for that recur.
FEW = 64


class Recurring(Sequence[Any]):
    """A column as its kinds and the kind of each place; every kind is somewhere."""

    __slots__ = ("kinds", "places")

    def __init__(self, kinds: Sequence[Any], places: Places) -> None:
        self.kinds = kinds
        self.places = places

    @classmethod
    def of(cls, kinds: Sequence[Any], places: Places) -> Recurring:
        """The column of these kinds, without those that are nowhere."""
        held, places = _compact(places, len(kinds))
        return cls([kinds[kind] for kind in held.tolist()], places)

    def __len__(self) -> int:
        return self.places.size

    def __iter__(self) -> Iterator[Any]:
        return map(self.kinds.__getitem__, self.places.tolist())

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Recurring.of(self.kinds, self.places[place])
        return self.kinds[self.places[place]]

    def __setitem__(self, place: int, value: Any) -> None:
        places = self.places.copy()
        places[place] = len(self.kinds)
        other = Recurring.of([*self.kinds, value], places)
        self.kinds, self.places = other.kinds, other.places

    def first(self, value: Any) -> int:
        """The first place of a value."""
        return int(np.argmax(self.places == self.kinds.index(value)))

    def counted(self) -> Iterator[tuple[int, Any]]:
        """How often each kind occurs, and the kind."""
        return zip(np.bincount(self.places).tolist(), self.kinds, strict=True)


Column: TypeAlias = "list[Any] | Recurring"


class Behind(Iterable[Any]):
    """Columns behind each other, each made when it is asked for."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = columns

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.columns)


def kinds(column: Column) -> Sequence[Any]:
    """What occurs in a column."""
    return column.kinds if isinstance(column, Recurring) else column


def first(column: Column, value: Any) -> int:
    """The first place of a value in a column."""
    return column.first(value) if isinstance(column, Recurring) else column.index(value)


def shared(values: FloatArray) -> Column:
    """The numbers, as kinds where many are equal."""
    if values.size > FEW and _recur(values[:1024].tolist()):
        found, places = np.unique(values, return_inverse=True)
        if found.size <= values.size // 2:
            return Recurring(found.tolist(), places)
    numbers: list[float] = values.tolist()
    return numbers


def recurring(column: Sequence[Any]) -> Recurring | None:
    """The column as kinds, which are objects that recur; None where few of them do.

    Where it seems so from the first thousand, nobody looks.
    """
    if isinstance(column, Recurring):
        return column
    if len(column) <= FEW or not _recur(list(map(id, column[:1024]))):
        return None
    identities = np.fromiter(map(id, column), np.int64, len(column))
    _, chosen, places = np.unique(identities, return_index=True, return_inverse=True)
    if chosen.size > len(column) // 2:
        return None
    return Recurring([column[place] for place in chosen.tolist()], places)


def _recur(begin: list[Any]) -> bool:
    """Whether some of these are the same."""
    return len(set(begin)) < len(begin) - len(begin) // 64


def each(function: Callable[..., Any], *columns: Sequence[Any]) -> Column:
    """The function of each tuple of entries; where the same kinds recur, computed once."""
    held = [recurring(columns[0])]
    for column in columns[1:]:
        if held[-1] is None:
            break
        held.append(recurring(column))
    known = [column for column in held if column is not None]
    joined = _joined(known) if len(known) == len(columns) else None
    if joined is None:
        return list(map(function, *columns))
    chosen, places = joined
    return Recurring(list(map(function, *chosen)), places)


def _joined(columns: Sequence[Recurring]) -> tuple[list[list[Any]], Places] | None:
    """The kinds of tuples, as columns of their entries, and the kind of each place; None where few recur."""
    table, places = [np.arange(len(columns[0].kinds))], columns[0].places
    for column in columns[1:]:
        if column.places is columns[0].places:
            table.append(table[0])
            continue
        size = len(column.kinds)
        codes, places = _compact(places * size + column.places, table[0].size * size)
        table = [*(held[codes // size] for held in table), codes % size]
    if len(columns) > 1 and table[0].size > places.size // 2:
        return None
    pairs = zip(columns, table, strict=True)
    return [[column.kinds[kind] for kind in held.tolist()] for column, held in pairs], places


def _compact(codes: Places, span: int) -> tuple[Places, Places]:
    """The codes that occur, below `span`, and for each place which of them is there."""
    if span > 4 * codes.size:
        return np.unique(codes, return_inverse=True)
    there = np.zeros(span, np.bool_)
    there[codes] = True
    held = np.flatnonzero(there)
    rank = np.empty(span, np.intp)
    rank[held] = np.arange(held.size)
    return held, rank[codes]


def columns(values: Iterable[Any], size: int) -> Iterator[Column]:
    """The columns that the values are made of; `size` at a time where they are a list or come one by one."""
    if isinstance(values, Behind):
        yield from values.columns
    elif isinstance(values, Recurring):
        yield values
    else:
        left = iter(values)
        while part := list(islice(left, size)):
            yield part


def parts(values: Iterable[Any], size: int) -> Iterator[Column]:
    """The values in order, lists `size` at a time at most; what recurs stays together, apart from them."""
    gathered: list[Any] = []
    for column in columns(values, size):
        if isinstance(column, list):
            gathered += column
        while len(gathered) >= size or (gathered and isinstance(column, Recurring)):
            yield gathered[:size]
            gathered = gathered[size:]
        if isinstance(column, Recurring):
            yield column
    if gathered:
        yield gathered
