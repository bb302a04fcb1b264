"""Correct rounding by Ziv's strategy: more precision until the ball is thin enough to decide.

A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit",
ACM Transactions on Mathematical Software 17(3), 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import (
    MIN_DOUBLE_DOUBLE,
    Ball,
    ends,
    power_of_two,
    precision,
    significand,
    split,
)
from conformance.arithmetic.formats import FloatArray, Format, round_to, ulp_of
from conformance.arithmetic.repeated_values import (
    ChainedColumns,
    Codes,
    Column,
    columns_of,
    encoded,
    parts_of,
)

START_BITS = 128
MAX_BITS = 65536
#: Balls that are settled together: their arrays stay in the processor's cache.
PART_BALLS = 1 << 15


@dataclass(frozen=True)
class Rounded:
    """Values settled for a format, as flat arrays.

    Attributes:
        rounded: Each value correctly rounded to the format.
        high: The float64 nearest to the value.
        low: What `high` lacks, so that high + low is a double-double.
        ulp: The format's ulp at the value.
        outside: For each non-zero value that a double-double cannot hold, by its index: the value as
            (integer, power of two).
    """

    rounded: FloatArray
    high: FloatArray
    low: FloatArray
    ulp: FloatArray
    outside: dict[int, tuple[int, int]] = field(default_factory=dict)


def settle(fmt: Format, evaluate: Callable[[], Iterable[Ball]]) -> Rounded:
    """Correctly rounded values, by evaluation at 128 bits and twice as many until every ball settles.

    A ball settles when its radius is at most 2**-10 ulp of the format and both of its ends round to the
    same number. A ball that still sits on a rounding boundary at 65,536 bits (an exact zero that
    arithmetic cannot prove, a tie) is taken as that boundary. Balls that come one by one, as from a
    generator, are let go as they settle.

    Args:
        fmt: The format to round to.
        evaluate: Gives the balls, flat, at the precision of the context that it is called in.
    """
    bits = START_BITS
    while True:
        with precision(bits):
            parts = _settled_parts(fmt, evaluate(), last=bits >= MAX_BITS)
        if parts is not None:
            return _joined(parts)
        bits *= 2


def settle_together(fmt: Format, evaluations: Sequence[Callable[[], Iterable[Ball]]]) -> list[Rounded]:
    """What `settle` makes of each evaluation; in one step where 128 bits do, as they nearly always do."""
    if len(evaluations) == 1:
        return [settle(fmt, evaluations[0])]
    sizes: list[int] = []

    def counted() -> Iterator[Column]:
        for evaluate in evaluations:
            sizes.append(0)
            for column in columns_of(evaluate(), PART_BALLS):
                sizes[-1] += len(column)
                yield column

    with precision(START_BITS):
        parts = _settled_parts(fmt, ChainedColumns(counted()), last=False)
    if parts is not None:
        return _cut(_joined(parts), sizes)
    half = len(evaluations) // 2
    return settle_together(fmt, evaluations[:half]) + settle_together(fmt, evaluations[half:])


def _cut(whole: Rounded, sizes: Sequence[int]) -> list[Rounded]:
    """Parts of these sizes, in order."""
    parts, begin = [], 0
    for size in sizes:
        span = slice(begin, begin + size)
        outside = {
            index - begin: digits for index, digits in whole.outside.items() if begin <= index < begin + size
        }
        parts.append(
            Rounded(whole.rounded[span], whole.high[span], whole.low[span], whole.ulp[span], outside)
        )
        begin += size
    return parts


def _settled_parts(fmt: Format, values: Iterable[Ball], last: bool) -> list[Rounded] | None:
    """All values, `PART_BALLS` at a time; None as soon as one is not settled."""
    settled: list[Rounded] = []
    for part in parts_of(values, PART_BALLS):
        dictionary = encoded(part)
        of_part = _settled_part(fmt, part if dictionary is None else dictionary.values, last)
        if of_part is None:
            return None
        settled.append(of_part if dictionary is None else _decoded(of_part, dictionary.codes))
    return settled or [Rounded(np.empty(0), np.empty(0), np.empty(0), np.empty(0))]


def _decoded(distinct: Rounded, codes: Codes) -> Rounded:
    """The settled value at each position, from the distinct ones and a code a position."""
    outside = {}
    if distinct.outside:
        positions = np.flatnonzero(np.isin(codes, list(distinct.outside)))
        outside = {
            position: distinct.outside[code]
            for position, code in zip(positions.tolist(), codes[positions].tolist(), strict=True)
        }
    rounded, high, low, ulp = (
        array[codes] for array in (distinct.rounded, distinct.high, distinct.low, distinct.ulp)
    )
    return Rounded(rounded, high, low, ulp, outside)


def _joined(parts: Sequence[Rounded]) -> Rounded:
    """The parts one behind the other."""
    if len(parts) == 1:
        return parts[0]
    rounded, high, low, ulp = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("rounded", "high", "low", "ulp")
    )
    begins = np.cumsum([0, *(part.high.size for part in parts)]).tolist()
    outside = {
        begin + index: digits
        for begin, part in zip(begins[:-1], parts, strict=True)
        for index, digits in part.outside.items()
    }
    return Rounded(rounded, high, low, ulp, outside)


def _settled_part(fmt: Format, values: Sequence[Ball], last: bool) -> Rounded | None:
    """These values; None where one of them needs more precision and this is not the last."""
    high, low, radius = split(values)
    ulp = ulp_of(fmt, high, low)
    rounded, unsettled = _round(fmt, values, (high, low, radius, ulp), last)
    if unsettled and not last:
        return None
    for index in np.flatnonzero((high != 0) & (np.abs(high) < fmt.smallest_subnormal)).tolist():
        if values[index].contains(0):
            # A zero that arithmetic cannot prove: the midpoint of so thin a ball has no digits to show.
            rounded[index] = high[index] = low[index] = 0.0
            ulp[index] = fmt.smallest_subnormal
    return Rounded(rounded, high, low, ulp, _outside(values, high))


def _round(
    fmt: Format, values: Sequence[Ball], parts: tuple[FloatArray, ...], last: bool
) -> tuple[FloatArray, bool]:
    """The rounded values, and whether one of them is not settled yet.

    parts: high, low, radius (see `split`) and the ulp of each value.
    """
    high, low, radius, ulp = parts
    finite = np.isfinite(high)
    with np.errstate(invalid="ignore", over="ignore"):
        rounded, below, above = round_to(fmt, high, np.stack([low, low - radius, low + radius]))
        unsettled = bool((finite & ~(radius <= ulp * 2.0**-10)).any())
        doubtful = finite & (below != above)
        if fmt.name == "float64":
            # Among float64's own subnormals a double-double cannot tell; far below them there is no need.
            doubtful |= finite & (high != 0) & (np.abs(high) < MIN_DOUBLE_DOUBLE)
    doubtful |= _candidates(fmt, values, high)
    for index in np.flatnonzero(doubtful).tolist():
        settled = _settled(fmt, values[index], last)
        if settled is None:
            unsettled = True
        else:
            rounded[index] = settled
    return rounded, unsettled


def _candidates(fmt: Format, values: Sequence[Ball], high: FloatArray) -> npt.NDArray[np.bool_]:
    """Elements out of float64's range that may still round to one of its ends."""
    doubtful = np.zeros(high.shape, np.bool_)
    for index in np.flatnonzero(np.isinf(high)).tolist():
        doubtful[index] = values[index].is_finite()
    if fmt.name == "float64":
        scale = power_of_two(1000)
        for index in np.flatnonzero(high == 0).tolist():
            value = values[index]
            doubtful[index] = not value.is_zero() and abs(float(value * scale)) > 2.0**-76
    return doubtful


