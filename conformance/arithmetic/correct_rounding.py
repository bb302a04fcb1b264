"""Correct rounding by Ziv's strategy: more precision until the ball is thin enough to be sure.

A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit",
ACM Transactions on Mathematical Software 17(3), 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import TINY, Ball, ends, power_of_two, precision, significand, split
from conformance.arithmetic.formats import FloatArray, Format, round_to, ulp_of
from conformance.arithmetic.repeated_values import Behind, Column, Places, columns, parts, recurring

START = 128  # bits
CAP = 65536  # bits
#: Balls that are settled together: what is made of them stays in the processor's cache.
PART = 1 << 15


@dataclass(frozen=True)
class Rounded:
    """Values settled for a format, as flat arrays.

    rounded: correctly rounded to the format. high, low: the double-double. ulp: the format's at the value.
    outside: for each non-zero value that a double-double cannot hold, its (integer, power of two).
    """

    rounded: FloatArray
    high: FloatArray
    low: FloatArray
    ulp: FloatArray
    outside: dict[int, tuple[int, int]] = field(default_factory=dict)


def settle(fmt: Format, evaluate: Callable[[], Iterable[Ball]]) -> Rounded:
    """Evaluate at 128 bits, and at twice the precision until every ball settles, up to 65,536 bits.

    A ball settles when its radius is at most 2**-10 ulp of the format and both of its ends round to the
    same number. A ball that still sits on a rounding boundary at 65,536 bits (an exact zero that
    arithmetic cannot prove, a tie) is taken as that boundary. Balls that come one by one, as from a
    generator, are let go as they settle.
    """
    bits = START
    while True:
        with precision(bits):
            found = _settled_parts(fmt, evaluate(), last=bits >= CAP)
        if found is not None:
            return _joined(found)
        bits *= 2


def settle_together(fmt: Format, several: Sequence[Callable[[], Iterable[Ball]]]) -> list[Rounded]:
    """What `settle` makes of each; those for which 128 bits do, as they nearly always do, in one step."""
    if len(several) == 1:
        return [settle(fmt, several[0])]
    sizes: list[int] = []

    def counted() -> Iterator[Column]:
        for evaluate in several:
            sizes.append(0)
            for column in columns(evaluate(), PART):
                sizes[-1] += len(column)
                yield column

    with precision(START):
        found = _settled_parts(fmt, Behind(counted()), last=False)
    if found is not None:
        return _cut(_joined(found), sizes)
    half = len(several) // 2
    return settle_together(fmt, several[:half]) + settle_together(fmt, several[half:])


def _cut(whole: Rounded, sizes: Sequence[int]) -> list[Rounded]:
    """Parts of these sizes, in order."""
    found, begin = [], 0
    for size in sizes:
        place = slice(begin, begin + size)
        outside = {
            index - begin: held for index, held in whole.outside.items() if begin <= index < begin + size
        }
        found.append(
            Rounded(whole.rounded[place], whole.high[place], whole.low[place], whole.ulp[place], outside)
        )
        begin += size
    return found


def _settled_parts(fmt: Format, values: Iterable[Ball], last: bool) -> list[Rounded] | None:
    """All values, `PART` at a time; None as soon as one is not settled."""
    found: list[Rounded] = []
    for part in parts(values, PART):
        held = recurring(part)
        settled = _settled_part(fmt, part if held is None else held.kinds, last)
        if settled is None:
            return None
        found.append(settled if held is None else _spread(settled, held.places))
    return found or [Rounded(np.empty(0), np.empty(0), np.empty(0), np.empty(0))]


def _spread(of_kinds: Rounded, places: Places) -> Rounded:
    """What each place has, whose kinds are settled."""
    held, outside = of_kinds.outside, {}
    if held:
        beyond = np.flatnonzero(np.isin(places, list(held)))
        outside = {
            place: held[kind] for place, kind in zip(beyond.tolist(), places[beyond].tolist(), strict=True)
        }
    rounded, high, low, ulp = (
        array[places] for array in (of_kinds.rounded, of_kinds.high, of_kinds.low, of_kinds.ulp)
    )
    return Rounded(rounded, high, low, ulp, outside)


def _joined(found: Sequence[Rounded]) -> Rounded:
    """The parts behind each other."""
    if len(found) == 1:
        return found[0]
    rounded, high, low, ulp = (
        np.concatenate([getattr(part, name) for part in found]) for name in ("rounded", "high", "low", "ulp")
    )
    begins = np.cumsum([0, *(part.high.size for part in found)]).tolist()
    outside = {
        begin + index: held
        for begin, part in zip(begins[:-1], found, strict=True)
        for index, held in part.outside.items()
    }
    return Rounded(rounded, high, low, ulp, outside)


def _settled_part(fmt: Format, values: Sequence[Ball], last: bool) -> Rounded | None:
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
            doubtful |= finite & (high != 0) & (np.abs(high) < TINY)
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
    """One ball rounded from its exact ends, or None when they differ; at last, from what it lies around."""
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
    excess = max(0, mantissa.bit_length() - CAP // 2)
    half = (1 << excess) >> 1
    return (mantissa + half) >> excess, exponent + excess


def round_integer(fmt: Format, mantissa: int, exponent: int) -> float:
    """mantissa * 2**exponent rounded to nearest even in the format, in integers only."""
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
    candidates = np.flatnonzero(np.isinf(high) | (np.abs(high) < TINY)).tolist()
    return {
        index: significand(values[index])
        for index in candidates
        if values[index].is_finite() and not values[index].contains(0)
    }
