"""Literals of Python that mean the same bits everywhere."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable
from functools import lru_cache

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

MAX_LISTED_ELEMENTS = 400  # elements: more are packed
MAX_PACKED_LETTERS = 40_000  # letters: more would be no text to copy
_MAX_PACKED_BYTES = MAX_PACKED_LETTERS * 4 // 5  # what so many letters of base 85 hold
_MAX_ZLIB_RATIO = 1032  # zlib makes nothing shorter than by this factor
SCALARS: dict[str, Callable[[str], object]] = {
    "float16": np.float16,
    "bfloat16": lambda text: ml_dtypes.bfloat16(float(text)),
    "float32": np.float32,
    "float64": np.float64,
}


def number(value: float, dtype: str) -> str:
    """The shortest decimal literal that, rounded to the dtype, is this value; `float("inf")` and the like."""
    if math.isnan(value):
        return 'float("nan")'
    if math.isinf(value):
        return 'float("inf")' if value > 0 else '-float("inf")'
    with np.errstate(
        over="ignore"
    ):  # a short decimal may round beyond the largest number: it is not the value
        for digits in range(1, 10):
            short = repr(float(f"{value:.{digits}g}"))
            if dtype in SCALARS and float(SCALARS[dtype](short)) == value:  # type: ignore[arg-type]
                return short
    return repr(value)


def nested(array: Array, dtype: str) -> str:
    """An array as nested lists; `dtype` is that of floating values, integers are themselves."""
    if array.ndim == 0:
        if array.dtype.kind == "b":
            return str(bool(array))
        return number(float(array), dtype) if array.dtype.kind == "f" else str(int(array))
    return "[" + ", ".join(nested(part, dtype) for part in array) + "]"


def packed(array: Array) -> tuple[str, str] | None:
    """A large array as an expression for its flat list, and its import; None where that is too large."""
    if array.size * 4 > _MAX_PACKED_BYTES * _MAX_ZLIB_RATIO:
        return None
    code = "d" if array.dtype.kind == "f" else "q"
    if code == "d" and np.array_equal(array, array.astype(np.float32), equal_nan=True):
        code = "f"
    data = _compressed(array.astype({"d": "<f8", "f": "<f4", "q": "<i8"}[code]).tobytes())
    if data is None:
        return None
    text = base64.b85encode(data).decode("ascii")
    expression = f'array.array("{code}", zlib.decompress(base64.b85decode("{text}"))).tolist()'
    return expression, "import array, base64, zlib"


@lru_cache(maxsize=2)  # The programs of a case have the same tensors.
def _compressed(data: bytes) -> bytes | None:
    """The data compressed; None, without reading on, once that is longer than what may be written."""
    stream, compressed = zlib.compressobj(), bytearray()
    for start in range(0, len(data), 1 << 16):
        compressed += stream.compress(data[start : start + (1 << 16)])
        if len(compressed) > _MAX_PACKED_BYTES:
            return None
    compressed += stream.flush()
    return bytes(compressed) if len(compressed) <= _MAX_PACKED_BYTES else None
