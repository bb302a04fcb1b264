"""Worker groups of a run: a subject's processes, one or two where its framework spends its time compiling."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.caches import cache_directory
from conformance.execution import scheduling
from conformance.execution.process import Limits
from conformance.execution.scheduling import WorkerSlots
from conformance.execution.worker import Worker
from conformance.plan.events import MessageQueue
from conformance.subjects.subject import MODES, Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: The modes that compile a program for each shape and dtype.
COMPILING_MODES = frozenset(
    f"{name}:{mode.name}" for name in FRAMEWORKS for mode in description(name).modes if mode.compiles
)
#: Seconds of work still ahead from which on a second process is worth the framework's second import.
MIN_SECONDS_TO_SPLIT = 60.0
#: Seconds ahead of the one process that are worth moving to the other, which has nothing left.
MIN_SECONDS_TO_REBALANCE = 5.0


class WorkerGroup:
    """Workers that answer one subject's requests, each in the order in which it is asked.

    A second worker starts once the first one's pace tells that it pays: with programs that are kept from an
    earlier run it does not.

    Args:
        make: Makes a worker of the subject.
        may_split: Whether there may be a second one.
    """

    def __init__(self, make: Callable[[], Worker], may_split: bool) -> None:
        self._make = make
        self._workers = [make()]
        self._may_split = may_split and (os.cpu_count() or 1) > 1
        self._assigned: list[dict[int, Request]] = [{}, {}]  # what each worker has or had, by index

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Starts the first process at once; its framework imports while the caller goes on."""
        self._workers[0].start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Adds requests behind those already there."""
        self._assign(0, requests)

    def worker_of(self, request: Request) -> int:
        """The number of the worker that answers a request: 0 or 1."""
        return int(request.index in self._assigned[1])

    def watch(self, now: float) -> None:
        """Kills a process that is over its time limit at `now`; shares the work anew where that pays."""
        for worker in self._workers:
            worker.watch(now)
        if not self._may_split:
            return
        ahead = [worker.seconds_ahead() for worker in self._workers]
        if len(ahead) == 1 and ahead[0] > MIN_SECONDS_TO_SPLIT:
            self._workers.append(self._make())
            self._workers[1].start()
            self._share(0)
        elif len(ahead) == 2 and min(ahead) == 0 and max(ahead) > MIN_SECONDS_TO_REBALANCE:
            self._share(ahead.index(max(ahead)))

    def _share(self, giver: int) -> None:
        """Gives every other program that a worker has not begun to the other: none is compiled twice."""
        waiting = {request.index: request for request in self._workers[giver].release()}
        begun = {
            request.group.program for index, request in self._assigned[giver].items() if index not in waiting
        }
        programs = dict.fromkeys(request.group.program for request in waiting.values())
        moved = set([program for program in programs if program not in begun][::2])
        for index in waiting:
            del self._assigned[giver][index]
        self._assign(giver, [request for request in waiting.values() if request.group.program not in moved])
        self._assign(1 - giver, [request for request in waiting.values() if request.group.program in moved])

    def _assign(self, number: int, requests: Sequence[Request]) -> None:
        self._assigned[number].update((request.index, request) for request in requests)
        self._workers[number].submit(requests)

    def hold(self, on_hold: bool) -> None:
        """Sends the processes nothing more for now where they are `on_hold`."""
        for worker in self._workers:
            worker.hold(on_hold)

    def close(self) -> None:
        """No more requests will come."""
        for worker in self._workers:
            worker.close()

    def stop(self) -> None:
        """Ends the processes now."""
        for worker in self._workers:
            worker.stop()

    def join(self, timeout: float) -> None:
        """Waits for the workers' threads, `timeout` seconds each."""
        for worker in self._workers:
            worker.join(timeout)


def compiles(subject: Subject) -> bool:
    """Whether a framework's own function is compiled, on this machine's processor."""
    mode = subject.mode or MODES.get(subject.framework, ("",))[0]
    here = subject.function is None and not subject.remote and subject.device in (None, "cpu")
    return here and f"{subject.framework}:{mode}" in COMPILING_MODES


class WorkerGroups:
    """The worker groups of a run by subject, and the queue into which they all answer.

    Args:
        limits: What each process may use.
        slots: How many workers live at a time.

    Attributes:
        messages: The queue.
    """

    def __init__(self, limits: Limits, slots: WorkerSlots) -> None:
        self.messages = MessageQueue()
        self._limits = limits
        self._slots = slots
        self._groups: dict[str, WorkerGroup] = {}

    def start(self, subjects: Sequence[Subject]) -> None:
        """Starts a process of each subject."""
        environment = {"CONFORMANCE_CACHE": str(cache_directory())}
        for subject in subjects:
            nice = scheduling.niceness(subject, subjects)
            make = partial(Worker, subject, self.messages, self._limits, environment, self._slots, nice)
            may_split = self._slots.unlimited and compiles(subject)
            self._groups[subject.name] = WorkerGroup(make, may_split)
            self._groups[subject.name].start()

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the subjects."""
        return tuple(self._groups)

    @property
    def processes(self) -> int:
        """How many workers there are: each ends with one `Ended`."""
        return sum(map(len, self._groups.values()))

    def submit(self, subject: str, requests: Sequence[Request]) -> None:
        """Adds requests behind those that the subject has already."""
        self._groups[subject].submit(requests)

    def worker_of(self, subject: str, request: Request) -> int:
        """The number of the subject's worker that answers a request."""
        return self._groups[subject].worker_of(request)

    def watch(self, now: float, held_but: str | None) -> None:
        """Looks after the processes' time limits, and who is sent nothing for now.

        Args:
            now: The time, by the monotonic clock.
            held_but: The only subject that is not held back; None: nobody is.
        """
        # With a limit of workers nobody is held: who is held has no slot to give to the last.
        hold = held_but is not None and self._slots.unlimited
        for name, group in self._groups.items():
            group.hold(hold and name != held_but)
            group.watch(now)

    def close(self) -> None:
        """No more requests will come, for anyone."""
        for group in self._groups.values():
            group.close()

    def stop(self) -> None:
        """Ends all processes now, and lets go of every request that they know."""
        for group in self._groups.values():
            group.stop()
        while self._groups:
            self._groups.popitem()[1].join(5.0)
