from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arithmetic import FORMATS, Format, balls, correct_rounding
from conformance.arithmetic.correct_rounding import (
    MAX_BITS,
    START_BITS,
    round_integer,
    settle,
    settle_together,
)


def nearest(fmt: Format, value: Fraction) -> float:
    """Round to nearest even by definition, from fractions."""
    exponent = abs(value.numerator).bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > abs(value):
        exponent -= 1
    exponent = max(exponent, fmt.emin)
    quantum = Fraction(2) ** (exponent - fmt.precision + 1)
    rounded = round(value / quantum) * quantum  # Python rounds fractions half to even.
    if abs(rounded) > Fraction(fmt.largest):
        return math.inf if value > 0 else -math.inf
    return float(rounded)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.integers(-(2**70), 2**70), st.integers(-1200, 980))
def test_integers_round_by_the_definition(name: str, mantissa: int, exponent: int) -> None:
    expected = nearest(FORMATS[name], Fraction(mantissa) * Fraction(2) ** exponent)
    assert round_integer(FORMATS[name], mantissa, exponent) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_precision_is_doubled_until_the_ends_agree(name: str) -> None:
    fmt, seen = FORMATS[name], []

    def just_above_a_tie() -> list[balls.Ball]:
        seen.append(balls.current_precision())
        return [balls.power_of_two(-fmt.precision) + balls.power_of_two(-1500).exp()]

    settled = settle(fmt, just_above_a_tie)
    assert settled.rounded[0] == 1 + 2 * fmt.unit_roundoff
    assert seen == [128, 256, 512, 1024, 2048]
    assert balls.current_precision() not in seen


