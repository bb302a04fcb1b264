"""A subject's workers: one process, or two where its framework spends its time compiling."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.execution.worker import Worker
from conformance.subjects.subject import MODES, Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: The modes that compile a program for each shape and dtype.
COMPILING = frozenset(f"{name}:{mode}" for name in FRAMEWORKS for mode in description(name).compiling)
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
        self._given: list[dict[int, Request]] = [{}, {}]  # what each process has or had, by index

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Starts the first process at once; its framework imports while the caller goes on."""
        self._workers[0].start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Adds requests behind those already there."""
        self._give(0, requests)

    def place(self, request: Request) -> int:
        """Which of the processes answers a request."""
        return int(request.index in self._given[1])

    def watch(self, now: float) -> None:
        """Kills a process that is over its time limit; shares the work anew where that pays."""
        for worker in self._workers:
            worker.watch(now)
        if not self._may_share:
            return
        ahead = [worker.seconds_ahead() for worker in self._workers]
        if len(ahead) == 1 and ahead[0] > PAYS:
            self._workers.append(self._make())
            self._workers[1].start()
            self._share(0)
        elif len(ahead) == 2 and min(ahead) == 0 and max(ahead) > UNEVEN:
            self._share(ahead.index(max(ahead)))

    def _share(self, place: int) -> None:
        """Gives every other program that a process has not begun to the other: none is compiled twice."""
        waiting = {request.index: request for request in self._workers[place].release()}
        begun = {one.group.program for index, one in self._given[place].items() if index not in waiting}
        programs = dict.fromkeys(request.group.program for request in waiting.values())
        moved = set([program for program in programs if program not in begun][::2])
        for index in waiting:
            del self._given[place][index]
        self._give(place, [one for one in waiting.values() if one.group.program not in moved])
        self._give(1 - place, [one for one in waiting.values() if one.group.program in moved])

    def _give(self, place: int, requests: Sequence[Request]) -> None:
        self._given[place].update((request.index, request) for request in requests)
        self._workers[place].submit(requests)

    def hold(self, held: bool) -> None:
        """Whether the processes are sent nothing more for now."""
        for worker in self._workers:
            worker.hold(held)

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
