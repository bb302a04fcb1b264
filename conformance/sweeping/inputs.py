"""Inputs of a sweep: every number of a dtype, by its bits, binade by binade.

Bits are unsigned integers: the positive numbers from 0 up, infinity, nan, then the negative ones from -0
down. A binade is a sign and an exponent: its numbers are evenly spaced, the subnormal ones' too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.adapters.bfloat16 import widen
from conformance.arithmetic.formats import FORMATS, FloatArray

Bits = npt.NDArray[np.int64]

#: The dtypes whose every number a sweep can visit, and how many bits they have.
WIDTH_BITS = {"float16": 16, "bfloat16": 16, "float32": 32}
#: Pairs [x, y] of numbers of a half type as inputs: the bits of y above those of x. Their binades are those
#: of y, each with every x.
PAIRS = {"float16 pairs": "float16", "bfloat16 pairs": "bfloat16"}


@dataclass(frozen=True)
class Binade:
    """Binade of a dtype: numbers of one sign and exponent.

    Attributes:
        dtype: The dtype, or `PAIRS` of one.
        index: Which one, by the bits above the fraction: 0 are the positive subnormals.
    """

    dtype: str
    index: int

    @property
    def size(self) -> int:
        """How many inputs it has, a power of two."""
        numbers = int(1 << (FORMATS[number_type(self.dtype)].precision - 1))
        return numbers << WIDTH_BITS[PAIRS[self.dtype]] if self.dtype in PAIRS else numbers

    @property
    def first(self) -> int:
        """The bits of its first number, the one of least magnitude."""
        return self.index * self.size

    @property
    def negative(self) -> bool:
        """Whether its numbers are."""
        return self.index >= binade_count(self.dtype) // 2

    @property
    def biased_exponent(self) -> int:
        """The exponent as it is stored; 0 are the subnormals."""
        return self.index % (binade_count(self.dtype) // 2)

    @property
    def special(self) -> bool:
        """Whether it holds the infinity and the nans."""
        return self.biased_exponent == binade_count(self.dtype) // 2 - 1

    @property
    def exponent(self) -> int:
        """The power of two that its numbers have; of the subnormals that of the smallest normal number."""
        return FORMATS[number_type(self.dtype)].emin + max(self.biased_exponent, 1) - 1

    @property
    def spacing_exponent(self) -> int:
        """The power of two by which its numbers are apart."""
        return self.exponent - FORMATS[number_type(self.dtype)].precision + 1

    @property
    def significand(self) -> int:
        """The magnitude of its first number in those steps."""
        return self.size if self.biased_exponent else 0


def number_type(dtype: str) -> str:
    """The dtype of the numbers of an input."""
    return PAIRS.get(dtype, dtype)


def input_bits(dtype: str) -> int:
    """How many bits an input has."""
    return 2 * WIDTH_BITS[PAIRS[dtype]] if dtype in PAIRS else WIDTH_BITS[dtype]


def binade_count(dtype: str) -> int:
    """How many binades a dtype has, those of infinities and nans among them."""
    return (1 << input_bits(dtype)) // Binade(dtype, 0).size


def binades(dtype: str, first: int, last: int) -> Iterator[Binade]:
    """The binades that hold the numbers from `first` to `last`, by their bits."""
    size = Binade(dtype, 0).size
    for index in range(first // size, last // size + 1):
        yield Binade(dtype, index)


def storage(dtype: str, bits: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """The numbers of these bits as adapters take them: bfloat16 as its bits."""
    width = np.uint32 if WIDTH_BITS[dtype] == 32 else np.uint16
    array: npt.NDArray[np.generic] = np.asarray(bits).astype(width)
    return array if dtype == "bfloat16" else array.view(dtype)


def floats(dtype: str, stored: npt.NDArray[np.generic]) -> FloatArray:
    """Numbers as adapters store them in float64, which holds each exactly."""
    with np.errstate(invalid="ignore"):
        wide: FloatArray = (widen(stored) if dtype == "bfloat16" else stored).astype(np.float64)
    return wide


def values(dtype: str, bits: npt.ArrayLike) -> FloatArray:
    """The inputs of these bits in float64; pairs as rows [x, y]."""
    if dtype in PAIRS:
        both = np.asarray(bits).astype(np.uint32).reshape(-1, 1) >> np.array([0, 16], np.uint32)
        return values(PAIRS[dtype], both & np.uint32(0xFFFF))
    return floats(dtype, storage(dtype, bits))


def bits_of(dtype: str, value: float) -> int:
    """The bits of a number that the dtype holds."""
    if dtype == "bfloat16":
        return int(np.float32(value).view(np.uint32)) >> 16
    return int(np.array(value, dtype).view(np.uint32 if dtype == "float32" else np.uint16))
