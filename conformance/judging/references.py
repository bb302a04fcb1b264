"""Exact values and bounds of a run: computed once for all subjects, kept across runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from conformance.judging.exact_cache import Store
from conformance.operations import OPERATIONS, Call, Reference, references
from conformance.plan.requests import Group

#: Elements of exact values that are held before the answers that need them are there.
_AHEAD = 1 << 18
#: Groups that are found together, and the bytes of their tensors: few, so that answers do not wait for long.
_TOGETHER, _SMALL = 32, 1 << 16


class References:
    """The exact values and bounds of groups, from memory, from the disk, or computed.

    coming: the groups of the plan in order; what is near each other there is found together.
    """

    def __init__(self, directory: Path, coming: Sequence[Group] = ()) -> None:
        self._memory: dict[int, dict[str, Reference]] = {}
        self._elements = 0
        self._done: set[int] = set()
        self._coming = [group for group in coming if group.case.expect != "error"]
        self._places = {group.index: place for place, group in enumerate(self._coming)}
        self._store = Store(directory)

    def get(self, group: Group, quantity: str) -> Reference:
        """The reference of one quantity of a group; all of the group's are found with the first."""
        if group.index not in self._memory:
            self._find(self._with_next(group))
        return self._memory[group.index][quantity]

    def once(self, group: Group, quantity: str) -> Reference:
        """The reference of a group that is no part of the plan: nothing is held of it in memory."""
        (found,) = self._found([_asked(group, (quantity,))])
        return found[quantity]

    def ahead(self) -> Iterator[bool]:
        """Finds the references of a few groups a step, in their order; False while there is no room."""
        for group in self._coming:
            while self._elements > _AHEAD and not self._has(group):
                yield False
            if not self._has(group):
                self._find(self._with_next(group))
                yield True

    def _has(self, group: Group) -> bool:
        return group.index in self._done or group.index in self._memory

    def _with_next(self, group: Group) -> list[Group]:
        """The group, and those behind it while they are small."""
        place = self._places.get(group.index, len(self._coming))
        found, size = [group], len(group.wire().body)
        for other in self._coming[place + 1 : place + _TOGETHER]:
            if size > _SMALL:
                break
            if not self._has(other):
                found.append(other)
                size += len(other.wire().body)
        return found

    def _find(self, groups: Sequence[Group]) -> None:
        found = self._found([_asked(group, group.case.quantity_names()) for group in groups])
        for group, one in zip(groups, found, strict=True):
            self._memory[group.index] = one
            self._elements += sum(held.rounded.size for held in one.values())

    def _found(self, several: Sequence[_Asked]) -> list[dict[str, Reference]]:
        """The references of each, from the disk or computed; those of a dtype are settled together."""
        found = self._store.read([asked.key for asked in several])
        missing = {asked.key: asked for asked in several if asked.key not in found}
        for dtype in sorted({asked.dtype for asked in missing.values()}):
            calls = {key: asked.call for key, asked in missing.items() if asked.dtype == dtype}
            for key, made in zip(calls, references(list(calls.values()), dtype), strict=True):
                self._store.add(key, made)
                found[key] = made
        return [found[asked.key] for asked in several]

    def drop(self, group: Group) -> None:
        """Lets a group's references go: its checks are judged."""
        self._done.add(group.index)
        for found in self._memory.pop(group.index, {}).values():
            self._elements -= found.rounded.size

    def close(self) -> None:
        """Writes what is new to the disk."""
        self._store.close()


@lru_cache(maxsize=1)
def _mathematics() -> bytes:
    """A digest of the code and the library that exact values and bounds depend on."""
    import flint

    digest = hashlib.sha256(flint.__version__.encode())
    for room in ("arithmetic", "operations"):
        for path in sorted((Path(__file__).parents[1] / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


@dataclass(frozen=True)
class _Asked:
    key: str
    dtype: str
    call: Call


def _asked(group: Group, quantities: tuple[str, ...]) -> _Asked:
    """What is asked for of a group, and a digest of all that it depends on."""
    # A value comes last: its derivatives leave behind the sums of long rows, all that it needs.
    order = tuple(sorted(quantities, key=lambda name: name == "value"))
    digest = hashlib.sha256(_mathematics())
    wire, arguments = group.wire(), group.arguments
    digest.update(OPERATIONS[group.case.operation].fingerprint(arguments))
    digest.update(f"{group.case.operation} {group.dtype} {order} {wire.entries} {wire.digest}".encode())
    for name, value in sorted(arguments.items()):
        if not isinstance(value, np.ndarray):
            digest.update(f"{name} {value!r}".encode())
    return _Asked(digest.hexdigest(), group.dtype, Call(group.case.operation, arguments, order, group.flow))
