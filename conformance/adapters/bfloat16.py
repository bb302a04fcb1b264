"""Storage arrays of the wire: ``bfloat16`` as its bits, and the way to float32 and back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = Any  # a NumPy array; NumPy 1.19 has no types to say more


@lru_cache(maxsize=None)
def name_of(dtype: Any) -> str:
    """A NumPy dtype's name; NumPy itself puts it together anew each time."""
    return str(dtype.name)


def widen(bits: Array) -> Array:
    """The float32 values of bfloat16 bits (uint16), exactly: the bits are float32's upper half."""
    shifted = np.asarray(bits).astype(np.uint32) << np.uint32(16)
    return np.asarray(shifted).view(np.float32)  # asarray: shifting a 0-d array leaves a scalar


def narrow(values: Array) -> Array:
    """The bfloat16 bits (uint16) of float32 values, rounded to nearest, ties to even; nan stays nan."""
    values = np.asarray(values, np.float32)
    bits = np.atleast_1d(values).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)  # adding to a nan's bits could carry into the sign
    result = np.where(np.isnan(np.atleast_1d(values)), quiet, rounded).astype(np.uint16)
    return result.reshape(values.shape)


def cast(array: Array, dtype: str, to: str) -> Array:
    """A storage array of one dtype as one of another; meant for values that both hold exactly (0 and 1)."""
    values = widen(array) if dtype == "bfloat16" else array
    return narrow(values) if to == "bfloat16" else values.astype(to)
