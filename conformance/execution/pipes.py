"""A worker's pipes: reading and writing that end when the process is gone, whoever else holds the other end.

A process that a worker started, and left behind, may keep its pipes open for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import time
from collections.abc import Callable
from typing import Any

#: Seconds that a reader or a writer lets small frames gather: to be woken for each of them costs more than
#: what is done with it, and the pipes hold more than is handled in that time.
_GATHER = 0.02
#: The same where frames are large, or where somebody waits for them.
_GLANCE = 0.001
#: Bytes in one read that are no small frames any more.
_PLENTY = 1 << 15
#: Bytes that a pipe should hold, where the system lets itself be asked.
_CAPACITY = 1 << 20
#: Seconds after which a pipe that is silent asks whether the process still lives.
_PATIENCE = 0.5

Gone = Callable[[], bool]


class Reader(io.RawIOBase):
    """The reading end of a pipe; at its end once `gone` says so and nothing is left in it.

    `more` tells whether frames enough are on their way to let some of them gather.
    """

    def __init__(self, descriptor: int, gone: Gone, more: Callable[[], bool]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._more = more
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._flows = False
        widen(descriptor)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._poll.poll(0):
            gone = self._gone()  # Asked first: what it wrote before it went is in the pipe by now.
            if not self._poll.poll(0 if gone else _PATIENCE * 1000) and gone:
                return 0
        if not self._flows:
            time.sleep(_GATHER if self._more() else _GLANCE)
        count = os.readv(self._descriptor, [buffer])
        self._flows = count >= _PLENTY
        return count


def write(descriptor: int, data: bytes, gone: Gone) -> None:
    """Writes all of `data` into a pipe that does not block; BrokenPipeError once `gone` says so."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            if poll.poll(_PATIENCE * 1000):
                time.sleep(_GATHER if len(view) < _CAPACITY // 2 else _GLANCE)
            elif gone():
                raise BrokenPipeError from None


def widen(descriptor: int) -> None:
    """Lets a pipe hold more, so that neither side waits for the other at each frame."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # a system that allows no more
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _CAPACITY)
