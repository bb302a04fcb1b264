"""A subject's workers: one process, or two where its framework spends its time compiling."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence

from conformance.plan import Request
from conformance.subject import MODES, Subject
from conformance.worker import Worker

#: The modes that compile a program for each shape and dtype.
COMPILING = frozenset({"jax:jit", "torch:compile", "tensorflow:function", "tensorflow:xla"})
#: The dtypes of the second process: no program serves two dtypes, and these take half of the time.
SECOND = frozenset({"float16", "bfloat16", "float64"})
#: Seconds of work still ahead from which on a second process is worth the framework's second import.
PAYS = 60.0
#: Seconds ahead of the one process that are worth moving to the other, which has nothing left.
UNEVEN = 5.0


class Crew:
    """The workers that answer one subject's requests, each in the order in which it is asked.

    `make` makes a worker of the subject. Where they `may_share`, a second one starts once the first one's
    pace tells that it pays: with programs that are kept from an earlier run it does not.
    """

    def __init__(self, make: Callable[[], Worker], may_share: bool) -> None:
        self._make = make
        self._workers = [make()]
        self._may_share = may_share and (os.cpu_count() or 1) > 1
        self._moved: set[int] = set()  # indices of the requests that the second process has

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Starts the first process at once; its framework imports while the caller goes on."""
        self._workers[0].start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Adds requests behind those already there."""
        self._workers[0].submit(requests)

    def place(self, request: Request) -> int:
        """Which of the processes answers a request."""
        return int(request.index in self._moved)

    def watch(self, now: float) -> None:
        """Kills a process that is over its time limit; shares the work anew where that pays."""
        for worker in self._workers:
            worker.watch(now)
        if not self._may_share:
            return
        if len(self._workers) == 1 and self._workers[0].seconds_ahead() > PAYS:
            self._workers.append(self._make())
            self._workers[1].start()
            self._move(0, lambda request: request.group.dtype in SECOND)
        elif len(self._workers) == 2:
            ahead = [worker.seconds_ahead() for worker in self._workers]
            if min(ahead) == 0 and max(ahead) > UNEVEN:
                every_other = itertools.cycle((True, False))
                self._move(ahead.index(max(ahead)), lambda _: next(every_other))

    def _move(self, place: int, chosen: Callable[[Request], bool]) -> None:
        """Gives the chosen ones of a process's waiting requests to the other."""
        requests = self._workers[place].release(chosen)
        indices = {request.index for request in requests}
        self._moved = self._moved | indices if place == 0 else self._moved - indices
        self._workers[1 - place].submit(requests)

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


def compiles(subject: Subject) -> bool:
    """Whether a framework's own function is compiled, on this machine's processor."""
    mode = subject.mode or MODES.get(subject.framework, ("",))[0]
    here = subject.function is None and not subject.remote and subject.device in (None, "cpu")
    return here and f"{subject.framework}:{mode}" in COMPILING
