"""Cache of what is built from a plan's groups, with a byte budget for what is large."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
#: Bytes up to which what was built stays until it is dropped.
MAX_SMALL_BYTES = 1 << 16
#: Bytes of what is larger that stay together: it is there for the next subject.
MAX_LARGE_BYTES = 1 << 23


class BuildCache(Generic[K, V]):
    """Cache for several threads: small values stay, of the large ones the last few."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._small: weakref.WeakKeyDictionary[K, V] = weakref.WeakKeyDictionary()
        self._large: dict[K, tuple[V, int]] = {}

    def of(self, key: K, build: Callable[[], tuple[V, int]]) -> V:
        """What `build` gives for a key, and in how many bytes; built once while it stays."""
        with self._lock:
            if key in self._small:
                return self._small[key]
            if key in self._large:
                return self._large[key][0]
            self._make_room(0)
            value, size = build()
            if size <= MAX_SMALL_BYTES:
                self._small[key] = value
            else:
                self._make_room(size)
                self._large[key] = value, size
            return value

    def _make_room(self, size: int) -> None:
        """Lets the oldest large ones go; what is larger than all that may be kept goes before the next."""
        while self._large and size + sum(bytes_ for _, bytes_ in self._large.values()) > MAX_LARGE_BYTES:
            del self._large[next(iter(self._large))]

    def drop(self, key: K) -> None:
        """Lets go of what was built for a key."""
        with self._lock:
            self._small.pop(key, None)
            self._large.pop(key, None)
