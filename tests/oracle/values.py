"""Between NumPy's floating-point numbers and mpmath's, without an error either way but the last rounding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp, mpf

Array = np.ndarray[Any, Any]


def number(x: Any) -> mpf:
    """The exact value of a number of at most 64 bits; an mpmath number itself."""
    return x if isinstance(x, mpf) else mpf(float(x))


def each(function: Callable[[mpf], mpf], x: Array) -> Array:
    """An object array of the function of each element's exact value."""
    out = np.empty(np.shape(x), dtype=object)
    for i in np.ndindex(out.shape):
        out[i] = function(number(x[i]))
    return out


def zeros(shape: tuple[int, ...]) -> Array:
    """An object array of mpmath zeros."""
    return each(lambda zero: zero, np.zeros(shape))


def to_fraction(x: mpf) -> Fraction:
    """A finite number itself, as a ratio of integers."""
    sign, mantissa, exponent, _ = x._mpf_
    ratio = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -ratio if sign else ratio


def to_float64(x: mpf) -> float:
    """The nearest float64, the even one where two are as near."""
    if not mp.isfinite(x):
        return float(x)
    ratio = to_fraction(x)
    try:
        return ratio.numerator / ratio.denominator  # Python rounds a quotient of integers correctly
    except OverflowError:
        return float("inf") if ratio > 0 else float("-inf")
