"""Dictionary-encoded columns: distinct values and a code a position, so that each value is computed once.

Rows of logits in half types, masked classes and upstream gradients hold few distinct numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FloatArray

Codes = npt.NDArray[np.intp]

#: Columns of at most so many entries are not encoded.
MAX_PLAIN_ENTRIES = 64
#: So many first entries say whether it pays to look for repetitions.
_SAMPLE_ENTRIES = 1024


class EncodedColumn(Sequence[Any]):
    """Column of values that recur, encoded as a dictionary.

    Attributes:
        values: The distinct entries; each of them occurs.
        codes: For each position, the index of its entry in `values`.
    """

    __slots__ = ("codes", "values")

    def __init__(self, values: Sequence[Any], codes: Codes) -> None:
        self.values = values
        self.codes = codes

    @classmethod
    def of(cls, values: Sequence[Any], codes: Codes) -> EncodedColumn:
        """The column of these values, without those that no code names."""
        used, codes = _compact(codes, len(values))
        return cls([values[code] for code in used.tolist()], codes)

    def __len__(self) -> int:
        return self.codes.size

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return EncodedColumn.of(self.values, self.codes[position])
        return self.values[self.codes[position]]

    def __setitem__(self, position: int, value: Any) -> None:
        codes = self.codes.copy()
        codes[position] = len(self.values)
        changed = EncodedColumn.of([*self.values, value], codes)
        self.values, self.codes = changed.values, changed.codes

    def first_position(self, value: Any) -> int:
        """The first position of a value."""
        return int(np.argmax(self.codes == self.values.index(value)))

    def counted(self) -> Iterator[tuple[int, Any]]:
        """How often each value occurs, and the value."""
        return zip(np.bincount(self.codes).tolist(), self.values, strict=True)


Column: TypeAlias = "list[Any] | EncodedColumn"


class ChainedColumns(Iterable[Any]):
    """Columns one behind the other, each made when it is asked for.

    Attributes:
        columns: The columns in order.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = columns

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.columns)


def distinct_values(column: Column) -> Sequence[Any]:
    """The values that occur in a column: each once where it is encoded, else all entries."""
    return column.values if isinstance(column, EncodedColumn) else column


def first_position(column: Column, value: Any) -> int:
    """The first position of a value in a column."""
    return column.first_position(value) if isinstance(column, EncodedColumn) else column.index(value)


def encoded_numbers(numbers: FloatArray) -> Column:
    """The numbers as a column, encoded where at most half of them are distinct."""
    if numbers.size > MAX_PLAIN_ENTRIES and _repeats(numbers[:_SAMPLE_ENTRIES].tolist()):
        values, codes = np.unique(numbers, return_inverse=True)
        if values.size <= numbers.size // 2:
            return EncodedColumn(values.tolist(), codes)
    plain: list[float] = numbers.tolist()
    return plain


def encoded(column: Sequence[Any]) -> EncodedColumn | None:
    """The column encoded by the identity of its entries; None where too few of them recur.

    Where none of the first thousand recurs, the others are not looked at.
    """
    if isinstance(column, EncodedColumn):
        return column
    if len(column) <= MAX_PLAIN_ENTRIES or not _repeats(list(map(id, column[:_SAMPLE_ENTRIES]))):
        return None
    identities = np.fromiter(map(id, column), np.int64, len(column))
    _, positions, codes = np.unique(identities, return_index=True, return_inverse=True)
    if positions.size > len(column) // 2:
        return None
    return EncodedColumn([column[position] for position in positions.tolist()], codes)


def _repeats(sample: list[Any]) -> bool:
    """Whether some entries of a sample are the same."""
    return len(set(sample)) < len(sample) - len(sample) // 64


def each(function: Callable[..., Any], *columns: Sequence[Any]) -> Column:
    """The function of each tuple of entries; where the same tuples recur, computed once for each.

    Args:
        function: Takes an entry of each column, and is pure.
        columns: Columns of one length.
    """
    candidates = [encoded(columns[0])]
    for column in columns[1:]:
        if candidates[-1] is None:
            break
        candidates.append(encoded(column))
    dictionaries = [column for column in candidates if column is not None]
    joined = _joined(dictionaries) if len(dictionaries) == len(columns) else None
    if joined is None:
        return list(map(function, *columns))
    entries, codes = joined
    return EncodedColumn(list(map(function, *entries)), codes)


def _joined(columns: Sequence[EncodedColumn]) -> tuple[list[list[Any]], Codes] | None:
    """The distinct tuples, as columns of their entries, and each position's code; None where few recur."""
    table, codes = [np.arange(len(columns[0].values))], columns[0].codes
    for column in columns[1:]:
        if column.codes is columns[0].codes:
            table.append(table[0])
            continue
        size = len(column.values)
        pairs, codes = _compact(codes * size + column.codes, table[0].size * size)
        table = [*(entries[pairs // size] for entries in table), pairs % size]
    if len(columns) > 1 and table[0].size > codes.size // 2:
        return None
    return [
        [column.values[code] for code in entries.tolist()]
        for column, entries in zip(columns, table, strict=True)
    ], codes


def _compact(codes: Codes, span: int) -> tuple[Codes, Codes]:
    """The codes that occur, all below `span`, and each position's rank among them."""
    if span > 4 * codes.size:
        return np.unique(codes, return_inverse=True)
    occurs = np.zeros(span, np.bool_)
    occurs[codes] = True
    used = np.flatnonzero(occurs)
    rank = np.empty(span, np.intp)
    rank[used] = np.arange(used.size)
    return used, rank[codes]


def columns_of(values: Iterable[Any], size: int) -> Iterator[Column]:
    """The columns that the values are made of; `size` at a time where they are a list or come one by one."""
    if isinstance(values, ChainedColumns):
        yield from values.columns
    elif isinstance(values, EncodedColumn):
        yield values
    else:
        remaining = iter(values)
        while part := list(islice(remaining, size)):
            yield part


def parts_of(values: Iterable[Any], size: int) -> Iterator[Column]:
    """The values in order: lists of at most `size`, and encoded columns whole, beside no other values."""
    gathered: list[Any] = []
    for column in columns_of(values, size):
        if isinstance(column, list):
            gathered += column
        while len(gathered) >= size or (gathered and isinstance(column, EncodedColumn)):
            yield gathered[:size]
            gathered = gathered[size:]
        if isinstance(column, EncodedColumn):
            yield column
    if gathered:
        yield gathered