def _settled(fmt: Format, value: Ball, last: bool) -> float | None:
    """A ball rounded from its exact ends; None when they differ, but at the last precision its boundary."""
    if not value.is_finite():
        # No number yet, as 1 over a ball around zero. Still none at the cap: undefined.
        return float("nan") if last else None
    lower, upper = (round_integer(fmt, *end) for end in ends(value))
    if lower == upper:
        return lower
    return round_integer(fmt, *_boundary(value)) if last else None


def _boundary(value: Ball) -> tuple[int, int]:
    """The short number that so thin a ball lies around, as (integer, power of two): a tie, to all appearance.

    The midpoint itself has a last bit that is off, and would break the tie by chance.
    """
    mantissa, exponent = map(int, value.mid().man_exp())
    excess = max(0, mantissa.bit_length() - MAX_BITS // 2)
    half = (1 << excess) >> 1
    return (mantissa + half) >> excess, exponent + excess


def round_integer(fmt: Format, mantissa: int, exponent: int) -> float:
    """The format's number nearest to mantissa * 2**exponent, ties to even, by integer arithmetic alone."""
    if mantissa == 0:
        return 0.0
    size = abs(mantissa).bit_length()
    if size + exponent > fmt.emax + 2:
        return float("inf") if mantissa > 0 else float("-inf")
    quantum = max(size + exponent - fmt.precision, fmt.emin - fmt.precision + 1)
    if size + exponent < quantum - 1:
        return 0.0
    shift = quantum - exponent
    kept = abs(mantissa)
    if shift > 0:
        half, rest = 1 << (shift - 1), kept & ((1 << shift) - 1)
        kept >>= shift
        kept += rest > half or (rest == half and kept & 1)
    else:
        kept <<= -shift
    # Two steps: 2.0**quantum alone would underflow for a quantum that a large `kept` brings back.
    result = float(np.ldexp(float(kept), quantum)) if kept.bit_length() + quantum <= 1024 else float("inf")
    result = float("inf") if result > fmt.largest else result
    return result if mantissa > 0 else -result


def _outside(values: Sequence[Ball], high: FloatArray) -> dict[int, tuple[int, int]]:
    """The digits of the non-zero finite values that lie outside what a double-double holds."""
    candidates = np.flatnonzero(np.isinf(high) | (np.abs(high) < MIN_DOUBLE_DOUBLE)).tolist()
    return {
        index: significand(values[index])
        for index in candidates
        if values[index].is_finite() and not values[index].contains(0)
    }
