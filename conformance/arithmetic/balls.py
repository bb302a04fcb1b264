"""Ball arithmetic with python-flint: the only module that knows it, beside `power_series`.

A ball (`flint.arb`) is a midpoint and a radius that encloses the true value. Its midpoint's precision is a
global setting of flint: `precision` sets it for a block and restores it. Exact infinities and nan are balls
too and go through sums as IEEE 754 has it.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from operator import sub
from typing import Any, TypeAlias

import flint
import numpy as np

from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import (
    Column,
    EncodedColumn,
    distinct_values,
    each,
    encoded_numbers,
)

Ball: TypeAlias = Any  # flint.arb, which has no type stubs

ZERO: Ball = flint.arb(0)
ONE: Ball = flint.arb(1)
NAN: Ball = flint.arb("nan")
INFINITY: Ball = flint.arb("inf")
MINUS_INFINITY: Ball = flint.arb("-inf")
#: The ball of all numbers, which says nothing yet: more precision will tell.
UNDECIDED: Ball = flint.arb(0, "inf")

#: A term that many bits below an exact float64 sum can change no rounding of it beyond its own sign.
TAIL_BITS = 4352
#: Below it a double-double loses digits to float64's own underflow.
MIN_DOUBLE_DOUBLE = 2.0**-960
_SMALLEST_FLOAT64 = 2.0**-1074
# The exponent of `math.frexp` above which float64 has its full precision.
_MIN_NORMAL_EXPONENT = -1021
# exp(x) loses as many bits as x has before its point: below this argument they are added.
_MIN_PLAIN_ARGUMENT = -(2.0**20)


def precision(bits: int) -> AbstractContextManager[Any]:
    """A context in which balls are computed with midpoints of `bits` bits."""
    context: AbstractContextManager[Any] = flint.ctx.workprec(bits)
    return context


def current_precision() -> int:
    """The bits that midpoints have in this context."""
    return int(flint.ctx.prec)


def wide() -> AbstractContextManager[Any]:
    """A context in which sums and products of a few float64 are exact, and tails survive beside them."""
    return precision(flint.ctx.prec + TAIL_BITS)


def ball(value: float | int) -> Ball:
    """The ball of radius 0 at a float64 or integer, infinities and nan included."""
    return flint.arb(value)


def balls(values: FloatArray) -> Column:
    """The balls of radius 0 at each number; where many are equal, they share one."""
    return each(flint.arb, encoded_numbers(values))


def power_of_two(exponent: int) -> Ball:
    """2**exponent, exactly."""
    return flint.arb((1, exponent))


def scaled_power(significand: int, exponent: int) -> Ball:
    """significand * 2**exponent, exactly."""
    return flint.arb((significand, exponent))


def is_nan(value: Ball) -> bool:
    """Whether the ball is nan (the value is undefined)."""
    return bool(value.is_nan())


def magnitude(value: Ball) -> int:
    """The exponent e with 2**(e-1) <= |midpoint| < 2**e of a finite ball that is not at zero."""
    fraction, power = math.frexp(float(value))
    # To nearest, the midpoint may become a power of two that it lies below.
    if 0.5 < abs(fraction) < 1 and power > _MIN_NORMAL_EXPONENT:
        return power
    mantissa, exponent = value.mid().man_exp()
    return int(mantissa).bit_length() + int(exponent)


def exponentials(values: Column, maximum: float) -> Column:
    """exp(value - maximum) for finite values and -inf (exactly 0), all at most the finite `maximum`."""
    top = flint.arb(maximum)
    if min(distinct_values(values)) - maximum > _MIN_PLAIN_ARGUMENT:
        return each(flint.arb.exp, each(top.__rsub__, values))
    with wide():
        shifted = each(top.__rsub__, values)
    return each(exponential, shifted)


def exponential(value: Ball) -> Ball:
    """exp of a ball at or below 0, to the current precision however far below; exactly 0 for -inf."""
    if value == MINUS_INFINITY:
        return ZERO
    if value > _MIN_PLAIN_ARGUMENT:
        return value.exp()
    with precision(flint.ctx.prec + magnitude(value)):
        return value.exp()


def sum_of(values: Sequence[Ball]) -> Ball:
    """The sum at the current precision."""
    if isinstance(values, EncodedColumn):
        return sum((count * value for count, value in values.counted()), ZERO)
    return sum(values, ZERO)


def exact_sum(values: Sequence[Ball]) -> Ball:
    """The sum, exact for float64 terms that span less than `TAIL_BITS` bits."""
    with wide():
        return sum_of(values)


def product(left: Ball, right: Ball) -> Ball:
    """left * right, where an exact zero removes an infinite factor: 0 x inf = 0, but 0 x nan = nan."""
    value = left * right
    if value.is_finite():
        return value
    if left.is_nan() or right.is_nan():
        return NAN
    return ZERO if left.is_zero() or right.is_zero() else value


def quotient(left: Ball, right: Ball) -> Ball:
    """left / right; nan over an exact zero."""
    if right.is_zero():
        return NAN
    return UNDECIDED if right.contains(ZERO) else left / right


def total(whole: Ball, tail: Ball) -> Ball:
    """whole + tail with enough precision that a tiny tail still says on which side of `whole` the sum lies.

    A tail more than `TAIL_BITS` bits below an exact `whole` is replaced by one of the same sign just there:
    the sum then rounds the same in every format and agrees in its first 1,300 digits.
    """
    if not (whole.is_finite() and tail.is_finite()) or whole.is_zero() or tail.is_zero():
        return whole + tail
    if whole.contains(ZERO) or tail.contains(ZERO):
        return whole + tail
    gap = magnitude(whole) - magnitude(tail)
    if gap < flint.ctx.prec // 2:
        return whole + tail
    if gap > TAIL_BITS and whole.is_exact():
        tiny = power_of_two(magnitude(whole) - TAIL_BITS)
        tail = tiny if tail > 0 else -tiny
    with precision(flint.ctx.prec + min(gap, TAIL_BITS)):
        return whole + tail


def split(values: Sequence[Ball]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(high, low, radius) of each ball as float64 arrays.

    Returns:
        high: The midpoint rounded to nearest; infinite beyond float64's range.
        low: The midpoint less `high`, rounded to nearest.
        radius: How far the value may lie from high + low; it covers the rounding of `low`, is infinite
            where the ball says nothing, and 0 for nan and infinities.
    """
    high = np.fromiter(map(float, values), np.float64, len(values))
    rest = list(map(sub, values, high.tolist()))
    low = np.fromiter(map(float, rest), np.float64, len(values))
    radius = np.fromiter(map(float, map(flint.arb.rad, rest)), np.float64, len(values))
    special = ~np.isfinite(high) | np.isnan(low)
    low[special] = 0.0
    radius[special] = 0.0
    for index in np.flatnonzero((low == 0) & ~special & (np.abs(high) >= MIN_DOUBLE_DOUBLE)).tolist():
        item = rest[index]
        if radius[index] == 0 and not item.is_zero():
            # A rest below float64's range still decides ties by its sign.
            low[index] = _SMALLEST_FLOAT64 if item > 0 else -_SMALLEST_FLOAT64 if item < 0 else 0.0
            radius[index] = 0.0 if low[index] else _SMALLEST_FLOAT64
    return high, low, radius + np.abs(low) * 2.0**-52


