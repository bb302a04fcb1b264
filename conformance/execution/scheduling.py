"""Slots for workers, and their niceness: how many live at a time, and which the processor serves first."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from conformance.subjects.subject import Subject

#: Seconds after which a thread that waits looks whether it is still wanted.
POLL_SECONDS = 0.2
#: TensorFlow's import and its eager operations take longer than all other frameworks together.
SLOWEST_FRAMEWORKS = frozenset({"tensorflow"})
#: The niceness of the others beside it: a third of its weight, so that a busy machine starves none of them.
NICENESS_BESIDE_SLOWEST = 5


class WorkerSlots:
    """Slots for living workers (a semaphore that knows whether anybody waits).

    Args:
        count: Workers that live at a time; None: any number.
    """

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
        """Whether somebody waits for a slot."""
        return self._waiting > 0

    @contextlib.contextmanager
    def taken(self, given_up: Callable[[], bool]) -> Iterator[None]:
        """A slot for the block, waited for; none where meanwhile it was `given_up`."""
        acquired = self._acquire(given_up)
        try:
            yield
        finally:
            if acquired:
                self._release()

    def _acquire(self, given_up: Callable[[], bool]) -> bool:
        with self._changed:
            if self._free is None:
                return False
            self._waiting += 1
            while not self._free and not given_up():
                self._changed.wait(POLL_SECONDS)
            self._waiting -= 1
            acquired = self._free > 0
            self._free -= acquired
            return acquired

    def _release(self) -> None:
        with self._changed:
            assert self._free is not None
            self._free += 1
            self._changed.notify()


def niceness(subject: Subject, beside: Collection[Subject]) -> int:
    """The niceness of a subject's workers in a run of the subjects `beside`: 0 but beside a slowest one."""
    slowest = any(other.framework in SLOWEST_FRAMEWORKS for other in beside)
    return NICENESS_BESIDE_SLOWEST if slowest and subject.framework not in SLOWEST_FRAMEWORKS else 0


def set_niceness(process: int, niceness: int) -> None:
    """Gives the process of this id, which has just started, a niceness; where that fails, all run alike."""
    if not niceness or not hasattr(os, "setpriority"):
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, niceness)
        # Linux may share out the processor among sessions: then a process's niceness counts inside its own.
        Path(f"/proc/{process}/autogroup").write_text(str(niceness))
