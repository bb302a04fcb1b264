"""Samples for the tests of sweeps: the swept functions, and what subjects good and bad would return."""

from __future__ import annotations

import random

import numpy as np
import pytest

from conformance.arithmetic.formats import from_storage, to_storage
from conformance.judging.verdict import LEVELS
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SWEPT_INPUT, swept_functions
from conformance.sweeping.tally import Tally

ELEMENTS = [
    (function, element)
    for operation in SWEPT_INPUT
    for function in swept_functions(operation)
    for element in range(function.elements)
]
IDS = [f"{function.name} {function.quantity} {element}" for function, element in ELEMENTS]


def observations(judge: BallJudge, bits: np.ndarray, rng: random.Random) -> np.ndarray:
    """The exact values rounded, a third of them moved: by ulps, to a bound and just past it, or far away."""
    exact = judge.reference(bits)
    kinds = np.array([rng.randrange(18) for _ in bits])
    factor = np.array([rng.choice((-1.0, 1.0)) for _ in bits])
    moved = {
        0: exact.rounded + factor * exact.ulp,
        1: exact.rounded + factor * 2 * exact.ulp,
        2: exact.high + factor * np.floor(exact.bound) * exact.ulp,
        3: exact.high + factor * np.ceil(exact.bound) * exact.ulp,
        4: exact.high + factor * np.floor(exact.attainable) * exact.ulp,
        5: exact.rounded * (1 + factor * 2.0 ** -rng.randrange(1, 20)),
        6: np.zeros(bits.size),
        7: np.where(factor > 0, np.nan, np.inf),
        8: -exact.rounded,
    }
    result = exact.rounded.copy()
    for kind, values in moved.items():
        result = np.where(kinds == kind, values, result)
    stored = from_storage(to_storage(result, judge.number_type))
    return stored.astype(np.float32)


def by_the_corpus(judge: BallJudge, bits: np.ndarray, observed: np.ndarray) -> Tally:
    """A tally of the levels that the corpus gives to each input by itself."""
    tally = Tally()
    level, error = judge.judge(bits, observed)
    tally.add(judge.dtype, bits, level, error, observed)
    return tally


def assert_same(tally: Tally, expected: Tally) -> None:
    """The same counts, histogram, worst input and regions."""
    assert dict(zip(LEVELS, tally.counts, strict=True)) == dict(zip(LEVELS, expected.counts, strict=True))
    assert tally.histogram.tolist() == expected.histogram.tolist()
    assert (tally.worst.level, tally.worst.bits) == (expected.worst.level, expected.worst.bits)
    assert tally.worst.error == pytest.approx(expected.worst.error, rel=1e-12, abs=2.0**-20)
    spans = [(each.first, each.last, each.count, each.worst.bits) for each in tally.regions]
    assert spans == [(each.first, each.last, each.count, each.worst.bits) for each in expected.regions]
