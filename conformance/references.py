"""Exact values and bounds of a run: computed once for all subjects, kept across runs."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters import protocol
from conformance.operations import Reference, reference
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
        """The reference of one quantity of a group."""
        held = self._memory.setdefault(group.index, {})
        if quantity == "value" and quantity not in held:
            # Its derivatives leave behind the sums of long rows, which are all that it needs.
            for name in group.case.quantity_names():
                if name != quantity:
                    self._hold(group, name)
        return self._hold(group, quantity)

    def _hold(self, group: Group, quantity: str) -> Reference:
        held = self._memory.setdefault(group.index, {})
        if quantity not in held:
            held[quantity] = self._store.get_or_compute(group, quantity)
            self._elements += held[quantity].rounded.size
        return held[quantity]

    def once(self, group: Group, quantity: str) -> Reference:
        """The reference of a group that is no part of the plan: nothing is held of it in memory."""
        return self._store.get_or_compute(group, quantity)

    def ahead(self, groups: Sequence[Group]) -> Iterator[None]:
        """Computes one reference a step, in the order of the groups, while there is room for it."""
        for group in groups:
            if group.case.expect == "error":
                continue
            for quantity in group.case.quantity_names():
                if group.index in self._done:
                    break
                if self._elements > _AHEAD:
                    return
                self.get(group, quantity)
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

    def get_or_compute(self, group: Group, quantity: str) -> Reference:
        key = _key(group, quantity)
        found = self._read(key)
        if found is None:
            found = reference(group.case.operation, group.arguments, quantity, group.dtype, group.flow)
            if found.rounded.size <= _KEPT:
                self._new[key] = _pack(found)
                self._bytes += len(self._new[key])
                if self._bytes > _UNWRITTEN:
                    self._write()
        return found

    def _read(self, key: str) -> Reference | None:
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


def _key(group: Group, quantity: str) -> str:
    """A digest of all that the reference depends on."""
    digest = _of_group(group).copy()
    digest.update(quantity.encode())
    return str(digest.hexdigest())


@lru_cache(maxsize=8)
def _of_group(group: Group) -> Any:
    """The digest of what all quantities of a group depend on, not yet ended."""
    digest = hashlib.sha256(_mathematics())
    wire = group.wire()
    digest.update(f"{group.case.operation} {group.dtype} {wire.entries} {wire.digest}".encode())
    for name, value in sorted(group.arguments.items()):
        if not isinstance(value, np.ndarray):
            digest.update(f"{name} {value!r}".encode())
    return digest


_ARRAYS = ("rounded", "high", "low", "ulp", "bound", "attainable")


def _pack(found: Reference) -> bytes:
    """One frame: all arrays as one, behind each other."""
    outside = {str(index): [hex(number), exponent] for index, (number, exponent) in found.outside.items()}
    header: dict[str, Any] = {"dtype": found.dtype, "outside": outside, "arrays": [{"name": "all"}]}
    return protocol.encode(header, {"all": np.array([getattr(found, name) for name in _ARRAYS])})


def _unpack(frame: bytes) -> Reference | None:
    try:
        parts = protocol.read_parts(io.BytesIO(frame))
        assert parts is not None
        header, arrays = protocol.decode(*parts, copies=False)
        outside = {
            int(index): (int(number, 16), int(power)) for index, (number, power) in header["outside"].items()
        }
        rounded, high, low, ulp, bound, attainable = (part[...] for part in arrays["all"])
        return Reference(header["dtype"], rounded, high, low, ulp, bound, attainable, outside)
    except (protocol.ProtocolError, KeyError, ValueError, AssertionError, json.JSONDecodeError):
        return None  # A damaged entry is computed again.
