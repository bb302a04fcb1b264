"""A subject's workers: one process, or two where its framework spends its time compiling."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from conformance.plan import Request
from conformance.subject import MODES, Subject
from conformance.worker import Worker

#: The modes that compile a program for each shape and dtype.
COMPILING = frozenset({"jax:jit", "torch:compile", "tensorflow:function", "tensorflow:xla"})
#: The dtypes of the second process: no program serves two dtypes, and these take half of the time.
SECOND = frozenset({"float16", "bfloat16", "float64"})
#: Requests from which on a second process is worth the framework's second import.
MANY = 2000


class Crew:
    """The workers that answer one subject's requests, each in the order in which it is asked.

    `make` makes a worker of the subject. Where they `may_share`, a second one starts once the requests are
    known to be many.
    """

    def __init__(self, make: Callable[[], Worker], may_share: bool) -> None:
        self._make = make
        self._workers = [make()]
        self._may_share = may_share and (os.cpu_count() or 1) > 1

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Starts the first process at once; its framework imports while the caller goes on."""
        self._workers[0].start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Adds requests behind those already there."""
        if self._may_share and len(self._workers) == 1 and len(requests) >= MANY:
            self._workers.append(self._make())
            self._workers[1].start()
        for place, worker in enumerate(self._workers):
            worker.submit([request for request in requests if self.place(request) == place])

    def place(self, request: Request) -> int:
        """Which of the processes answers a request."""
        return int(len(self._workers) > 1 and request.group.dtype in SECOND)

    def close(self) -> None:
        """No more requests will come."""
        for worker in self._workers:
            worker.close()

    def stop(self) -> None:
        """Ends the processes now."""
        for worker in self._workers:
            worker.stop()

    def join(self, timeout: float) -> None:
        """Waits for the workers' threads, so many seconds each."""
        for worker in self._workers:
            worker.join(timeout)

    def watch(self, now: float) -> None:
        """Kills a process that is over its time limit."""
        for worker in self._workers:
            worker.watch(now)


def compiles(subject: Subject) -> bool:
    """Whether a framework's own function is compiled, on this machine's processor."""
    mode = subject.mode or MODES.get(subject.framework, ("",))[0]
    here = subject.function is None and not subject.remote and subject.device in (None, "cpu")
    return here and f"{subject.framework}:{mode}" in COMPILING