def test_no_ball_is_asked_for_behind_a_part_that_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balls come one by one; the next precision begins at the first again."""
    monkeypatch.setattr(correct_rounding, "PART_BALLS", 2)
    asked: list[tuple[int, int]] = []

    def one_by_one() -> Iterator[balls.Ball]:
        for index in range(7):
            asked.append((balls.current_precision(), index))
            just_above_a_tie = balls.power_of_two(-24) + balls.power_of_two(-200).exp()
            yield just_above_a_tie if index == 3 else balls.ball(index)

    settled = settle(FORMATS["float32"], one_by_one)
    assert settled.rounded.tolist() == [0, 1, 2, 1 + 2.0**-23, 4, 5, 6]
    assert asked == [*((128, index) for index in range(4)), *((256, index) for index in range(7))]


@pytest.mark.parametrize("hard", [(), (0,), (3,), (4,), (1, 2), (0, 1, 2, 3, 4)])
def test_what_is_settled_together_is_what_is_settled_alone(hard: tuple[int, ...]) -> None:
    """Also where some need more precision, and some have no elements."""
    fmt, seen = FORMATS["float32"], []

    def evaluate(index: int) -> list[balls.Ball]:
        seen.append((index, balls.current_precision()))
        far = balls.power_of_two(-24) + balls.power_of_two(-200).exp()
        return [*map(balls.ball, range(index)), *([far] if index in hard else [])]

    several = [partial(evaluate, index) for index in range(5)]
    together = settle_together(fmt, several)
    assert {index for index, bits in seen if bits > START_BITS} == set(hard)
    for joint, alone in zip(together, map(partial(settle, fmt), several), strict=True):
        assert joint.rounded.tolist() == alone.rounded.tolist()
        assert joint.low.tolist() == alone.low.tolist()


def test_a_tie_that_arithmetic_cannot_prove_is_taken_as_one_at_the_cap() -> None:
    seen = []

    def a_tie() -> list[balls.Ball]:
        seen.append(balls.current_precision())
        third = balls.ONE / 3
        return [3 * third + balls.power_of_two(-24)]

    assert settle(FORMATS["float32"], a_tie).rounded[0] == 1.0
    assert seen[0] == START_BITS
    assert seen[-1] == MAX_BITS


@pytest.mark.parametrize("name", FORMATS)
def test_a_zero_that_arithmetic_cannot_prove_rounds_to_zero(name: str) -> None:
    def zeros() -> list[balls.Ball]:
        return [(balls.ONE * x / 7).exp().log() - balls.ONE * x / 7 for x in range(1, 30)]

    settled = settle(FORMATS[name], zeros)
    assert not settled.rounded.any()
    assert not settled.high.any()
    assert not settled.outside


def test_an_exact_tie_settles_at_once() -> None:
    settled = settle(FORMATS["float32"], lambda: [balls.ball(1 + 2.0**-24), balls.ball(1 + 3 * 2.0**-24)])
    assert settled.rounded.tolist() == [1.0, 1 + 2.0**-22]


def test_values_outside_float64_round_right_and_keep_their_digits() -> None:
    def far() -> list[balls.Ball]:
        huge = balls.ball(1.7e308)
        return [balls.exponential(balls.ball(-1000.0)), -2 * huge, balls.ball(-3e6).exp(), balls.INFINITY]

    for fmt in FORMATS.values():
        settled = settle(fmt, far)
        assert settled.rounded.tolist() == [0.0, -math.inf, 0.0, math.inf]
        texts = {
            i: balls.decimal_text(balls.scaled_power(*digits), 12) for i, digits in settled.outside.items()
        }
        assert texts == {0: "5.07595889755e-435", 1: "-3.40000000000e+308", 2: "3.58335837487e-1302884"}


def test_the_lower_end_of_float64_is_rounded_from_the_ball() -> None:
    least = 2.0**-1074
    half = balls.power_of_two(-1075)
    with balls.precision(128):
        sliver = half * balls.power_of_two(-90)
        cases = [
            (half, 0.0),
            (half + sliver, least),
            (half - sliver, 0.0),
            (3 * half, 2 * least),
            (-half - sliver, -least),
        ]
    settled = settle(FORMATS["float64"], lambda: [value for value, _ in cases])
    assert settled.rounded.tolist() == [expected for _, expected in cases]


def test_a_thin_ball_around_a_tie_of_subnormals_is_not_settled() -> None:
    def just_above() -> list[balls.Ball]:
        return [5 * balls.power_of_two(-1075) * balls.power_of_two(-200).exp()]

    assert settle(FORMATS["float64"], just_above).rounded[0] == 3 * 2.0**-1074


def test_a_rest_below_float64_still_decides_a_tie() -> None:
    tie = balls.ball(1 + 2.0**-24)
    settled = settle(
        FORMATS["float32"],
        lambda: [balls.total(tie, balls.ball(-5000.0).exp()), balls.total(tie, -balls.ball(-1e6).exp())],
    )
    assert settled.rounded.tolist() == [1 + 2.0**-23, 1.0]
    assert (np.sign(settled.low) == [1, -1]).all()


def test_exponentials_keep_their_precision_however_deep() -> None:
    with balls.precision(128):
        for depth in (-1e3, -1e9, -6.8e38, -1e308):
            value = balls.exponential(balls.ball(depth))
            assert balls.accuracy(value) > 90
        assert balls.exponential(balls.MINUS_INFINITY).is_zero()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.25, 4, "0.2500"),
        (-1234.5, 6, "-1234.50"),
        (0.125, 2, "0.12"),
        (1e-5, 3, "1.00e-05"),
        (9.996, 3, "10.0"),
        (123456.0, 3, "1.23e+05"),
        (0.0, 9, "0"),
        (math.inf, 9, "inf"),
        (-math.inf, 9, "-inf"),
        (math.nan, 9, "nan"),
    ],
)
def test_decimal_text(value: float, digits: int, text: str) -> None:
    assert balls.decimal_text(balls.ball(value), digits) == text


@pytest.mark.parametrize("high", [0.1, -1234.5, 1.5e-9, 9.9999999999e22, 5e-324, -1.7e308, 3.0])
@pytest.mark.parametrize("share", [0.0, 2.0**-54, -(2.0**-60)])
@pytest.mark.parametrize("digits", [9, 25])
def test_a_sum_is_written_as_its_ball_is(high: float, share: float, digits: int) -> None:
    both = balls.exact_sum([balls.ball(high), balls.ball(high * share)])
    assert balls.sum_text(high, high * share, digits) == balls.decimal_text(both, digits)


def test_enclosures_are_directed_outward() -> None:
    with balls.precision(128):
        assert balls.enclosure(balls.ball(0.1)) == (0.1, 0.1)
        lower, upper = balls.enclosure(balls.ONE / 3)
        assert Fraction(lower) < Fraction(1, 3) < Fraction(upper)
        assert np.nextafter(lower, 1) == upper
        assert balls.enclosure(balls.ball(-1000.0).exp()) == (0.0, 2.0**-1074)
        assert balls.enclosure(3 * balls.ball(1.7e308)) == (np.finfo(float).max, math.inf)
