"""How many workers live at a time: each takes a turn, and gives it back when another one waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds after which one that waits looks whether it is still wanted.
GLANCE = 0.2


class Turns:
    """So many turns at a time (None: any number)."""

    def __init__(self, count: int | None) -> None:
        self._free = count
        self._waiting = 0
        self._changed = threading.Condition()

    @property
    def unlimited(self) -> bool:
        """Whether nobody ever waits."""
        return self._free is None

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a turn."""
        return self._waiting > 0

    @contextmanager
    def taken(self, given_up: Callable[[], bool]) -> Iterator[None]:
        """Waits for a turn, and has it; or has none of it, where meanwhile it was `given_up`."""
        mine = self._take(given_up)
        try:
            yield
        finally:
            if mine:
                self._give()

    def _take(self, given_up: Callable[[], bool]) -> bool:
        with self._changed:
            if self._free is None:
                return False
            self._waiting += 1
            while not self._free and not given_up():
                self._changed.wait(GLANCE)
            self._waiting -= 1
            mine = self._free > 0
            self._free -= mine
            return mine

    def _give(self) -> None:
        with self._changed:
            assert self._free is not None
            self._free += 1
            self._changed.notify()
