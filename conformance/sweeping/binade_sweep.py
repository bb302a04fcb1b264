"""Sweep of one binade: the task that a worker carries out. It needs nothing but its arguments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.arithmetic.formats import FloatArray
from conformance.execution import memory_tuning
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import PAIRS, Binade, Bits, values
from conformance.sweeping.pair_judge import PairJudge
from conformance.sweeping.polynomial_judge import PolynomialJudge
from conformance.sweeping.subject_call import AdapterKey, Refusal, SubjectCall
from conformance.sweeping.tally import Levels, Tally

#: Inputs of a call of the subject: some that every dtype's binades divide, or are divided by.
BLOCK_INPUTS = 1 << 18


@dataclass(frozen=True)
class BinadeResult:
    """What was found in a binade.

    Attributes:
        tallies: One for each element of the quantity; none where the subject returned no array.
        status: `returned`, `unsupported`, `raised` or `wrong`.
        message: Why there is no tally.
    """

    tallies: tuple[Tally, ...] = ()
    status: str = "returned"
    message: str = ""


def sweep_binade(
    key: AdapterKey, function: SweptFunction, binade: Binade, first: int, last: int
) -> BinadeResult:
    """Judges the inputs of a binade within a range and the function's domain.

    Args:
        key: The subject's adapter.
        function: The function.
        binade: The binade.
        first: The bits of the range's first input.
        last: Those of its last.

    Returns:
        A tally for each element, the same whatever else is swept, here or elsewhere.
    """
    memory_tuning.keep_freed_memory()
    domain = function.domain(binade.dtype)
    begin = max(first, domain[0], binade.first) - binade.first
    end = min(last, domain[1], binade.first + binade.size - 1) + 1 - binade.first
    if begin >= end:
        return BinadeResult(tuple(Tally() for _ in range(function.elements)))
    size = min(BLOCK_INPUTS, binade.size)
    judges = [
        _judge(BallJudge(function, element, binade.dtype), binade, begin, end - begin)
        for element in range(function.elements)
    ]
    try:
        call = SubjectCall(key, function, binade.dtype, size)
        for block in range(begin - begin % size, end, size):
            observed = call(binade.first + block)
            for element, judge in enumerate(judges):
                judge.judge(block, observed[:, element])
    except Refusal as refusal:
        return BinadeResult((), refusal.status, refusal.message)
    return BinadeResult(tuple(judge.tally for judge in judges))


def _judge(
    balls: BallJudge, binade: Binade, first: int, count: int
) -> PolynomialJudge | PairJudge | ExactJudge:
    if not binade.special and balls.dtype in PAIRS:
        return PairJudge(balls, binade, first, count)
    if binade.special or balls.dtype != "float32":
        return ExactJudge(balls, binade, first, count)
    return PolynomialJudge(balls, binade, first, count)


class ExactJudge:
    """Judge of every input of a binade by balls, but for nans, which give nan.

    Args:
        balls: The judge by balls.
        binade: The binade.
        first: The first input to be judged, counted from the binade's first.
        count: How many inputs are judged.
    """

    def __init__(self, balls: BallJudge, binade: Binade, first: int, count: int) -> None:
        self.tally = Tally()
        self._balls = balls
        self._binade = binade
        self._range = first, first + count
        # Nan in, nan out: shown by balls for one nan, it holds for all.
        self._nan_is_nan = bool(np.isnan(balls.reference(np.array([_last(binade)])).rounded[0]))

    def judge(self, first: int, observed: FloatArray) -> None:
        """Counts a block's inputs; see `PolynomialJudge.judge`."""
        begin, end = max(first, self._range[0]), min(first + observed.size, self._range[1])
        if begin >= end:
            return
        bits = np.arange(begin, end) + self._binade.first
        level, error = self._judged(bits, observed[begin - first : end - first].astype(np.float64))
        returned = observed[begin - first : end - first].astype(np.float64)
        self.tally.add(self._balls.dtype, bits, level, error, returned)

    def _judged(self, bits: Bits, observed: FloatArray) -> tuple[Levels, FloatArray]:
        inputs = values(self._balls.dtype, bits)
        nan = np.isnan(inputs if inputs.ndim == 1 else inputs.max(axis=1)) & self._nan_is_nan
        right = np.isnan(observed)
        level = np.where(right, 0, 5).astype(np.int8)
        error = np.where(right, 0.0, np.inf)
        others = np.flatnonzero(~nan)
        level[others], error[others] = self._balls.judge(bits[others], observed[others])
        self.tally.by_rule += int(nan.sum())
        self.tally.by_balls += others.size
        return level, error


def _last(binade: Binade) -> int:
    return binade.first + binade.size - 1
