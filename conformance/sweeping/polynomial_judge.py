"""Judge by polynomials: what a subject returned for a block of float32 inputs, counted by verdict.

An input is judged by its polynomial only where its error in ulps is further than the polynomial's own from
every limit that a verdict or a bin depends on. All others go to balls.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FloatArray
from conformance.judging.verdict import LEVELS, PRECISION
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.inputs import Binade, Bits
from conformance.sweeping.polynomials import MARGIN_ULPS, ROW_INPUTS, Piece, pieces
from conformance.sweeping.tally import Levels, Tally, Worst

#: Rows that are judged together: their arrays stay in the processor's cache.
BATCH_ROWS = 4

_EXACT, _FAITHFUL, _ACCURATE, _STABLE, _LOSSY, _WRONG = range(len(LEVELS))
#: Relative error of a difference in float64, generously.
_RELATIVE_SLACK = 2.0**-50
_ROW_T = 2.0 * np.arange(ROW_INPUTS) / ROW_INPUTS - 1.0


@dataclass
class Block:
    """Judged inputs of a block, to be counted in the order of their bits.

    Attributes:
        bits: Arrays of bits.
        levels: Their levels.
        errors: Their errors in ulps.
        observed: What was returned.
        undecided: Arrays of bits that go to balls.
        undecided_observed: What was returned there.
    """

    bits: list[Bits] = field(default_factory=list)
    levels: list[Levels] = field(default_factory=list)
    errors: list[FloatArray] = field(default_factory=list)
    observed: list[FloatArray] = field(default_factory=list)
    undecided: list[Bits] = field(default_factory=list)
    undecided_observed: list[FloatArray] = field(default_factory=list)


class PolynomialJudge:
    """Judge of one element of a swept function over inputs of a binade.

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
        self._pieces = pieces(balls.function, balls.element, binade, first, count)
        self._next_piece = 0
        shape = (BATCH_ROWS, ROW_INPUTS)
        self._errors, self._reference = np.empty(shape), np.empty(shape)

    def judge(self, first: int, observed: npt.NDArray[np.float32]) -> None:
        """Counts a block's inputs within the range; blocks come in order.

        Args:
            first: The block's first input, counted from the binade's first.
            observed: What was returned, one number an input.
        """
        block = Block()
        begin, end = max(first, self._range[0]), min(first + observed.size, self._range[1])
        while begin < end:
            piece = self._piece_at(begin)
            stop = min(piece.first + piece.count, end)
            if not piece.coefficients:
                block.undecided.append(np.arange(begin, stop) + self._binade.first)
                block.undecided_observed.append(observed[begin - first : stop - first].astype(np.float64))
            elif piece.count >= ROW_INPUTS and begin % ROW_INPUTS == 0 and stop - begin >= ROW_INPUTS:
                stop = begin + (stop - begin) // ROW_INPUTS * ROW_INPUTS
                self._judge_rows(block, piece, begin, observed[begin - first : stop - first])
            else:
                stop = min(stop, begin - begin % ROW_INPUTS + ROW_INPUTS)
                self._judge_part(block, piece, begin, observed[begin - first : stop - first])
            begin = stop
        count_block(self.tally, self._balls, block)

    def _piece_at(self, position: int) -> Piece:
        while True:
            piece = self._pieces[self._next_piece]
            if position < piece.first + piece.count:
                return piece
            self._next_piece += 1

    def _judge_rows(self, block: Block, piece: Piece, begin: int, observed: npt.NDArray[np.float32]) -> None:
        """Whole rows of a piece."""
        if len(piece.coefficients) == 1 and self._judge_constant(piece, begin, observed):
            return
        coefficients = piece.rows(begin, observed.size)[:, :, None]
        scale = 2.0**-piece.ulp_exponent
        for row in range(0, coefficients.shape[1], BATCH_ROWS):
            of_rows = coefficients[:, row : row + BATCH_ROWS]
            count = of_rows.shape[1]
            errors, reference = self._errors[:count], self._reference[:count]
            _evaluate(of_rows, _ROW_T, reference)
            part = observed[row * ROW_INPUTS : (row + count) * ROW_INPUTS]
            np.multiply(part.reshape(count, ROW_INPUTS), scale, out=errors, dtype=np.float64)
            self._sort(block, piece, begin + row * ROW_INPUTS, part, errors, reference)

    def _judge_constant(self, piece: Piece, begin: int, observed: npt.NDArray[np.float32]) -> bool:
        """Rows on which the function is one number to the margin, and the subject returned one number too.

        They all have one error, which is counted at once; False where it is not below 1 ulp beyond doubt.
        """
        if observed.min() != observed.max():  # or nan
            return False
        error = abs(float(observed[0]) * 2.0**-piece.ulp_exponent - piece.coefficients[0])
        if not error < 1.0 - MARGIN_ULPS or abs(error - 0.5) <= MARGIN_ULPS:
            return False
        level = _EXACT if error < 0.5 else _FAITHFUL
        self._note_worst(level, error, begin, float(observed[0]))
        self.tally.add_near(*((observed.size, 0) if level == _EXACT else (0, observed.size)))
        self.tally.by_polynomial += observed.size
        return True

    def _note_worst(self, level: int, error: float, position: int, observed: float) -> None:
        """Keeps an input if it is worse than all before."""
        worst = self.tally.worst
        if (level, error) > (worst.level, worst.error):
            self.tally.worst = Worst(level, error, -(self._binade.first + position), observed)

    def _judge_part(self, block: Block, piece: Piece, begin: int, observed: npt.NDArray[np.float32]) -> None:
        """Less than a row, of a piece of any length."""
        steps = np.arange(begin - piece.first, begin - piece.first + observed.size)
        t = 2.0 * steps / piece.count - 1.0
        reference = np.empty(observed.size)
        _evaluate(np.array(piece.coefficients), t, reference)
        errors = observed.astype(np.float64) * 2.0**-piece.ulp_exponent
        self._sort(block, piece, begin, observed, errors, reference)

    def _sort(
        self,
        block: Block,
        piece: Piece,
        begin: int,
        observed: npt.NDArray[np.float32],
        errors: FloatArray,
        reference: FloatArray,
    ) -> None:
        """Counts what is below 1 ulp, and puts the others into the block; `errors` comes in as observed."""
        np.subtract(errors, reference, out=errors)
        np.abs(errors, out=errors)
        top = float(errors.max())
        exact = within = errors.size
        if not top <= 0.5 - MARGIN_ULPS:  # or nan
            exact = int(np.count_nonzero(errors <= 0.5 - MARGIN_ULPS))
            within = int(np.count_nonzero(errors <= 0.5 + MARGIN_ULPS))
        faithful = errors.size - within
        flat = errors.reshape(-1)
        if not top < 1.0 - MARGIN_ULPS:  # or nan
            far = np.flatnonzero(~(flat < 1.0 - MARGIN_ULPS))
            faithful -= far.size
            self._judge_far(block, piece, begin, far, observed, flat, reference.reshape(-1))
        else:
            level = _EXACT if top <= 0.5 - MARGIN_ULPS else _FAITHFUL if top > 0.5 + MARGIN_ULPS else -1
            if (level, top) > (self.tally.worst.level, self.tally.worst.error):
                index = int(flat.argmax())
                self._note_worst(level, top, begin + index, float(observed[index]))
        if within != exact:
            between = np.flatnonzero((flat > 0.5 - MARGIN_ULPS) & (flat <= 0.5 + MARGIN_ULPS))
            block.undecided.append(between + (self._binade.first + begin))
            block.undecided_observed.append(observed[between].astype(np.float64))
        self.tally.add_near(exact, faithful)
        self.tally.by_polynomial += exact + faithful

    def _judge_far(
        self,
        block: Block,
        piece: Piece,
        begin: int,
        far: npt.NDArray[np.intp],
        observed: npt.NDArray[np.float32],
        errors: FloatArray,
        reference: FloatArray,
    ) -> None:
        """Errors of about 1 ulp and more: the bounds decide, and how many bits are right."""
        bits = far + (self._binade.first + begin)
        returned, exact = observed[far].astype(np.float64), np.abs(reference[far])
        level, error, doubt = levels_of_far(
            self._balls, bits, returned, errors[far], exact, 2.0**-piece.ulp_exponent, MARGIN_ULPS
        )
        decided = ~doubt
        block.bits.append(bits[decided])
        block.levels.append(level[decided])
        block.errors.append(error[decided])
        block.observed.append(returned[decided])
        self.tally.by_polynomial += int(decided.sum())
        if doubt.any():
            block.undecided.append(bits[doubt])
            block.undecided_observed.append(returned[doubt])


