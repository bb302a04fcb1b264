"""References: exact values and bounds, computed once for all subjects and kept on disk across runs."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from conformance.arithmetic import FORMATS, round_to
from conformance.judging.mixed_dtypes import computing_dtype, is_floating, widened, with_one_cast
from conformance.operations import OPERATIONS, Call, Reference, references
from conformance.plan.groups import Group

#: Elements of exact values that are held before the answers that need them are there.
MAX_ELEMENTS_AHEAD = 1 << 18
#: Groups whose references are settled together: few, so that answers do not wait for long.
GROUPS_A_STEP = 32
#: And the bytes of the tensors from which on no more groups join them.
MAX_STEP_BYTES = 1 << 16
#: Elements of a group's references, 48 bytes each, from which on they are not kept on disk.
MAX_KEPT_ELEMENTS = 1 << 19
#: Bytes of new references that are held before they are written.
MAX_UNWRITTEN_BYTES = 1 << 24
_ARRAYS = ("rounded", "high", "low", "ulp", "bound", "attainable")

Entry = tuple[str, Any]  # a header, and the bytes of float64 numbers


class References:
    """The exact values and bounds of groups, from memory, from the disk, or computed.

    Args:
        directory: Where the disk's are; made, or done without, where it is not there.
        coming: The groups of the plan in order; what is near each other there is settled together.
    """

    def __init__(self, directory: Path, coming: Sequence[Group] = ()) -> None:
        self._memory: dict[int, dict[str, Reference]] = {}
        self._elements = 0
        self._dropped: set[int] = set()
        self._coming = [group for group in coming if group.case.expect != "error"]
        self._positions = {group.index: position for position, group in enumerate(self._coming)}
        self._cache = ExactCache(directory)

    def get(self, group: Group, quantity: str, dtype: str = "") -> Reference:
        """The reference of one quantity of a group; all of the group's are settled with the first.

        Args:
            group: The group.
            quantity: The quantity.
            dtype: The result's dtype, where tensors have dtypes of their own; empty: the group's.
        """
        if group.index < 0:  # no part of the plan: nothing is held of it
            return self.once(group, quantity)
        if group.index not in self._memory:
            self._settle(self._with_next(group))
        settled = self._memory[group.index]
        if not group.case.dtype_of:
            return settled[quantity]
        name = f"{quantity} {dtype or group.dtype}"
        if name not in settled:
            settled[name] = self._of_mixed(group, quantity, dtype or group.dtype)
            self._elements += settled[name].rounded.size
        return settled[name]

    def _of_mixed(self, group: Group, quantity: str, dtype: str) -> Reference:
        """The reference in a result's dtype: what tensors of finer dtypes lose to it is granted."""
        calls = [_call(group, (quantity,), dtype, given) for given in with_one_cast(group.arguments, dtype)]
        exact, *cast = (settled[quantity] for settled in self._settled(calls))
        computing = computing_dtype(group.dtype)
        if quantity == "value" or dtype != "float64" or computing == dtype:
            return widened(exact, cast)
        arguments = {
            name: round_to(FORMATS[computing], value) if is_floating(value) else value
            for name, value in group.arguments.items()
        }
        (computed,) = self._settled([_call(group, (quantity,), computing, arguments)])
        return widened(exact, cast, computed[quantity])

    def once(self, group: Group, quantity: str) -> Reference:
        """The reference of a group that is no part of the plan: nothing is held of it in memory."""
        (settled,) = self._settled([_call(group, (quantity,))])
        return settled[quantity]

    def ahead(self) -> Iterator[bool]:
        """Settles the references of a few groups a step, in their order; False while there is no room."""
        for group in self._coming:
            while self._elements > MAX_ELEMENTS_AHEAD and not self._has(group):
                yield False
            if not self._has(group):
                self._settle(self._with_next(group))
                yield True

    def _has(self, group: Group) -> bool:
        return group.index in self._dropped or group.index in self._memory

    def _with_next(self, group: Group) -> list[Group]:
        """The group, and those behind it while they are small."""
        position = self._positions.get(group.index, len(self._coming))
        groups, size = [group], len(group.wire().body)
        for other in self._coming[position + 1 : position + GROUPS_A_STEP]:
            if size > MAX_STEP_BYTES:
                break
            if not self._has(other):
                groups.append(other)
                size += len(other.wire().body)
        return groups

    def _settle(self, groups: Sequence[Group]) -> None:
        settled = self._settled([_call(group, group.case.quantity_names()) for group in groups])
        for group, by_quantity in zip(groups, settled, strict=True):
            self._memory[group.index] = by_quantity
            self._elements += _elements(by_quantity)

    def _settled(self, calls: Sequence[_KeyedCall]) -> list[dict[str, Reference]]:
        """The references of each call, from the disk or computed; those of a dtype are settled together."""
        settled = self._cache.read([call.key for call in calls])
        missing = {call.key: call for call in calls if call.key not in settled}
        for dtype in sorted({call.dtype for call in missing.values()}):
            of_dtype = {key: call.call for key, call in missing.items() if call.dtype == dtype}
            for key, made in zip(of_dtype, references(list(of_dtype.values()), dtype), strict=True):
                self._cache.add(key, made)
                settled[key] = made
        return [settled[call.key] for call in calls]

    def drop(self, group: Group) -> None:
        """Lets a group's references go: its checks are judged."""
        self._dropped.add(group.index)
        self._elements -= _elements(self._memory.pop(group.index, {}))

    def close(self) -> None:
        """Writes what is new to the disk."""
        self._cache.close()


