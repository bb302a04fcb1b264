"""Worker of a subject: a process that is fed ahead, watched, and started again past what killed it."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from conformance.adapters import protocol
from conformance.execution.blame import Divisions, Suspects
from conformance.execution.process import Limits, WorkerProcess, cause_of_death
from conformance.execution.scheduling import POLL_SECONDS, WorkerSlots
from conformance.plan.events import Answer, Ended, Hello, MessageQueue, Refused
from conformance.results import sanitize
from conformance.subjects.subject import Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: A subject is given up after this many deaths in a row without one answer in between.
MAX_DEATHS_IN_A_ROW = 8
#: And after this many that came before it had said hello.
MAX_DEATHS_AT_START = 3
#: The exit code by which a worker says, in a line, that its framework is not to be had: no second try.
UNAVAILABLE_EXIT_CODE = 3
#: Answers from which on a worker's pace is known.
MIN_ANSWERS_FOR_PACE = 100
#: Bytes of requests that are written at once.
BYTES_A_WRITE = 1 << 16
#: Open requests from which on their answers may come in handfuls.
MIN_OPEN_REQUESTS_TO_GATHER = 16
#: Seconds that a process gets to end by itself once its output has ended.
_EXIT_SECONDS = 2.0


@dataclass
class _Watch:
    """Time limit of one process: since when it has been at its start, or at its oldest open request.

    Attributes:
        since: When that began, by the monotonic clock.
        said_hello: Whether the process has started.
        overdue: Why it was killed for its time; empty: it was not.
        late: The request that took too long.
    """

    since: float = field(default_factory=time.monotonic)
    said_hello: bool = False
    overdue: str = ""
    late: Request | None = None

    @property
    def status(self) -> str:
        """The outcome of the request that the process died of."""
        return "timed out" if self.overdue else "crashed"


class Worker:
    """Worker that runs requests in order in its subject's process and puts an `Answer` for each into a queue.

    More requests may be added with `submit` until `close`. Every request gets exactly one answer, whatever
    the process does: what killed it is `crashed` or `timed out`, what was never run is `not run`. The process
    lives while it has a slot, and with nothing to do makes way for a worker that waits for one.

    Args:
        subject: What is under test.
        messages: Takes the subject's `Hello` and answers, and at last `Ended`.
        limits: What the process may use.
        environment: Variables beside those of this process; the subject's own come on top.
        slots: How many workers live at a time; None: any number.
        niceness: The niceness of the process.
    """

    def __init__(
        self,
        subject: Subject,
        messages: MessageQueue,
        limits: Limits,
        environment: Mapping[str, str],
        slots: WorkerSlots | None = None,
        niceness: int = 0,
    ) -> None:
        self.subject = subject
        self._messages = messages
        self._limits = limits
        variables = {**os.environ, **environment, **subject.environment}
        self._start_process = partial(WorkerProcess, subject, limits, variables, niceness)
        self._slots = slots or WorkerSlots(None)
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._sent: deque[Request] = deque()
        self._closed = self._stopped = False
        self._fed = self._made_way = self._on_hold = False
        self._suspects, self._divisions = Suspects(), Divisions()
        self._answered, self._seconds = 0, 0.0
        self._refusal = ""
        self._process: WorkerProcess | None = None
        self._watch = _Watch()
        self._thread = threading.Thread(target=self._live, name=f"worker {subject.name}", daemon=True)

    def start(self) -> None:
        """Starts the process at once; its framework imports while the caller goes on."""
        self._thread.start()

    def submit(self, requests: Sequence[Request]) -> None:
        """Adds requests behind those already there."""
        with self._changed:
            self._fed = True
            self._waiting.extend(requests)
            self._changed.notify_all()

    def release(self) -> list[Request]:
        """Takes back all requests that the process has not been sent."""
        with self._changed:
            released = list(self._waiting)
            self._waiting.clear()
            return released

    def hold(self, on_hold: bool) -> None:
        """Sends the process nothing more for now where it is `on_hold`: it is too far ahead of others."""
        self._on_hold = on_hold

    def seconds_ahead(self) -> float:
        """How long the requests that wait would take at the pace so far; 0 before that is known."""
        with self._changed:
            known = self._answered >= MIN_ANSWERS_FOR_PACE
            return len(self._waiting) * self._seconds / self._answered if known else 0.0

    def close(self) -> None:
        """No more requests will come: the process ends once it has answered what it has."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Ends the process now, whatever it does; requests without an answer stay without."""
        with self._changed:
            self._stopped = self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        process = self._process
        if process is not None:
            process.kill()

    def join(self, timeout: float) -> None:
        """Waits for the worker's thread, `timeout` seconds at most."""
        self._thread.join(timeout)

    def watch(self, now: float) -> None:
        """Kills the process if its oldest request, or its start, is over the time limit at the time `now`."""
        with self._changed:
            watch = self._watch
            if self._process is None or watch.overdue:
                return
            limit = self._limits.seconds if watch.said_hello else self._limits.start
            if (self._sent or not watch.said_hello) and now - watch.since > limit:
                watch.overdue = f"no {'answer' if watch.said_hello else 'start'} within {limit:g} s"
                watch.late = self._sent[0] if watch.said_hello else None
                self._process.kill()

    # The worker's own thread from here on.

    def _live(self) -> None:
        try:
            self._live_on()
        except Exception as error:  # A fault of ours must not leave the run waiting for ever.
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self._messages.put(Ended(self.subject.name))

    def _live_on(self) -> None:
        """One process after the other, until all is answered or the subject is given up."""
        deaths = at_start = 0
        while self._has_work():
            with self._slots.taken(lambda: self._stopped):
                if self._stopped:
                    return
                answered, cause, final = self._live_once()
            if not cause:
                continue
            deaths = 1 if answered else deaths + 1
            at_start = 0 if self._watch.said_hello else at_start + 1
            if final or deaths >= MAX_DEATHS_IN_A_ROW or at_start >= MAX_DEATHS_AT_START:
                self._give_up(cause)
                return
            self._blame(cause)

    def _has_work(self) -> bool:
        """Whether a process is needed: at once, but after it made way only for a request."""
        with self._changed:
            if self._made_way:
                self._changed.wait_for(lambda: self._waiting or self._closed)
            return not (self._all_answered or self._stopped)

    @property
    def _all_answered(self) -> bool:
        return self._closed and not self._waiting and not self._sent

    def _live_once(self) -> tuple[int, str, bool]:
        """One process's life: its answers, how it died (empty: it did not), whether for good."""
        self._watch, self._made_way = _Watch(), False
        try:
            process = self._start_process()
        except OSError as error:
            return 0, f"cannot start: {error}", True
        self._process = process
        feeder = threading.Thread(target=self._feed, args=(process,), daemon=True)
        feeder.start()
        answered, fault = self._read(process.output(lambda: len(self._sent) > MIN_OPEN_REQUESTS_TO_GATHER))
        with self._changed:
            self._process = None
            finished = self._made_way or self._all_answered
            self._changed.notify_all()
        lived_on = not fault and not process.ends_within(_EXIT_SECONDS)
        process.kill()  # Also what it started and left behind.
        feeder.join()
        code, stderr = process.reap()
        if finished and not fault:
            return answered, "", False
        overdue = self._watch.overdue
        if lived_on and not overdue:
            fault = "it closed its output, and lived on"
        cause = overdue or cause_of_death(code, fault, stderr)
        unavailable = not self._watch.said_hello and code == UNAVAILABLE_EXIT_CODE
        if unavailable:
            self._refuse(cause)
        return answered, cause, unavailable or (not self._watch.said_hello and bool(overdue))

    def _feed(self, process: WorkerProcess) -> None:
        """Writes requests as fast as the pipe takes them (the feeder's thread)."""
        try:
            process.write(self.subject.preamble())
            while self._wait_for_requests(process):
                process.write(b"".join(self._next_payloads()))
            process.close_input()
        except OSError:
            return  # The reader sees the death, and its cause.

    def _wait_for_requests(self, process: WorkerProcess) -> bool:
        """Waits until there is something to send to the process; False: there will be nothing more."""
        with self._changed:
            while self._process is process and self._must_wait():
                if self._slots.wanted and self._fed and not self._waiting and not self._sent:
                    self._made_way = True
                    return False
                self._changed.wait(POLL_SECONDS)
            return self._process is process and bool(self._waiting)

    def _must_wait(self) -> bool:
        """Whether there is nothing to send now, and more may come."""
        return (self._on_hold or self._messages.over_budget) if self._waiting else not self._closed

    def _next_payloads(self) -> Iterator[bytes]:
        """The payloads of some requests that wait: they are sent from here on."""
        size = 0
        while size < BYTES_A_WRITE:
            with self._changed:
                if not self._waiting:
                    return
                request = self._waiting.popleft()
                if self._suspects.divide(request):
                    self._waiting.extendleft(reversed(self._divisions.parts(request)))
                    continue
                if not self._sent and self._watch.said_hello:
                    self._watch.since = time.monotonic()
                self._sent.append(request)
            payload = request.payload(alone=self._suspects.compile_alone(request))
            size += len(payload)
            yield payload

    def _read(self, stream: BinaryIO) -> tuple[int, str]:
        """Takes frames until the stream ends: the number of answers, and the fault if it was no clean end."""
        answered = 0
        while True:
            try:
                parts = protocol.read_parts(stream, self._limits.response)
                if parts is None:
                    return answered, ""
                header, arrays = protocol.decode(*parts, copies=False)
            except Exception as error:  # A header from a broken subject makes NumPy raise what it likes.
                return answered, str(error) or type(error).__name__
            if header.get("kind") == "hello" and not self._watch.said_hello:
                self._watch.said_hello, self._watch.since = True, time.monotonic()
                self._messages.put(Hello(self.subject.name, sanitize.hello(header)))
                continue
            fault = self._take(header, arrays, parts[1])
            if fault:
                return answered, fault
            answered += 1

    def _take(self, header: dict[str, Any], arrays: dict[str, Any], body: bytes) -> str:
        """Accepts one response as the answer to the oldest open request; what is wrong with it otherwise."""
        named = header.get("arrays", [])
        if len(named) != len(arrays):
            return "a response that names an array twice"
        dtypes = {str(entry["name"]): sanitize.text(entry.get("dtype"), 40) for entry in named}
        warnings, seconds = sanitize.warnings(header), sanitize.number(header, "seconds")
        compilations = int(sanitize.number(header, "compilations"))
        with self._changed:  # From here on nothing fails: a request that is taken must be answered.
            if not self._sent or header.get("id") != self._sent[0].index:
                return "a response that answers no open request"
            request = self._sent[0]
            outcomes = sanitize.outcomes(header, request.quantities)
            if outcomes is None:
                return "a response without an outcome for each quantity"
            self._sent.popleft()
            self._watch.since = time.monotonic()
            self._answered, self._seconds = self._answered + 1, self._seconds + seconds
        subject = self.subject.name
        self._deliver(
            Answer(subject, request, outcomes, arrays, dtypes, warnings, seconds, body, compilations)
        )
        return ""

    def _deliver(self, answer: Answer) -> None:
        """Passes an answer on; that of a part once all parts of its request have answered."""
        whole = self._divisions.joined(answer)
        if whole is not None:
            self._messages.put(whole)

    def _blame(self, cause: str) -> None:
        """Puts the open requests back, but for the oldest where the process died of it: it is answered."""
        with self._changed:
            open_requests = list(self._sent)
            self._sent.clear()
            culprit = open_requests[0] if open_requests and self._watch.said_hello else None
            timed_out = bool(self._watch.overdue)
            if timed_out and culprit is not self._watch.late:
                culprit = None  # Its answer came while it was being stopped.
            if culprit is not None and self._suspects.convict(culprit, timed_out):
                open_requests.pop(0)
            else:
                culprit = None
            self._waiting.extendleft(reversed(open_requests))
            divided = culprit is not None and not timed_out and self._suspects.divide(culprit)
            if culprit is not None and divided:
                self._waiting.extendleft(reversed(self._divisions.parts(culprit)))
        if culprit is not None and not divided:
            self._report(culprit, self._watch.status, cause)

    def _refuse(self, cause: str) -> None:
        """Notes why a worker that ended at once is not what its subject says, in its own last line."""
        self._refusal = cause.rpartition(" | ")[2].removeprefix("conformance: ")
        self._messages.put(Refused(self.subject.name, self._refusal))

    def _give_up(self, cause: str) -> None:
        """Answers every request: the first as the death that it is, the rest, and later ones, as not run.

        What only some machines have, a variant's kernels or a device, is `unsupported` where it is refused.
        """
        if self._refusal and (self.subject.variant or self.subject.device):
            self._answer_all(lambda _: ("unsupported", self._refusal))
            return
        first = self._watch.status, cause
        rest = "not run", f"the subject was given up: {cause}"
        self._answer_all(lambda position: rest if position else first)

    def _answer_all(self, outcome: Callable[[int], tuple[str, str]]) -> None:
        """Answers every request, also those to come, by the status and message of its position."""
        with self._changed:
            remaining = [*self._sent, *self._waiting]
            self._sent.clear()
            self._waiting.clear()
        # Only what a process had, or was to have, died with it: also what comes after a start that failed.
        position = 0 if remaining or not self._answered else 1
        while True:  # Whatever is submitted from here on is answered alike.
            for request in remaining:
                self._report(request, *outcome(position))
                position += 1
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                remaining = list(self._waiting)
                self._waiting.clear()
            if not remaining:
                return

    def _report(self, request: Request, status: str, message: str) -> None:
        outcomes = {quantity: {"status": status, "message": message} for quantity in request.quantities}
        self._deliver(Answer(self.subject.name, request, outcomes, {}, {}))
