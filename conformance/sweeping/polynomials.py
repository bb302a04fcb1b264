"""Polynomials that enclose a swept function: the fast reference, proven piece by piece.

On evenly spaced inputs a function is a Taylor polynomial of low degree, up to a remainder that balls enclose.
Coefficients are in ulps of the result, which is one and the same over a piece. Derivation: docs/sweeps.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from conformance.arithmetic.balls import Ball, ball, power_of_two, scaled_power
from conformance.arithmetic.formats import FORMATS, FloatArray, Format
from conformance.arithmetic.power_series import at_point, coefficients, over_interval, series_arithmetic
from conformance.sweeping.expansions import expansion, open_range
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade

#: What a polynomial in float64 may be off, in ulps of the result; an error nearer to a limit than this is
#: left to balls.
MARGIN_ULPS = 2.0**-20
#: The highest degree.
MAX_DEGREE = 9
#: Inputs of a piece that is not divided any more: balls decide them all.
MIN_INPUTS = 64
#: Inputs that are judged with one set of coefficients: a power of two.
ROW_INPUTS = 1 << 14

_REMAINDER_ULPS = MARGIN_ULPS / 4
#: Roundings, in units of the sum of the coefficients' magnitudes: of the coefficients (1), of those of a row
#: (at most 2 MAX_DEGREE), of Horner's scheme (2 MAX_DEGREE), and of what is subtracted from it (1).
_ROUNDINGS = 4 * MAX_DEGREE + 4
_UNIT = 2.0**-53


@dataclass(frozen=True)
class Piece:
    """Piece of a binade: consecutive inputs, and the polynomial of the function over them.

    Attributes:
        first: The first input, counted from the binade's first.
        count: How many inputs, a power of two; `first` is a multiple of it.
        ulp_exponent: The result's ulp as a power of two.
        coefficients: Those of t**0, t**1 ..., in ulps, where t = (i - first) / (count / 2) - 1; empty: balls
            decide.
    """

    first: int
    count: int
    ulp_exponent: int = 0
    coefficients: tuple[float, ...] = ()

    def rows(self, first: int, count: int) -> FloatArray:
        """The coefficients of each row of `ROW_INPUTS` inputs among `count` of them from `first` on.

        Returns:
            An array of shape (degree + 1, rows); t runs from -1 to 1 over each row.
        """
        scale = ROW_INPUTS / self.count
        centers = (2.0 * (np.arange(first, first + count, ROW_INPUTS) - self.first) + ROW_INPUTS) / self.count
        shifted = [np.full(centers.shape, value) for value in self.coefficients]
        degree = len(shifted) - 1
        for low in range(degree):  # Horner's scheme again and again: the polynomial about each row's centre
            for power in range(degree - 1, low - 1, -1):
                shifted[power] = shifted[power] + (centers - 1.0) * shifted[power + 1]
        return np.array([values * scale**power for power, values in enumerate(shifted)])


def pieces(
    function: SweptFunction, element: int, binade: Binade, first: int, count: int, dtype: str | None = None
) -> list[Piece]:
    """The pieces that cover `count` inputs of a binade from `first` on, in order.

    The same inputs always lie in the same piece, whatever else is asked for. What is proven of a piece holds
    of all real numbers between its inputs.

    Args:
        function: The function.
        element: Which of its numbers.
        binade: The binade.
        first: The first input, counted from the binade's first.
        count: How many inputs.
        dtype: The result's dtype; None: the inputs'.
    """
    covering: list[Piece] = []
    pending = [(0, binade.size)]
    with series_arithmetic(MAX_DEGREE + 2):
        while pending:
            begin, size = pending.pop()
            if begin + size <= first or begin >= first + count:
                continue
            piece = _piece(function, element, binade, begin, size, FORMATS[dtype or binade.dtype])
            if piece is not None or size <= MIN_INPUTS:
                covering.append(piece or Piece(begin, size))
            else:
                pending += [(begin + size // 2, size // 2), (begin, size // 2)]
    return covering


def _piece(
    function: SweptFunction, element: int, binade: Binade, first: int, size: int, fmt: Format
) -> Piece | None:
    """The polynomial over these inputs; None where it is not within the margin, or the ulp changes."""
    sign = -1 if binade.negative else 1
    middle = 2 * (binade.significand + first) + size
    center = scaled_power(sign * middle, binade.spacing_exponent - 1)
    radius = scaled_power(sign * size, binade.spacing_exponent - 1)
    terms = MAX_DEGREE + 2
    try:
        taylor = expansion(function, element, binade.negative, at_point(center, radius, terms))
        around = expansion(function, element, binade.negative, over_interval(center, radius, terms))
    except (ValueError, ZeroDivisionError):  # a pole lies among the inputs
        return None
    here = coefficients(taylor, terms)
    remainders = [abs(each).abs_upper() for each in coefficients(around, terms)]
    if not all(each.is_finite() for each in (*here, *remainders)):
        return None
    limits = open_range(function, element, binade.negative) if binade.significand + first else (0.0, math.inf)
    exponent = _ulp_exponent(fmt, here, remainders[-1], limits)
    if exponent is None:
        return None
    unit = power_of_two(-exponent)
    degree = next(
        (power for power in range(MAX_DEGREE + 1) if remainders[power + 1] * unit < _REMAINDER_ULPS), None
    )
    if degree is None:
        return None
    scaled = [each * unit for each in here[: degree + 1]]
    spread = sum((abs(each).abs_upper() for each in scaled), ball(0)) * (_ROUNDINGS * _UNIT)
    known = sum((each.rad() for each in scaled), ball(0))
    if not remainders[degree + 1] * unit + spread + known < MARGIN_ULPS:
        return None
    return Piece(first, size, exponent, tuple(float(each) for each in scaled))


def _ulp_exponent(fmt: Format, here: list[Ball], remainder: Ball, limits: tuple[float, float]) -> int | None:
    """The result's ulp as a power of two, where it is one over the whole piece and no result overflows."""
    center = abs(here[0])
    reach = sum((abs(each).abs_upper() for each in here[1:]), ball(0)) + remainder
    lower, upper = center - reach, center + reach
    top = math.frexp(float(center.mid()))[1] - 1 if center.mid() > power_of_two(fmt.emin) else fmt.emin
    for power in (top, top - 1):
        power = max(power, fmt.emin)
        begins = power == fmt.emin or lower >= power_of_two(power) or limits[0] >= 2.0**power
        ends = upper < power_of_two(power + 1) or limits[1] <= 2.0 ** (power + 1)
        if begins and ends and (power < fmt.emax or upper <= ball(fmt.largest)):
            return power - fmt.precision + 1
    return None