def levels_of_far(
    balls: BallJudge,
    bits: Bits,
    returned: FloatArray,
    error: FloatArray,
    exact: FloatArray,
    scale: float | FloatArray,
    margin: float,
) -> tuple[Levels, FloatArray, npt.NDArray[np.bool_]]:
    """Levels of errors of about 1 ulp and more: the bounds decide, and how many bits are right.

    Args:
        balls: The judge by balls.
        bits: The inputs.
        returned: What was returned.
        error: The errors in ulps, each known within the margin and a rounding.
        exact: The magnitudes of the exact values in ulps.
        scale: One over the result's ulp.
        margin: The margin in ulps.

    Returns:
        The levels, the errors, and where neither is beyond doubt.
    """
    finite = np.isfinite(returned)
    error = np.where(finite, error, np.inf)
    bound, attainable = (each * scale for each in balls.bounds(bits))
    slack = np.where(finite, margin + error * _RELATIVE_SLACK, 0.0)
    level = np.full(bits.size, _WRONG, np.int8)
    quarter = 2.0 ** -(PRECISION[balls.number_type] / 4)
    near = finite & (returned != 0) & (error <= quarter * exact)
    level[near] = _LOSSY
    level[error <= bound] = _STABLE
    level[error <= attainable] = _ACCURATE
    beyond = error > bound
    doubt = np.abs(error - 1.0) <= slack
    for limit in (bound, attainable):
        doubt |= np.abs(error - limit) <= slack
    doubt |= beyond & (np.abs(error - quarter * exact) <= slack + margin)
    with np.errstate(invalid="ignore", divide="ignore"):
        doubt |= np.floor(np.log2(error - slack)) != np.floor(np.log2(error + slack))
    return level, error, doubt & finite


