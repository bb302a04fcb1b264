"""Samples for the tests of sweeps: the swept functions, and what subjects good and bad would return."""

from __future__ import annotations

import random

import numpy as np

from conformance.arithmetic.formats import from_storage, to_storage
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SWEPT_INPUT, swept_functions

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
    stored = from_storage(to_storage(result, judge.dtype))
    return stored.astype(np.float32)
