"""Observation store: the arrays that a run observed, and the element in which two of them differ most."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.adapters import protocol
from conformance.results.journal import OBSERVATIONS

Array = npt.NDArray[Any]
_PREFIX = struct.Struct("<4sIQ")  # as protocol.py has it
#: (case, dtype, formulation) of a request.
RequestKey = tuple[str, str, str]


@dataclass(frozen=True)
class Element:
    """The element in which two observations differ most.

    Attributes:
        index: Its index in the array.
        bits_old: Its bits in the earlier run, as hexadecimal digits.
        bits_new: Its bits in the later run.
        old: The shortest digits that name it in its dtype, in the earlier run.
        new: The same in the later run.
        changed: How many elements differ.
        elements: How many elements there are.
    """

    index: tuple[int, ...]
    bits_old: str
    bits_new: str
    old: str
    new: str
    changed: int
    elements: int


class Observations:
    """A run's observations by subject and request; arrays are read when they are asked for."""

    def __init__(self, directory: Path | None) -> None:
        self._path = None if directory is None else directory / OBSERVATIONS
        self._offsets: dict[tuple[str, str], int] = {}
        if self._path is not None and self._path.is_file():
            with self._path.open("rb") as stream:
                self._index(stream)

    def _index(self, stream: BinaryIO) -> None:
        for offset, header, _ in _frames(stream):
            if header.get("kind") == "answer":
                # A later answer of the same name is a step of the search for a break, on other inputs.
                self._offsets.setdefault((str(header.get("subject")), str(header.get("request"))), offset)

    def get(self, subject: str, request: RequestKey, quantity: str) -> tuple[Array, str] | None:
        """The storage array of a quantity and its dtype's name; None where nothing was returned or kept."""
        case, dtype, formulation = request
        offset = self._offsets.get((subject, f"{case}[{dtype}-{formulation}]"))
        if offset is None or self._path is None:
            return None
        with self._path.open("rb") as stream:
            stream.seek(offset)
            try:
                frame = protocol.read_frame(stream)
            except Exception:  # A header from a stranger makes NumPy raise what it likes.
                return None
        if frame is None or quantity not in frame[1] or frame[1][quantity].dtype.kind not in "fiub":
            return None
        names = {str(entry["name"]): str(entry.get("dtype")) for entry in frame[0]["arrays"]}
        return frame[1][quantity], names[quantity]


def split(source: Path, targets: Mapping[str, Path]) -> None:
    """Copies a run's record apart: the answers of each subject into the file that `targets` names for it."""
    opened = {path: path.open("wb") for path in dict.fromkeys(targets.values())}
    try:
        with source.open("rb") as stream:
            for offset, header, size in _frames(stream):
                target = targets.get(str(header.get("subject")))
                if target is not None:
                    stream.seek(offset)
                    opened[target].write(stream.read(size))
    finally:
        for file in opened.values():
            file.close()


def _frames(stream: BinaryIO) -> Iterator[tuple[int, dict[str, Any], int]]:
    """Offset, header and bytes of each whole frame, up to the first that cannot be read."""
    offset, end = 0, os.fstat(stream.fileno()).st_size
    while len(prefix := stream.read(_PREFIX.size)) == _PREFIX.size:
        magic, header_size, body_size = _PREFIX.unpack(prefix)
        size = _PREFIX.size + header_size + body_size
        if magic != protocol.MAGIC or offset + size > end:
            return
        try:
            header = json.loads(stream.read(header_size))
        except (ValueError, RecursionError):
            return
        if not isinstance(header, dict):
            return
        yield offset, header, size
        offset += size
        stream.seek(offset)


def changed_most(old: tuple[Array, str], new: tuple[Array, str]) -> Element | None:
    """Where two observations of a quantity differ most; None where their elements cannot be compared.

    Distances are in steps from one number of the dtype to the next; a nan is farther than any number.
    """
    (first, dtype), (second, other) = old, new
    if first.shape != second.shape or dtype != other or first.size == 0 or first.dtype != second.dtype:
        return None
    a, b = (_ordered(array).reshape(-1) for array in (first, second))
    different = _bits(first).reshape(-1) != _bits(second).reshape(-1)
    if not different.any():
        return None
    distances = np.where(different, np.abs(a - b), -1.0)
    flat = int(distances.argmax())
    index = tuple(int(i) for i in np.unravel_index(flat, first.shape))
    return Element(
        index,
        hexadecimal(first[index]),
        hexadecimal(second[index]),
        digits(first[index], dtype),
        digits(second[index], dtype),
        int(different.sum()),
        first.size,
    )


def hexadecimal(value: Any) -> str:
    """The bits of one element of a storage array."""
    number = np.asarray(value)
    return f"0x{int(_bits(number)):0{2 * number.dtype.itemsize}x}"


def digits(value: Any, dtype: str) -> str:
    """The shortest digits that name one element of a storage array in its dtype."""
    if dtype == "bfloat16" and np.asarray(value).dtype == np.uint16:
        return str(np.asarray(value).view(ml_dtypes.bfloat16)[()])
    return str(np.asarray(value)[()])


def _bits(array: Array) -> Array:
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)


def _ordered(array: Array) -> npt.NDArray[np.float64]:
    """Bits as numbers that are ordered as the values are: neighbours are one apart, a nan is beyond all."""
    bits = _bits(array)
    width = 8 * array.dtype.itemsize
    if array.dtype.kind not in "fu":
        return np.asarray(array, np.float64)
    sign = np.array(1 << (width - 1), bits.dtype)
    magnitude = (bits & ~sign).astype(np.float64)
    ordered = np.where(bits & sign, -magnitude, magnitude)
    if array.dtype.kind == "f":
        is_nan = np.isnan(array)
    else:
        with np.errstate(invalid="ignore"):
            is_nan = np.isnan(array.view(ml_dtypes.bfloat16).astype(np.float64))
    return np.where(is_nan, 2.0 ** (width + 1), ordered)