def _elements(by_quantity: dict[str, Reference]) -> int:
    return sum(reference.rounded.size for reference in by_quantity.values())


@dataclass(frozen=True)
class _KeyedCall:
    """A call of an operation in a dtype, with the digest of all that its references depend on."""

    key: str
    dtype: str
    call: Call


def _call(
    group: Group, quantities: tuple[str, ...], dtype: str = "", given: dict[str, Any] | None = None
) -> _KeyedCall:
    """A group's call; `dtype` and `given`: of another dtype, with other arguments than the group's."""
    # A value comes last: its derivatives leave behind the sums of long rows, all that it needs.
    order = tuple(sorted(quantities, key=lambda name: name == "value"))
    digest = hashlib.sha256(_mathematics())
    wire, arguments = group.wire(), group.arguments if given is None else given
    dtype = dtype or group.dtype
    digest.update(OPERATIONS[group.case.operation].fingerprint(arguments))
    digest.update(f"{group.case.operation} {dtype} {order} {wire.entries} {wire.digest}".encode())
    conventions = dict(group.case.conventions)
    if conventions:
        digest.update(f"conventions {sorted(conventions.items())}".encode())
    for name, value in sorted(arguments.items()):
        if not isinstance(value, np.ndarray):
            digest.update(f"{name} {value!r}".encode())
        elif given is not None:
            digest.update(value.tobytes())
    call = Call(group.case.operation, arguments, order, group.flow, conventions)
    return _KeyedCall(digest.hexdigest(), dtype, call)


@lru_cache(maxsize=1)
def _mathematics() -> bytes:
    """A digest of the code and the library that exact values and bounds depend on."""
    digest = hashlib.sha256(flint.__version__.encode())
    for room in ("arithmetic", "operations"):
        for path in sorted((Path(__file__).parents[1] / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


class ExactCache:
    """Cache of references in one SQLite file; a file that cannot be used is done without.

    Args:
        directory: The folder of the file.
    """

    def __init__(self, directory: Path) -> None:
        self._new: dict[str, Entry] = {}
        self._new_bytes = 0
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
        readable = {}
        for key, (header, numbers) in entries.items():
            with suppress(KeyError, TypeError, ValueError):
                readable[key] = _unpacked(header, np.frombuffer(numbers))
        return readable

    def add(self, key: str, by_quantity: dict[str, Reference]) -> None:
        """Keeps the references of a call, unless they are too large."""
        if _elements(by_quantity) > MAX_KEPT_ELEMENTS:
            return
        self._new[key] = _packed(by_quantity)
        self._new_bytes += self._new[key][1].nbytes
        if self._new_bytes > MAX_UNWRITTEN_BYTES:
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
        self._new, self._new_bytes = {}, 0


def _packed(by_quantity: dict[str, Reference]) -> Entry:
    """Names, dtypes, shapes and far digits; and all numbers, array by array and quantity by quantity."""
    header = []
    for name, reference in by_quantity.items():
        far = [[place, *map(hex, digits)] for place, digits in reference.outside.items()]
        header.append([name, reference.dtype, reference.rounded.shape, far])
    arrays = [getattr(reference, array).ravel() for reference in by_quantity.values() for array in _ARRAYS]
    return json.dumps(header), np.concatenate(arrays)


def _unpacked(header: str, numbers: npt.NDArray[np.float64]) -> dict[str, Reference]:
    by_quantity, begin = {}, 0
    for name, dtype, shape, far in json.loads(header):
        end = begin + len(_ARRAYS) * math.prod(shape)
        rounded, high, low, ulp, bound, attainable = numbers[begin:end].reshape(len(_ARRAYS), *shape)
        outside = {place: (int(number, 16), int(power, 16)) for place, number, power in far}
        by_quantity[name] = Reference(dtype, rounded, high, low, ulp, bound, attainable, outside)
        begin = end
    if begin != numbers.size or not by_quantity:
        raise ValueError(f"{begin} numbers are named, {numbers.size} are there")
    return by_quantity
