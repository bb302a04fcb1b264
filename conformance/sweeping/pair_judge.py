"""Judge of pairs of logits of a half type: what a subject returned for rows [x, y], by their gap."""

from __future__ import annotations

import numpy as np

from conformance.arithmetic.formats import FloatArray
from conformance.judging.verdict import LEVELS
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.gap_table import GAP_MARGIN_ULPS, Flags, gap_table
from conformance.sweeping.inputs import Binade, Bits, values
from conformance.sweeping.polynomial_judge import Block, count_block, levels_of_far
from conformance.sweeping.tally import Tally, Worst

_EXACT, _FAITHFUL = LEVELS.index("exact"), LEVELS.index("faithful")


class PairJudge:
    """Judge of one element of a function of rows over pairs of a binade.

    Args:
        balls: The judge by balls of the same element.
        binade: The binade.
        first: The first input to be judged, counted from the binade's first.
        count: How many inputs are judged.
    """

    def __init__(self, balls: BallJudge, binade: Binade, first: int, count: int) -> None:
        self.tally = Tally()
        self._balls = balls
        self._binade = binade
        self._range = first, first + count
        # Nan in, nan out: shown by balls for one row that ends the binade, it holds for all.
        last = np.array([binade.first + binade.size - 1])
        self._nan_is_nan = bool(np.isnan(balls.reference(last).rounded[0]))
        self._table = gap_table(balls.function, balls.element, balls.number_type)

    def judge(self, first: int, observed: FloatArray) -> None:
        """Counts a block's inputs within the range; see `PolynomialJudge.judge`."""
        begin, end = max(first, self._range[0]), min(first + observed.size, self._range[1])
        if begin >= end:
            return
        bits = np.arange(begin, end) + self._binade.first
        returned = observed[begin - first : end - first].astype(np.float64)
        pairs = values(self._balls.dtype, bits)
        with np.errstate(invalid="ignore"):
            reference, scale = self._table.evaluated(*difference(pairs[:, 0], pairs[:, 1]))
            error = np.abs(returned * scale - reference)  # nan where balls decide
        block = Block()
        self._count_near(bits, error, returned)
        near = error < 1.0 - GAP_MARGIN_ULPS
        between = near & (np.abs(error - 0.5) < GAP_MARGIN_ULPS)
        far = np.flatnonzero(~near & ~np.isnan(scale))
        self._judge_far(block, bits[far], returned[far], error[far], np.abs(reference[far]), scale[far])
        self._leave(block, bits, returned, between | self._by_rule(pairs, returned, scale))
        count_block(self.tally, self._balls, block)

    def _count_near(self, bits: Bits, error: FloatArray, returned: FloatArray) -> None:
        """Counts what is below 1 ulp beyond doubt."""
        exact = error <= 0.5 - GAP_MARGIN_ULPS
        faithful = (error >= 0.5 + GAP_MARGIN_ULPS) & (error < 1.0 - GAP_MARGIN_ULPS)
        counts = int(exact.sum()), int(faithful.sum())
        self.tally.add_near(*counts)
        self.tally.by_polynomial += sum(counts)
        level, chosen = (_FAITHFUL, faithful) if counts[1] else (_EXACT, exact)
        if sum(counts):
            index = int(np.where(chosen, error, -1.0).argmax())
            worst = Worst(level, float(error[index]), -int(bits[index]), float(returned[index]))
            self.tally.worst = max(self.tally.worst, worst)

    def _judge_far(
        self,
        block: Block,
        bits: Bits,
        returned: FloatArray,
        error: FloatArray,
        exact: FloatArray,
        scale: FloatArray,
    ) -> None:
        """Errors of about 1 ulp and more."""
        if not bits.size:
            return
        level, error, doubt = levels_of_far(self._balls, bits, returned, error, exact, scale, GAP_MARGIN_ULPS)
        decided = ~doubt
        block.bits.append(bits[decided])
        block.levels.append(level[decided])
        block.errors.append(error[decided])
        block.observed.append(returned[decided])
        self.tally.by_polynomial += int(decided.sum())
        self._leave(block, bits, returned, doubt)

    def _by_rule(self, pairs: FloatArray, returned: FloatArray, scale: FloatArray) -> Flags:
        """Counts rows of a nan, where nan was returned and is right; what else has no polynomial."""
        right = np.isnan(pairs).any(axis=-1) & np.isnan(returned) & self._nan_is_nan
        self.tally.add_near(int(right.sum()), 0)
        self.tally.by_rule += int(right.sum())
        return np.isnan(scale) & ~right

    def _leave(self, block: Block, bits: Bits, returned: FloatArray, undecided: Flags) -> None:
        """Leaves inputs to balls."""
        if undecided.any():
            block.undecided.append(bits[undecided])
            block.undecided_observed.append(returned[undecided])


def difference(left: FloatArray, right: FloatArray) -> tuple[FloatArray, Flags]:
    """The differences as float64 rounds them, and where that was not exact (Knuth's two-sum)."""
    with np.errstate(invalid="ignore"):  # of two infinities: nan, which no piece has
        gaps = left - right
        part = gaps - left
        error = (left - (gaps - part)) - (right + part)
    return gaps, error != 0
