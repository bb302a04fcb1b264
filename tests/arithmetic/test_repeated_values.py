"""A column of few kinds is the list of its entries, and is settled as the list is."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arithmetic import FORMATS, balls, correct_rounding
from conformance.arithmetic.repeated_values import (
    FEW,
    Behind,
    Recurring,
    each,
    first,
    kinds,
    parts,
    recurring,
)

KINDS = ["a", "b", "c", "d", "e"]
PLACES = st.lists(st.integers(0, 4), min_size=1, max_size=200)


def column(places: list[int]) -> Recurring:
    return Recurring.of(KINDS, np.array(places))


@given(PLACES, st.data())
def test_a_column_reads_as_the_list_of_its_entries(places: list[int], data: st.DataObject) -> None:
    held, plain = column(places), [KINDS[place] for place in places]
    assert list(held) == plain
    assert sorted(held.counted()) == sorted((plain.count(kind), kind) for kind in set(plain))
    assert all(first(held, kind) == plain.index(kind) for kind in set(plain))
    place = data.draw(st.integers(0, len(plain) - 1))
    assert held[place] == plain[place]
    assert list(held[place:]) == plain[place:]
    assert set(kinds(held[place:])) == set(plain[place:])
    before = Recurring(held.kinds, held.places)
    held[place] = plain[place] = data.draw(st.sampled_from(["a", "z"]))
    assert list(held) == plain
    assert set(kinds(held)) == set(plain)
    assert list(before) == [KINDS[place] for place in places]  # what shared its places is as it was


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=FEW + 1, max_size=300
    )
)
def test_a_function_of_columns_is_taken_once_a_kind_of_tuple(rows: list[tuple[int, int, int]]) -> None:
    columns = [column(list(places)) for places in zip(*rows, strict=True)]
    asked = []

    def joined(*entries: str) -> str:
        asked.append(entries)
        return "".join(entries)

    found = each(joined, *columns, columns[0])
    assert list(found) == ["".join([KINDS[place] for place in (*row, row[0])]) for row in rows]
    assert isinstance(found, list) or len(asked) == len(set(rows)) <= len(rows) // 2


def test_lists_of_the_same_objects_are_columns_of_kinds() -> None:
    few = [object(), object()]
    held = recurring(few * FEW)
    assert held is not None
    assert held.kinds == few or held.kinds == few[::-1]
    assert list(held) == few * FEW
    assert recurring([object() for _ in range(2 * FEW)]) is None
    assert recurring(few * (FEW // 2)) is None


def pieces(lengths: list[int]) -> Iterator[list[int] | Recurring]:
    for number, length in enumerate(lengths):
        entries = [number] * length
        yield entries if number % 3 else Recurring.of([number], np.zeros(length, np.intp))


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_parts_are_all_there_is_in_order(lengths: list[int], size: int) -> None:
    plain = [number for number, length in enumerate(lengths) for _ in range(length)]
    assert list(Behind(pieces(lengths))) == plain
    for found in (parts(Behind(pieces(lengths)), size), parts(iter(plain), size), parts(plain, size)):
        held = list(found)
        assert [entry for part in held for entry in part] == plain
        assert all(0 < len(part) <= size for part in held if isinstance(part, list))


NUMBERS = (0.0, 1.0, -3.5, 1e-320, float("inf"), float("nan"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=150), st.sampled_from(["float16", "float32", "float64"])
)
@pytest.mark.parametrize("cut", [0, 40])
def test_what_recurs_is_settled_as_a_list_is(cut: int, places: list[int], name: str) -> None:
    """Also digits that no double-double holds (entries 3, 6 and 7), and with other columns around it."""

    def made() -> list[balls.Ball]:
        beyond = [balls.scaled_power(3, 2000), balls.scaled_power(-5, -1500)]
        return [*map(balls.ball, NUMBERS), *beyond]

    def as_columns() -> Behind:
        held = Recurring.of(made(), np.array(places))
        return Behind([held[:cut], list(held[cut:]), held] if cut else [held])

    fmt = FORMATS[name]
    together, alone = (
        correct_rounding.settle(fmt, as_columns),
        correct_rounding.settle(fmt, lambda: iter(list(as_columns()))),
    )
    assert together.outside == alone.outside
    assert bool(together.outside) == bool({3, 6, 7} & set(places))
    for field in ("rounded", "high", "low", "ulp"):
        assert getattr(together, field).tobytes() == getattr(alone, field).tobytes()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300))
def test_a_sum_counts_what_recurs(places: list[int]) -> None:
    numbers = [balls.ball(value) for value in (1.5, -1e300, 2.0**-1000, 3.0)]
    held = Recurring.of(numbers, np.array(places))
    assert balls.exact_sum(held) == balls.exact_sum(list(held))
    with balls.precision(128):
        products = each(operator.mul, held, held)
        assert balls.sum_of(products).overlaps(balls.sum_of(list(products)))
