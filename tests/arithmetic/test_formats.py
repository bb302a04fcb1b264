from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arithmetic import FORMATS, Format, from_storage, round_to, to_storage, ulp_of

HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def all_finite(name: str) -> np.ndarray:
    """Every finite number of a 16-bit format once, in order, as float64."""
    patterns = from_storage(np.arange(65536, dtype=np.uint16).view(HALVES[name]))
    return np.unique(patterns[np.isfinite(patterns)])


def ulp_by_definition(fmt: Format, value: Fraction) -> Fraction:
    """The spacing of the format's numbers in the binade of the value, by integers alone."""
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > abs(value):
        exponent -= 1
    exponent = exponent if value else fmt.emin
    exponent = min(max(exponent, fmt.emin), fmt.emax)
    return Fraction(2) ** (exponent - fmt.precision + 1)


@pytest.mark.parametrize("name", FORMATS)
def test_constants_are_those_of_numpy_and_ml_dtypes(name: str) -> None:
    fmt, info = FORMATS[name], ml_dtypes.finfo(FORMATS[name].storage)
    assert fmt.largest == float(info.max)
    assert fmt.smallest_normal == float(info.smallest_normal)
    assert fmt.smallest_subnormal == float(info.smallest_subnormal)
    assert 2 * fmt.unit_roundoff == float(info.eps)


@pytest.mark.parametrize("name", HALVES)
def test_every_number_and_midpoint_rounds_as_the_cast_does(name: str) -> None:
    numbers = all_finite(name)
    middles = (numbers[:-1] + numbers[1:]) / 2
    up, down = (np.nextafter(np.float32(middles), np.float32(end)) for end in (np.inf, -np.inf))
    for values in (numbers, middles, np.float64(up), np.float64(down)):
        # From float32 where it holds the value: a cast of float64 to bfloat16 may round twice.
        kept = np.float64(np.float32(values)) == values
        cast = np.float32(values).astype(HALVES[name]).astype(np.float64)
        assert kept.any() or values is not numbers
        assert np.array_equal(round_to(FORMATS[name], values)[kept], cast[kept])


@pytest.mark.parametrize("name", HALVES)
def test_the_sign_of_low_decides_every_tie(name: str) -> None:
    fmt, numbers = FORMATS[name], all_finite(name)
    middles = (numbers[:-1] + numbers[1:]) / 2
    for low in (2.0**-1074, 2.0**-300):
        assert np.array_equal(round_to(fmt, middles, low), numbers[1:])
        assert np.array_equal(round_to(fmt, middles, -low), numbers[:-1])
    even = round_to(fmt, middles, 0.0)
    assert set(np.unique(np.rint(even / ulp_of(fmt, middles)) % 2)) == {0.0}


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_overflow_begins_half_an_ulp_beyond_the_largest(name: str) -> None:
    fmt = FORMATS[name]
    edge = fmt.largest + float(ulp_of(fmt, fmt.largest)) / 2
    assert round_to(fmt, edge) == math.inf
    assert round_to(fmt, -edge) == -math.inf
    assert round_to(fmt, edge, -1e-300) == fmt.largest
    assert round_to(fmt, np.nextafter(edge, 0)) == fmt.largest
    assert round_to(fmt, math.inf) == math.inf
    assert np.isnan(round_to(fmt, math.nan))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_underflow_keeps_subnormals_and_ends_at_half_the_smallest(name: str) -> None:
    fmt = FORMATS[name]
    least = fmt.smallest_subnormal
    assert round_to(fmt, least / 2) == 0
    assert round_to(fmt, least / 2, 1e-320) == least
    assert round_to(fmt, 1.5 * least) == 2 * least
    assert round_to(fmt, 1.5 * least, -1e-320) == least


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False))
def test_float32_rounds_as_numpy_does(value: float) -> None:
    with np.errstate(over="ignore"):
        assert round_to(FORMATS["float32"], value) == np.float64(np.float32(value))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-1, 0, 1]),
)
def test_ulp_is_the_spacing_in_the_binade_of_the_value(name: str, high: float, side: int) -> None:
    fmt = FORMATS[name]
    low = side * abs(high) * 2.0**-60
    expected = ulp_by_definition(fmt, Fraction(high) + Fraction(low))
    assert Fraction(float(ulp_of(fmt, high, low))) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_ulp_just_below_a_power_of_two_is_that_of_the_lower_binade(name: str) -> None:
    fmt = FORMATS[name]
    ulp_of_one = 2.0 ** (1 - fmt.precision)
    assert ulp_of(fmt, 1.0, 0.0) == ulp_of(fmt, 1.0, 1e-300) == ulp_of(fmt, -1.0, -1e-300) == ulp_of_one
    assert ulp_of(fmt, 1.0, -1e-300) == ulp_of(fmt, -1.0, 1e-300) == ulp_of_one / 2
    assert ulp_of(fmt, 0.0) == ulp_of(fmt, fmt.smallest_normal, -1e-320) == fmt.smallest_subnormal
    assert np.isnan(ulp_of(fmt, math.nan))


@pytest.mark.parametrize("name", FORMATS)
def test_storage_there_and_back_keeps_every_bit(name: str) -> None:
    values = np.array([0.0, -0.0, 1.5, -FORMATS[name].smallest_subnormal, FORMATS[name].largest, math.inf])
    stored = to_storage(values, name)
    assert stored.dtype == FORMATS[name].storage
    assert np.array_equal(from_storage(stored), values)
    assert np.array_equal(np.signbit(from_storage(stored)), np.signbit(values))


def test_storage_rounds_once() -> None:
    # Through float32 this would become a tie, and round to 1.
    value = 1 + 2.0**-8 + 2.0**-40
    assert from_storage(to_storage([value], "bfloat16"))[0] == 1 + 2.0**-7