def count_block(tally: Tally, balls: BallJudge, block: Block) -> None:
    """Asks balls what no polynomial decided, and counts the block."""
    if block.undecided:
        bits, observed = np.concatenate(block.undecided), np.concatenate(block.undecided_observed)
        level, error = balls.judge(bits, observed)
        tally.by_balls += bits.size
        block.bits.append(bits)
        block.levels.append(level)
        block.errors.append(error)
        block.observed.append(observed)
    if not block.bits:
        return
    bits = np.concatenate(block.bits)
    order = np.argsort(bits, kind="stable")
    level, error = np.concatenate(block.levels)[order], np.concatenate(block.errors)[order]
    tally.add(balls.dtype, bits[order], level, error, np.concatenate(block.observed)[order])


def _evaluate(coefficients: FloatArray, t: FloatArray, result: FloatArray) -> None:
    """Horner's scheme, in place; float64 operations that IEEE 754 rounds one way on every machine."""
    degree = len(coefficients) - 1
    if degree == 0:
        result[...] = coefficients[0]
        return
    np.multiply(t, coefficients[degree], out=result)
    for power in range(degree - 1, 0, -1):
        np.add(result, coefficients[power], out=result)
        np.multiply(result, t, out=result)
    np.add(result, coefficients[0], out=result)
