"""All pairs of logits of a half type: the gap's polynomials judge as the corpus does, and parts merge."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sweeping_samples import ELEMENTS, assert_same, by_the_corpus, observations

from conformance.arithmetic.balls import ball
from conformance.errors import RunError
from conformance.judging.verdict import LEVELS
from conformance.sweeping import result_files
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.gap_table import GAP_MARGIN_ULPS, gap_table
from conformance.sweeping.inputs import PAIRS, Binade, binade_count, values
from conformance.sweeping.pair_judge import PairJudge, difference
from conformance.sweeping.sweep import Request, sweep
from conformance.sweeping.swept import Swept

OF_ROWS = [(function, element) for function, element in ELEMENTS if function.of_rows]
IDS = [f"{function.name} {function.quantity} {element}" for function, element in OF_ROWS]
RUN = 40
#: Below this gap the corpus' second derivatives have few digits more than their rounding needs.
MIN_GAP = 2.0**-30


def hard_pair(dtype: str, rng: random.Random) -> int:
    """The bits of a pair whose gap lies where the functions bend, or of any pair."""
    if rng.random() < 0.3:
        return rng.randrange(1 << 32)
    y, gap = (
        rng.choice((-1, 1)) * 2.0 ** rng.randrange(-8, 8),
        rng.choice((-1, 1)) * 2.0 ** rng.uniform(-6, 5),
    )
    x, y = (np.array([y + gap, y]).astype(np.float32).view(np.uint32) >> 16).tolist()
    if dtype == "float16 pairs":
        x, y = values("bfloat16", [x, y]).astype(np.float16).view(np.uint16).tolist()
    return (y << 16) | x


@pytest.mark.parametrize("dtype", list(PAIRS))
@pytest.mark.parametrize(("function", "element"), OF_ROWS, ids=IDS)
def test_verdicts_of_pairs_agree_with_the_corpus(function: SweptFunction, element: int, dtype: str) -> None:
    """Runs of pairs anywhere, of what correct and wrong subjects would return, around every limit."""
    rng = random.Random(f"{function} {element} {dtype}")
    judge, seen, by_polynomial = BallJudge(function, element, dtype), Counter[str](), 0
    size = Binade(dtype, 0).size
    for _ in range(20):
        first = min(hard_pair(dtype, rng), (1 << 32) - RUN)
        binade = Binade(dtype, first // size)
        if binade.special:
            continue
        begin = min(first - binade.first, size - RUN)
        bits = np.arange(begin, begin + RUN) + binade.first
        observed = observations(judge, bits, rng)
        tested = PairJudge(judge, binade, begin, RUN)
        tested.judge(begin, observed)
        expected = by_the_corpus(judge, bits, observed.astype(np.float64))
        assert_same(tested.tally, expected)
        by_polynomial += tested.tally.by_polynomial
        seen.update(dict(zip(LEVELS, expected.counts.tolist(), strict=True)))
    assert set(+seen) >= {"exact", "faithful", "wrong"}
    assert by_polynomial > 5 * RUN


@pytest.mark.parametrize("dtype", list(PAIRS))
@pytest.mark.parametrize(("function", "element"), OF_ROWS, ids=IDS)
def test_the_gap_table_is_within_its_margin(function: SweptFunction, element: int, dtype: str) -> None:
    rng = random.Random(f"{function} {element} {dtype} table")
    judge, tried = BallJudge(function, element, dtype), 0
    bits = np.array([hard_pair(dtype, rng) for _ in range(60)])
    exact = judge.reference(bits)
    pairs = values(dtype, bits)
    pairs[~np.isfinite(pairs)] = np.nan
    reference, scale = gap_table(function, element, PAIRS[dtype]).evaluated(*difference(*pairs.T))
    for index in np.flatnonzero(~np.isnan(scale) & (np.abs(pairs[:, 0] - pairs[:, 1]) > MIN_GAP)):
        assert exact.ulp[index] == 1 / scale[index]
        value = (ball(exact.high[index]) + ball(exact.low[index])) * ball(scale[index])
        assert float(abs(value - ball(reference[index]))) <= GAP_MARGIN_ULPS
        tried += 1
    assert tried > 30


def test_a_gap_that_was_rounded_onto_the_end_of_a_piece_is_left_to_balls() -> None:
    gaps, rounded = difference(np.array([1.0, 2.0]), np.array([2.0**-80, 1.0]))
    assert (gaps.tolist(), rounded.tolist()) == ([1.0, 1.0], [True, False])
    _, scale = gap_table(SweptFunction("softmax", "value"), 0, "bfloat16").evaluated(gaps, rounded)
    assert np.isnan(scale).tolist() == [True, False]


def test_pairs_are_every_x_beside_every_y() -> None:
    assert values("bfloat16 pairs", [0x3F80_4000, 0xC000_0001]).tolist() == [
        [2.0, 1.0],
        [float(values("bfloat16", [1])[0]), -2.0],
    ]
    assert binade_count("float16 pairs") == binade_count("float16") == 64
    assert Binade("float16 pairs", 63).special


def test_parts_of_the_pairs_merge_byte_for_byte(tmp_path: Path) -> None:
    """Cut inside a row of one y, in a result that leaves the bound on either side."""
    first, cut, last = 0x3C00_4000, 0x3C00_8765, 0x3C01_0800

    def swept(begin: int, end: int, name: str) -> Swept:
        request = Request("log_softmax", ("torch",), ("float16 pairs",), ("value",), begin, end)
        result_files.write(sweep(request, workers=1), tmp_path / name, {})
        return result_files.load(tmp_path / name)

    swept(first, last, "whole")
    merged = swept(cut, last, "right")
    merged.merge(swept(first, cut - 1, "left"))
    rows = result_files.write(merged, tmp_path / "merged", {})
    assert (tmp_path / "merged" / "sweep.parquet").read_bytes() == (
        tmp_path / "whole" / "sweep.parquet"
    ).read_bytes()
    assert sum(row["inputs"] for row in rows if row["kind"] == "binade") == 2 * (last - first + 1)
    assert {row["first_other"] for row in rows} == {1.0}


def test_pairs_are_of_rows_alone() -> None:
    with pytest.raises(
        RunError, match="--pairs are rows of two logits, of cross_entropy, log_softmax, softmax"
    ):
        sweep(Request("sigmoid", ("numpy",), ("float16 pairs",)))
