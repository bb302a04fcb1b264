"""The four floating formats: correct rounding, ulps and storage.

A value is a *double-double* here: two float64 arrays `high` and `low` with `high` the float64 nearest to
`high + low`. That is enough to round correctly to every narrower fmt: `low` only decides ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A binary IEEE 754 format (bfloat16: float32's exponents with 8 bits of precision).

    Attributes:
        name: The dtype's name.
        precision: Bits of the significand, with the hidden one.
        emin: Exponent of the smallest normal number, as in `1.xxx * 2**e`.
        emax: Exponent of the largest finite number.
    """

    name: str
    precision: int
    emin: int
    emax: int

    @property
    def unit_roundoff(self) -> float:
        """Half an ulp of 1: the largest relative error of a rounding to nearest."""
        return 2.0**-self.precision

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number of full precision."""
        return 2.0**self.emin

    @property
    def smallest_subnormal(self) -> float:
        """The smallest positive number, and the ulp of everything at and below `smallest_normal`."""
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax

    @property
    def storage(self) -> np.dtype[Any]:
        """The NumPy type that holds the format's bits."""
        return np.dtype(ml_dtypes.bfloat16) if self.name == "bfloat16" else np.dtype(self.name)


FORMATS: dict[str, Format] = {
    "float16": Format("float16", 11, -14, 15),
    "bfloat16": Format("bfloat16", 8, -126, 127),
    "float32": Format("float32", 24, -126, 127),
    "float64": Format("float64", 53, -1022, 1023),
}


def round_to(fmt: Format, high: npt.ArrayLike, low: npt.ArrayLike | None = None) -> FloatArray:
    """The format's numbers nearest to `high + low`, ties to even: IEEE 754, subnormals and overflow too.

    Args:
        fmt: The format to round to.
        high: Numbers, nan and infinities included, which stay.
        low: What `high` lacks, broadcast with it: a tie of `high` is none where `low` is not 0.

    Returns:
        A float64 array, which holds every number of the format exactly.
    """
    if low is None:
        with np.errstate(all="ignore"):
            cast = _cast(fmt, np.asarray(high, np.float64))
        if cast is not None:
            return cast.astype(np.float64)
        low = 0.0
    high, low = np.asarray(high, np.float64), np.asarray(low, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        if fmt.name == "float64":
            whole: FloatArray = np.where(np.isfinite(high) & (low != 0), high + low, high)
            return whole
        finite = np.isfinite(high)
        value = np.where(finite, high, 0.0)
        quantum = _quantum(fmt, value)
        scaled = value / quantum
        down = np.floor(scaled)
        tie = (scaled - down == 0.5) & (low != 0)
        rounded = np.where(tie, down + (low > 0), np.rint(scaled)) * quantum
        rounded = np.where(np.abs(rounded) > fmt.largest, np.copysign(np.inf, value), rounded)
        result: FloatArray = np.where(finite, rounded, high)
        return result


def _cast(fmt: Format, value: FloatArray) -> npt.NDArray[Any] | None:
    """The values cast by NumPy, or None where that would round twice: to bfloat16 it goes through float32."""
    if fmt.name == "bfloat16":
        single = value.astype(np.float32)
        return single.astype(fmt.storage) if np.array_equal(single, value, equal_nan=True) else None
    return value.astype(fmt.storage)


def _quantum(fmt: Format, value: FloatArray) -> FloatArray:
    """The spacing of the format's numbers in the binade of `value`, without an upper end."""
    exponent = np.frexp(value)[1] - 1
    exponent = np.where(value == 0, fmt.emin, exponent)
    quantum: FloatArray = np.ldexp(1.0, np.maximum(exponent, fmt.emin) - fmt.precision + 1)
    return quantum


def ulp_of(fmt: Format, high: npt.ArrayLike, low: npt.ArrayLike = 0.0) -> FloatArray:
    """Unit in the last place of the format at `high + low`: the spacing in the binade of that value.

    A value just below a power of two lies in the lower binade. In the subnormal range and below it the
    ulp is the smallest subnormal number, beyond the largest number (and at infinity) that of the largest
    number; nan for nan.
    """
    high, low = np.asarray(high, np.float64), np.asarray(low, np.float64)
    value = np.where(np.isfinite(high), high, fmt.largest)
    mantissa, exponent = np.frexp(value)
    below = (np.abs(mantissa) == 0.5) & (low * np.sign(value) < 0)
    exponent = np.where(value == 0, fmt.emin, exponent - 1 - below)
    ulp = np.ldexp(1.0, np.clip(exponent, fmt.emin, fmt.emax) - fmt.precision + 1)
    return np.where(np.isnan(high), np.nan, ulp)


def to_storage(array: npt.ArrayLike, dtype: str) -> npt.NDArray[Any]:
    """A float64 array rounded to nearest even into the NumPy type that stores `dtype`."""
    fmt = FORMATS[dtype]
    with np.errstate(all="ignore"):  # ml_dtypes warns of nan
        cast = _cast(fmt, np.asarray(array, np.float64))
        return round_to(fmt, array).astype(fmt.storage) if cast is None else cast


def from_storage(array: npt.ArrayLike) -> FloatArray:
    """An array of any of the four formats as float64, which holds every value of theirs exactly."""
    with np.errstate(invalid="ignore"):
        return np.asarray(array).astype(np.float64)
