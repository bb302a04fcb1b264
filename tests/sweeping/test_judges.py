"""Judges of a sweep: the same verdict on every input as the corpus' own judgement."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from sweeping_samples import ELEMENTS, IDS, assert_same, by_the_corpus, observations

from conformance.judging.verdict import LEVELS
from conformance.operations import along, reference
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.binade_sweep import ExactJudge
from conformance.sweeping.functions import ROW_UPSTREAM, SweptFunction
from conformance.sweeping.inputs import WIDTH_BITS, Binade, bits_of, values
from conformance.sweeping.polynomial_judge import PolynomialJudge
from conformance.sweeping.tally import Tally, Worst, bin_of, joined

#: Inputs of every dtype that are judged twice, over all functions.
INPUTS = 100_000
UPSTREAM = np.array([ROW_UPSTREAM])


@pytest.mark.parametrize(("function", "element"), ELEMENTS, ids=IDS)
def test_float32_verdicts_agree_with_the_corpus(function: SweptFunction, element: int) -> None:
    """Runs of inputs anywhere, of what correct and wrong subjects would return, around every limit."""
    rng = random.Random(f"{function} {element}")
    judge, seen = BallJudge(function, element, "float32"), Counter[str]()
    last = function.domain("float32")[1]
    polynomial = 0
    for _ in range(INPUTS // len(ELEMENTS) // 100 + 1):
        hard = rng.randrange(0x38000000, 0x43800000) + rng.choice((0, 1 << 31))
        first = rng.choice((hard, rng.randrange(last - 99))) % (last - 99)
        binade = Binade("float32", first >> 23)
        if binade.special:
            continue
        begin = min(first - binade.first, binade.size - 100)
        bits = np.arange(begin, begin + 100) + binade.first
        observed = observations(judge, bits, rng)
        tested = PolynomialJudge(judge, binade, begin, 100)
        tested.judge(begin, observed)
        expected = by_the_corpus(judge, bits, observed.astype(np.float64))
        assert_same(tested.tally, expected)
        polynomial += tested.tally.by_polynomial
        seen.update(dict(zip(LEVELS, expected.counts.tolist(), strict=True)))
    assert set(+seen) >= {"exact", "faithful", "lossy", "wrong"}
    assert polynomial > INPUTS // len(ELEMENTS) // 2


@pytest.mark.parametrize(("dtype", "gap"), [("float32", 1.5 * 2.0**-90), ("bfloat16", 1.5 * 2.0**-106)])
def test_no_limit_is_hidden_by_a_ball(dtype: str, gap: float) -> None:
    """A settled ball is off by up to 2**-10 ulp; here, where softmax's second derivative cancels, by 2**-14.

    What is returned lies 2**-16 ulp this side or that of 1 ulp, and is judged by that.
    """
    judge = BallJudge(SweptFunction("softmax", "second:x"), 0, dtype)
    bits, row = np.array([bits_of(dtype, gap)]), {"x": np.array([[gap, 0.0]])}
    (coarse,), (ulp,) = (getattr(judge.reference(bits), name) for name in ("high", "ulp"))
    with along(judge.function.direction(1)):
        exact = reference("softmax", row, "second:x", "float64", UPSTREAM).high[0, 0]
    assert abs(coarse - exact) > 2.0**-15 * ulp
    for side in (-1, 1):
        for beyond in (-1, 1):
            returned = np.array([exact + side * (1 + beyond * 2.0**-16) * ulp])
            (level,), _ = judge.judge(bits, returned)
            assert (LEVELS[level] == "faithful") == (beyond < 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("function", "element"), ELEMENTS, ids=IDS)
def test_half_verdicts_agree_with_the_corpus(function: SweptFunction, element: int, dtype: str) -> None:
    """A random binade of each half type; nans are judged by rule."""
    rng = random.Random(f"{function} {element} {dtype}")
    judge = BallJudge(function, element, dtype)
    binade = Binade(dtype, rng.randrange(function.domain(dtype)[1] // Binade(dtype, 0).size))
    bits = np.arange(binade.size) + binade.first
    observed = observations(judge, bits, rng).astype(np.float64)
    tested = ExactJudge(judge, binade, 0, binade.size)
    tested.judge(0, observed)
    assert_same(tested.tally, by_the_corpus(judge, bits, observed))


@pytest.mark.parametrize("dtype", list(WIDTH_BITS))
@pytest.mark.parametrize("sign", [0, 1])
def test_infinity_and_nans(dtype: str, sign: int) -> None:
    """What is not finite is judged as in the corpus, but nans by rule."""
    half = 1 << (WIDTH_BITS[dtype] - 1)
    binade = Binade(dtype, (sign * half + half - 1) // Binade(dtype, 0).size)
    judge = BallJudge(SweptFunction("log_sigmoid", "value"), 0, dtype)
    bits = np.arange(100) + binade.first
    observed = np.where(np.arange(100) == 7, 1.0, np.nan)
    observed[0] = -np.inf if sign else 0.0
    tested = ExactJudge(judge, binade, 0, 100)
    tested.judge(0, observed)
    assert_same(tested.tally, by_the_corpus(judge, bits, observed))
    assert (tested.tally.by_rule, tested.tally.by_balls) == (99, 1)
    assert tested.tally.regions[0].worst.bits == binade.first + 7
    assert np.isnan(values(dtype, bits[1:])).all()


def test_worst_is_by_level_then_error_then_first() -> None:
    worst = Worst.among(
        np.array([5, 6, 7, 8]),
        np.array([3, 4, 4, 4], np.int8),
        np.array([9.0, 2.0, 3.0, 3.0]),
        np.array([0.0, 1.0, 2.0, 3.0]),
    )
    assert (worst.bits, worst.level, worst.error, worst.observed) == (7, 4, 3.0, 2.0)
    assert max(worst, Worst(4, 3.0, -6)) == Worst(4, 3.0, -6)
    assert max(worst, Worst(5, 0.0, -9)).bits == 9


def test_bins_follow_levels_and_powers_of_two() -> None:
    errors = np.array([0.5, 0.5, 0.99, 1.0, 1.99, 2.0, 2.0**40, np.inf])
    levels = np.array([0, 1, 1, 2, 3, 4, 5, 5], np.int8)
    assert bin_of(errors, levels).tolist() == [0, 1, 1, 2, 2, 3, 32, 33]


def test_regions_join_across_a_binade_and_never_across_the_sign() -> None:
    tally = Tally()
    for bits in ([100, 102], [0x7FFF], [0x8000]):  # blocks end where binades do
        size = len(bits)
        tally.add("float16", np.array(bits), np.full(size, 5, np.int8), np.full(size, np.inf), np.zeros(size))
    assert [(each.first, each.last) for each in tally.regions] == [
        (100, 100), (102, 102), (0x7FFF, 0x7FFF), (0x8000, 0x8000),
    ]  # fmt: skip
    tally.add("float16", np.array([101]), np.full(1, 4, np.int8), np.ones(1), np.zeros(1))
    assert next((each.first, each.last, each.count) for each in joined("float16", tally.regions)) == (
        100,
        102,
        3,
    )


@pytest.mark.parametrize("returned", [1.0, 1.0 - 2.0**-24, 0.75, np.nan])
def test_one_number_over_whole_rows(returned: float) -> None:
    """Where sigmoid is 1 to the last bit and a subject says one number throughout, right or wrong."""
    judge, binade = BallJudge(SweptFunction("sigmoid", "value"), 0, "float32"), Binade("float32", 140)
    observed = np.full(1 << 15, returned, np.float32)
    tested = PolynomialJudge(judge, binade, 0, observed.size)
    tested.judge(0, observed)
    bits = np.arange(0, observed.size, 1 << 11) + binade.first
    few = by_the_corpus(judge, bits, observed[:: 1 << 11].astype(np.float64))
    assert tested.tally.counts.tolist() == (few.counts << 11).tolist()
    assert tested.tally.histogram.tolist() == (few.histogram << 11).tolist()
    assert (tested.tally.worst.level, tested.tally.worst.bits) == (few.worst.level, binade.first)
    # One other number among them, and the rows are judged number by number.
    observed[20_000] = 0.25
    mixed = PolynomialJudge(judge, binade, 0, observed.size)
    mixed.judge(0, observed)
    assert mixed.tally.counts[5] == tested.tally.counts[5] + (returned > 0.8)
