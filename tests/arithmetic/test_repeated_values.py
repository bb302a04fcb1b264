"""A column of few values is the list of its entries, and is settled as the list is."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arithmetic import FORMATS, balls, correct_rounding
from conformance.arithmetic.repeated_values import (
    MAX_PLAIN_ENTRIES,
    ChainedColumns,
    EncodedColumn,
    distinct_values,
    each,
    encoded,
    first_position,
    parts_of,
)

VALUES = ["a", "b", "c", "d", "e"]
CODES = st.lists(st.integers(0, 4), min_size=1, max_size=200)


def column(codes: list[int]) -> EncodedColumn:
    return EncodedColumn.of(VALUES, np.array(codes))


@given(CODES, st.data())
def test_a_column_reads_as_the_list_of_its_entries(codes: list[int], data: st.DataObject) -> None:
    dictionary, plain = column(codes), [VALUES[code] for code in codes]
    assert list(dictionary) == plain
    assert sorted(dictionary.counted()) == sorted((plain.count(value), value) for value in set(plain))
    assert all(first_position(dictionary, value) == plain.index(value) for value in set(plain))
    position = data.draw(st.integers(0, len(plain) - 1))
    assert dictionary[position] == plain[position]
    assert list(dictionary[position:]) == plain[position:]
    assert set(distinct_values(dictionary[position:])) == set(plain[position:])
    before = EncodedColumn(dictionary.values, dictionary.codes)
    dictionary[position] = plain[position] = data.draw(st.sampled_from(["a", "z"]))
    assert list(dictionary) == plain
    assert set(distinct_values(dictionary)) == set(plain)
    assert list(before) == [VALUES[code] for code in codes]  # what shared its codes is as it was


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
        min_size=MAX_PLAIN_ENTRIES + 1,
        max_size=300,
    )
)
def test_a_function_of_columns_is_taken_once_a_distinct_tuple(rows: list[tuple[int, int, int]]) -> None:
    columns = [column(list(codes)) for codes in zip(*rows, strict=True)]
    asked = []

    def joined(*entries: str) -> str:
        asked.append(entries)
        return "".join(entries)

    results = each(joined, *columns, columns[0])
    assert list(results) == ["".join([VALUES[code] for code in (*row, row[0])]) for row in rows]
    assert isinstance(results, list) or len(asked) == len(set(rows)) <= len(rows) // 2


def test_lists_of_the_same_objects_are_columns_of_values() -> None:
    few = [object(), object()]
    dictionary = encoded(few * MAX_PLAIN_ENTRIES)
    assert dictionary is not None
    assert dictionary.values == few or dictionary.values == few[::-1]
    assert list(dictionary) == few * MAX_PLAIN_ENTRIES
    assert encoded([object() for _ in range(2 * MAX_PLAIN_ENTRIES)]) is None
    assert encoded(few * (MAX_PLAIN_ENTRIES // 2)) is None


def pieces(lengths: list[int]) -> Iterator[list[int] | EncodedColumn]:
    for number, length in enumerate(lengths):
        entries = [number] * length
        yield entries if number % 3 else EncodedColumn.of([number], np.zeros(length, np.intp))


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_parts_are_all_there_is_in_order(lengths: list[int], size: int) -> None:
    plain = [number for number, length in enumerate(lengths) for _ in range(length)]
    assert list(ChainedColumns(pieces(lengths))) == plain
    for results in (
        parts_of(ChainedColumns(pieces(lengths)), size),
        parts_of(iter(plain), size),
        parts_of(plain, size),
    ):
        dictionary = list(results)
        assert [entry for part in dictionary for entry in part] == plain
        assert all(0 < len(part) <= size for part in dictionary if isinstance(part, list))


NUMBERS = (0.0, 1.0, -3.5, 1e-320, float("inf"), float("nan"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=150), st.sampled_from(["float16", "float32", "float64"])
)
@pytest.mark.parametrize("cut", [0, 40])
def test_what_recurs_is_settled_as_a_list_is(cut: int, codes: list[int], name: str) -> None:
    """Also digits that no double-double holds (entries 3, 6 and 7), and with other columns around it."""

    def made() -> list[balls.Ball]:
        beyond = [balls.scaled_power(3, 2000), balls.scaled_power(-5, -1500)]
        return [*map(balls.ball, NUMBERS), *beyond]

    def as_columns() -> ChainedColumns:
        dictionary = EncodedColumn.of(made(), np.array(codes))
        return ChainedColumns([dictionary[:cut], list(dictionary[cut:]), dictionary] if cut else [dictionary])

    fmt = FORMATS[name]
    together, alone = (
        correct_rounding.settle(fmt, as_columns),
        correct_rounding.settle(fmt, lambda: iter(list(as_columns()))),
    )
    assert together.outside == alone.outside
    assert bool(together.outside) == bool({3, 6, 7} & set(codes))
    for field in ("rounded", "high", "low", "ulp"):
        assert getattr(together, field).tobytes() == getattr(alone, field).tobytes()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300))
def test_a_sum_counts_what_recurs(codes: list[int]) -> None:
    numbers = [balls.ball(value) for value in (1.5, -1e300, 2.0**-1000, 3.0)]
    dictionary = EncodedColumn.of(numbers, np.array(codes))
    assert balls.exact_sum(dictionary) == balls.exact_sum(list(dictionary))
    with balls.precision(128):
        products = each(operator.mul, dictionary, dictionary)
        assert balls.sum_of(products).overlaps(balls.sum_of(list(products)))
