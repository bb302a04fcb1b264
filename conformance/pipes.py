"""A worker's pipes: reading and writing that end when the process is gone, whoever else holds the other end.

A process that a worker started, and left behind, may keep its pipes open for ever.
"""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable
from typing import Any

#: Seconds after which a pipe that is silent asks whether the process still lives.
_PATIENCE = 0.5

Gone = Callable[[], bool]


class Reader(io.RawIOBase):
    """The reading end of a pipe; at its end once `gone` says so and nothing is left in it."""

    def __init__(self, descriptor: int, gone: Gone) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            gone = self._gone()  # Asked first: what it wrote before it went is in the pipe by now.
            if self._poll.poll(0 if gone else _PATIENCE * 1000):
                return os.readv(self._descriptor, [buffer])
            if gone:
                return 0


def write(descriptor: int, data: bytes, gone: Gone) -> None:
    """Writes all of `data` into a pipe that does not block; BrokenPipeError once `gone` says so."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            if not poll.poll(_PATIENCE * 1000) and gone():
                raise BrokenPipeError from None