def significand(value: Ball) -> tuple[int, int]:
    """The midpoint of a finite ball as (integer, power of two), shortened to 160 bits."""
    mantissa, exponent = map(int, value.mid().man_exp())
    excess = max(0, mantissa.bit_length() - 160)
    return mantissa >> excess, exponent + excess


def ends(value: Ball) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two ends of a finite ball, each as (integer, power of two), exactly."""
    with precision(1 << 24):
        lower, upper = value.lower().man_exp(), value.upper().man_exp()
    return (int(lower[0]), int(lower[1])), (int(upper[0]), int(upper[1]))


def enclosure(value: Ball) -> tuple[float, float]:
    """The nearest float64 below and above the whole ball (the value itself where it is one); nan for nan."""
    if is_nan(value):
        return float("nan"), float("nan")
    with precision(1 << 24):
        lower, upper = value.lower(), value.upper()
        below, above = float(lower), float(upper)
        if flint.arb(below) > lower:
            below = float(np.nextafter(below, -np.inf))
        if flint.arb(above) < upper:
            above = float(np.nextafter(above, np.inf))
    return below, above


def accuracy(value: Ball) -> float:
    """How many bits of the midpoint are certain; infinite for exact values, infinities and nan."""
    if is_nan(value) or value.is_exact():
        return float("inf")
    return float(value.rel_accuracy_bits())


def decimal_text(value: Ball, digits: int) -> str:
    """Decimal text of the midpoint in `digits` significant digits: `0.2500`, `-1.5e-434`, `nan`, `inf`."""
    if is_nan(value):
        return "nan"
    if not value.is_finite():
        return "inf" if value > 0 else "-inf"
    if value.mid().is_zero():
        return "0"
    with precision(max(flint.ctx.prec, 4 * digits + 128)):
        text = value.mid().str(digits + 15, radius=False)
    significant, _, exponent = text.lstrip("-").partition("e")
    # Rounded without its exponent, which may be beyond what `decimal` takes.
    number = decimal.Context(prec=digits, rounding=decimal.ROUND_HALF_EVEN).create_decimal(significant)
    return ("-" if text.startswith("-") else "") + _figures(number, digits, int(exponent or 0))


def sum_text(high: float, low: float, digits: int) -> str:
    """Decimal text of the exact sum of two finite numbers, not 0: `decimal_text` in a third of its time."""
    rounding = decimal.Context(prec=digits, rounding=decimal.ROUND_HALF_EVEN)
    number = rounding.add(decimal.Decimal(high), decimal.Decimal(low))
    return ("-" if high < 0 else "") + _figures(number, digits, 0)


def _figures(number: decimal.Decimal, digits: int, exponent: int) -> str:
    """|number| times a power of ten, in exactly that many digits."""
    figures = f"{number:.{digits - 1}e}".partition("e")[0].lstrip("-").replace(".", "")
    return _with_point(figures, number.adjusted() + exponent)


def _with_point(figures: str, exponent: int) -> str:
    """Digits with their point: fixed notation for everyday magnitudes, scientific for the others."""
    if 0 <= exponent < len(figures):
        whole, fraction = figures[: exponent + 1], figures[exponent + 1 :]
        return f"{whole}.{fraction}" if fraction else whole
    if -4 <= exponent < 0:
        return "0." + "0" * (-exponent - 1) + figures
    fraction = figures[1:]
    return f"{figures[0]}{'.' if fraction else ''}{fraction}e{exponent:+03d}"
