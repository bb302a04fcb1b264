"""Power series with balls for coefficients: Taylor polynomials whose remainder is enclosed (Taylor models).

A series stands for a function of t on [-1, 1]. Expanded at a point it has the Taylor coefficients; expanded
at the ball of all points its coefficient of t**(d + 1) encloses the Lagrange remainder of the polynomial of
degree d: there |t| is at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import flint

from conformance.arithmetic.balls import Ball, precision

Series: TypeAlias = Any  # flint.arb_series, which has no type stubs

#: Bits of the coefficients' midpoints: 1 - exp(-x) for the smallest float32 x keeps 170 of them.
SERIES_BITS = 320


def at_point(center: Ball, radius: Ball, terms: int) -> Series:
    """The series center + radius t, to that many terms."""
    return flint.arb_series([center, radius], prec=terms)


def over_interval(center: Ball, radius: Ball, terms: int) -> Series:
    """The same, expanded at the ball of all its values for t in [-1, 1]."""
    return flint.arb_series([flint.arb(center, radius.abs_upper()), radius], prec=terms)


def exponential(series: Series) -> Series:
    """exp of a series."""
    return series.exp()


def logarithm(series: Series) -> Series:
    """log of a series; no finite ball where the argument may be 0."""
    return series.log()


def coefficients(series: Series, terms: int) -> list[Ball]:
    """The first coefficients, zeros where the series ends before."""
    known = list(series)[:terms]
    return known + [flint.arb(0)] * (terms - len(known))


@contextmanager
def series_arithmetic(terms: int) -> Iterator[None]:
    """A context in which series have so many terms and `SERIES_BITS` bits."""
    before = flint.ctx.cap
    flint.ctx.cap = terms
    try:
        with precision(SERIES_BITS):
            yield
    finally:
        flint.ctx.cap = before
