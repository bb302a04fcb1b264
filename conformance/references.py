"""Exact values and bounds of a run: computed once for all subjects, kept across runs."""

from __future__ import annotations

import hashlib
import io
import math
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters import protocol
from conformance.operations import Reference, references
from conformance.plan import Group

#: Elements of exact values that are computed ahead of the answers that need them.
_AHEAD = 1 << 20
#: A result of more elements than this, 48 bytes each, is not kept on disk.
_KEPT = 1 << 19
#: Bytes of new exact values that are held before they are written.
_UNWRITTEN = 1 << 24


class References:
    """The exact values and bounds of groups, from memory, from the disk, or computed."""

    def __init__(self, directory: Path) -> None:
        self._memory: dict[int, dict[str, Reference]] = {}
        self._elements = 0
        self._done: set[int] = set()
        self._store = _Store(directory)

    def get(self, group: Group, quantity: str) -> Reference:
        """The reference of one quantity of a group; all of the group's are found with the first."""
        held = self._memory.get(group.index)
        if held is None:
            held = self._memory[group.index] = self._store.get_or_compute(group, group.case.quantity_names())
            self._elements += sum(found.rounded.size for found in held.values())
        return held[quantity]

    def once(self, group: Group, quantity: str) -> Reference:
        """The reference of a group that is no part of the plan: nothing is held of it in memory."""
        return self._store.get_or_compute(group, (quantity,))[quantity]

    def ahead(self, groups: Sequence[Group]) -> Iterator[None]:
        """Computes a group's references a step, in the order of the groups, while there is room for them."""
        for group in groups:
            if group.case.expect == "error" or group.index in self._done:
                continue
            if self._elements > _AHEAD:
                return
            self.get(group, group.case.quantity_names()[0])
            yield

    def drop(self, group: Group) -> None:
        """Lets a group's references go: its checks are judged."""
        self._done.add(group.index)
        for found in self._memory.pop(group.index, {}).values():
            self._elements -= found.rounded.size

    def close(self) -> None:
        """Writes what is new to the disk."""
        self._store.close()


class _Store:
    """References on disk: one SQLite file; a cache that cannot be used is done without."""

    def __init__(self, directory: Path) -> None:
        self._new: dict[str, bytes] = {}
        self._bytes = 0
        self._connection: sqlite3.Connection | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(directory / "exact.sqlite", timeout=10.0)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS exact (key TEXT PRIMARY KEY, frame BLOB NOT NULL)"
            )
        except (OSError, sqlite3.Error):
            self._connection = None

    def get_or_compute(self, group: Group, quantities: tuple[str, ...]) -> dict[str, Reference]:
        key = _key(group, quantities)
        found = self._read(key)
        if found is None:
            # A value comes last: its derivatives leave behind the sums of long rows, all that it needs.
            order = sorted(quantities, key=lambda name: name == "value")
            found = references(group.case.operation, group.arguments, order, group.dtype, group.flow)
            if sum(one.rounded.size for one in found.values()) <= _KEPT:
                self._new[key] = _pack(found)
                self._bytes += len(self._new[key])
                if self._bytes > _UNWRITTEN:
                    self._write()
        return found

    def _read(self, key: str) -> dict[str, Reference] | None:
        if key in self._new:
            return _unpack(self._new[key])
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT frame FROM exact WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else _unpack(row[0])

    def close(self) -> None:
        self._write()
        if self._connection is not None:
            self._connection.close()

    def _write(self) -> None:
        try:
            if self._connection is not None:
                with self._connection:
                    entries = list(self._new.items())
                    self._connection.executemany("INSERT OR REPLACE INTO exact VALUES (?, ?)", entries)
        except sqlite3.Error:
            pass  # The next run computes them again.
        self._new, self._bytes = {}, 0


@lru_cache(maxsize=1)
def _mathematics() -> bytes:
    """A digest of the code and the library that exact values and bounds depend on."""
    import flint

    digest = hashlib.sha256(flint.__version__.encode())
    for room in ("arithmetic", "operations"):
        for path in sorted((Path(__file__).parent / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def _key(group: Group, quantities: Sequence[str]) -> str:
    """A digest of all that the references depend on."""
    digest = hashlib.sha256(_mathematics())
    wire = group.wire()
    digest.update(f"{group.case.operation} {group.dtype} {quantities} {wire.entries} {wire.digest}".encode())
    for name, value in sorted(group.arguments.items()):
        if not isinstance(value, np.ndarray):
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


_ARRAYS = ("rounded", "high", "low", "ulp", "bound", "attainable")


def _pack(found: dict[str, Reference]) -> bytes:
    """One frame: a matrix of all arrays, flat, in which the quantities are behind each other."""
    header: dict[str, Any] = {"quantities": [], "arrays": [{"name": "all"}]}
    for name, one in found.items():
        outside = {str(index): [hex(number), exponent] for index, (number, exponent) in one.outside.items()}
        header["quantities"].append([name, one.dtype, one.rounded.shape, outside])
    parts = [np.array([getattr(one, name) for name in _ARRAYS]).reshape(6, -1) for one in found.values()]
    return protocol.encode(header, {"all": parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)})


def _unpack(frame: bytes) -> dict[str, Reference] | None:
    found, begin = {}, 0
    try:
        parts = protocol.read_parts(io.BytesIO(frame))
        assert parts is not None
        header, arrays = protocol.decode(*parts, copies=False)
        for name, dtype, shape, written in header["quantities"]:
            outside = {
                int(index): (int(number, 16), int(power)) for index, (number, power) in written.items()
            }
            end = begin + math.prod(shape)
            rounded, high, low, ulp, bound, attainable = (
                row[begin:end].reshape(shape) for row in arrays["all"]
            )
            found[name] = Reference(dtype, rounded, high, low, ulp, bound, attainable, outside)
            begin = end
    except (protocol.ProtocolError, KeyError, TypeError, ValueError, AssertionError):
        return None  # A damaged entry is computed again.
    return found
