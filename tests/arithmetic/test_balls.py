"""What is computed once for all that recurs is what is computed one by one, to the last bit."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arithmetic import balls, repeated_values

NUMBERS = st.floats(-700, 700) | st.sampled_from([0.0, -0.0, 1e-300, -5e-324, -1e300])


def bits(value: balls.Ball) -> tuple[str, str]:
    return value.mid().str(80, radius=False), value.rad().str(30, radius=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8), st.integers(1, 600), st.integers(0, 2**32 - 1))
def test_what_recurs_is_computed_as_if_it_did_not(numbers: list[float], count: int, seed: int) -> None:
    """Values and exponentials, alone and in pairs; few of them are asked for."""
    chosen = np.random.default_rng(seed).integers(0, len(numbers), count)
    values = np.array(numbers)[chosen]
    asked = []

    def half(value: balls.Ball) -> balls.Ball:
        asked.append(value)
        return value / 2

    with balls.precision(128):
        top = max(numbers)
        exps = balls.exponentials(repeated_values.encoded_numbers(values), top)
        plain = [balls.exponential(balls.exact_sum([balls.ball(x), balls.ball(-top)])) for x in numbers]
        close = [Fraction(x) - Fraction(top) > -(2**20) for x in numbers]
        for position, (exp, kind) in enumerate(zip(exps, chosen.tolist(), strict=True)):
            assert not close[kind] or exp.overlaps(plain[kind]), position
        assert list(map(bits, repeated_values.each(half, exps))) == [bits(exp / 2) for exp in exps]
        others = np.roll(values, 1)
        pairs = repeated_values.each(operator.mul, exps, balls.balls(others))
        assert list(map(bits, pairs)) == [bits(e * x) for e, x in zip(exps, others.tolist(), strict=True)]
        halves, ones = balls.split(exps), [balls.split([exp]) for exp in exps]
    for together, alone in zip(halves, zip(*ones, strict=True), strict=True):
        assert together.tobytes() == np.concatenate(alone).tobytes()
    assert count <= repeated_values.MAX_PLAIN_ENTRIES * 16 or len(asked) <= len(numbers)


def test_few_of_many_are_asked_for() -> None:
    asked = []
    values = repeated_values.encoded_numbers(np.tile([1.0, 2.0, 3.0], 1000))
    images = repeated_values.each(lambda value: asked.append(value) or balls.ball(value), values)
    assert len(asked) == len(set(map(id, images))) == 3
    assert [float(value) for value in images] == [1.0, 2.0, 3.0] * 1000


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 2**140), st.integers(-1300, 1300), st.sampled_from([-1, 1]))
@pytest.mark.parametrize("near", [-1, 0, 1])
def test_magnitude_is_that_of_the_midpoint(near: int, mantissa: int, exponent: int, sign: int) -> None:
    """Also beside powers of two, to which a float64 rounds."""
    for number in (mantissa, (1 << mantissa.bit_length()) + near):
        if number:
            with balls.precision(256):
                value = balls.scaled_power(sign * number, exponent)
                assert balls.magnitude(value) == number.bit_length() + exponent


@pytest.mark.parametrize("left", ["nan", "zero", "infinite", "finite", "unknown"])
@pytest.mark.parametrize("right", ["nan", "zero", "infinite", "finite", "unknown"])
def test_a_zero_removes_an_infinite_factor_but_no_nan(left: str, right: str) -> None:
    unknown = balls.quotient(balls.ONE, (balls.ONE / 3) * 3 - 1)
    special = {"nan": balls.NAN, "zero": balls.ZERO, "infinite": balls.INFINITY, "unknown": unknown}
    value = balls.product(special.get(left, balls.ball(3.0)), special.get(right, balls.ball(3.0)))
    if "nan" in (left, right):
        assert value.is_nan()
    elif "zero" in (left, right):
        assert value.is_zero()
    elif left == right == "finite":
        assert value == 9
    else:
        assert not value.is_finite()
