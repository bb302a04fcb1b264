"""Exact values and bounds on disk."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.operations import Reference

#: More elements than this, 48 bytes each, are not kept.
_KEPT = 1 << 19
#: Bytes of new exact values that are held before they are written.
_UNWRITTEN = 1 << 24
_ARRAYS = ("rounded", "high", "low", "ulp", "bound", "attainable")

Entry = tuple[str, Any]  # a header, and the bytes of float64 numbers


class Store:
    """One SQLite file: an entry has a header and numbers; a file that cannot be used is done without."""

    def __init__(self, directory: Path) -> None:
        self._new: dict[str, Entry] = {}
        self._bytes = 0
        self._connection: sqlite3.Connection | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(directory / "exact.sqlite", timeout=10.0)
            self._connection.execute("PRAGMA page_size=32768")  # large entries: half the time of 4,096
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("DROP TABLE IF EXISTS exact")  # an earlier form
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS settled (key TEXT PRIMARY KEY, header TEXT, numbers BLOB)"
            )
        except (OSError, sqlite3.Error):
            self._connection = None

    def read(self, keys: Sequence[str]) -> dict[str, dict[str, Reference]]:
        """What was added under these keys; without those under which there is nothing, or it is damaged."""
        entries = {key: self._new[key] for key in keys if key in self._new}
        if self._connection is not None:
            query = f"SELECT key, header, numbers FROM settled WHERE key IN ({','.join('?' * len(keys))})"
            with suppress(sqlite3.Error):
                for key, header, numbers in self._connection.execute(query, tuple(keys)):
                    entries.setdefault(key, (header, numbers))
        found = {}
        for key, (header, numbers) in entries.items():
            with suppress(KeyError, TypeError, ValueError):
                found[key] = _unpacked(header, np.frombuffer(numbers))
        return found

    def add(self, key: str, found: dict[str, Reference]) -> None:
        """Keeps the references of a group, unless they are too large."""
        if sum(one.rounded.size for one in found.values()) > _KEPT:
            return
        self._new[key] = _packed(found)
        self._bytes += self._new[key][1].nbytes
        if self._bytes > _UNWRITTEN:
            self._write()

    def close(self) -> None:
        """Writes what is new."""
        self._write()
        if self._connection is not None:
            self._connection.close()

    def _write(self) -> None:
        rows = [(key, header, numbers) for key, (header, numbers) in self._new.items()]
        try:
            if self._connection is not None:
                with self._connection:
                    self._connection.executemany("INSERT OR REPLACE INTO settled VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            pass  # The next run computes them again.
        self._new, self._bytes = {}, 0


def _packed(found: dict[str, Reference]) -> Entry:
    """Names, dtypes, shapes and far digits; and all numbers, array by array and quantity by quantity."""
    header = []
    for name, one in found.items():
        far = [[place, *map(hex, held)] for place, held in one.outside.items()]
        header.append([name, one.dtype, one.rounded.shape, far])
    arrays = [getattr(one, array).ravel() for one in found.values() for array in _ARRAYS]
    return json.dumps(header), np.concatenate(arrays)


def _unpacked(header: str, numbers: npt.NDArray[np.float64]) -> dict[str, Reference]:
    found, begin = {}, 0
    for name, dtype, shape, far in json.loads(header):
        end = begin + len(_ARRAYS) * math.prod(shape)
        rounded, high, low, ulp, bound, attainable = numbers[begin:end].reshape(len(_ARRAYS), *shape)
        outside = {place: (int(number, 16), int(power, 16)) for place, number, power in far}
        found[name] = Reference(dtype, rounded, high, low, ulp, bound, attainable, outside)
        begin = end
    if begin != numbers.size or not found:
        raise ValueError(f"{begin} numbers are named, {numbers.size} are there")
    return found
