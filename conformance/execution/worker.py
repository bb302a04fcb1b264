"""One subject's worker: a process that is fed ahead, watched, and started again past what killed it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from conformance.adapters import protocol
from conformance.execution import pipes, processes, scheduling
from conformance.execution.worker_slots import GLANCE, Turns
from conformance.plan.events import Answer, Ended, Hello, MessageQueue, Refused
from conformance.results import sanitize
from conformance.subjects.subject import Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: A subject is given up after this many deaths in a row without one answer in between.
DEATHS_IN_A_ROW = 8
#: And after this many that came before it had said hello.
DEATHS_AT_START = 3
#: The exit code by which a worker says, in a line, that its framework is not to be had: no second try.
UNAVAILABLE = 3
#: Answers from which on a worker's pace is known.
ENOUGH = 100
#: Bytes of requests that are written at once.
AT_ONCE = 1 << 16
#: Open requests from which on their answers may come in handfuls.
MANY = 16
#: Where something lay in memory: a run that is repeated says the same but for that.
_ADDRESS = re.compile(r"\b0x[0-9a-f]{8,16}\b")
#: Seconds that a process gets to end by itself once its output has ended.
_PATIENCE = 2.0


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds a check and to start, bytes of a response and of memory (None: any)."""

    seconds: float = 60.0
    start: float = 180.0
    response: int = 1 << 31
    memory: int | None = None


class Worker:
    """Runs `requests` in order in the subject's process and puts an `Answer` for each into `inbox`.

    More requests may be added with `submit` until `close`. Every request gets exactly one answer, whatever
    the process does: what killed it is `crashed` or `timed out`, what was never run is `not run`. The process
    lives while it has one of the `turns`, and with nothing to do makes way for a worker that waits for one.
    """

    def __init__(
        self,
        subject: Subject,
        inbox: MessageQueue,
        limits: Limits,
        environment: dict[str, str],
        turns: Turns | None = None,
        niceness: int = 0,
    ) -> None:
        self.subject = subject
        self._inbox = inbox
        self._limits = limits
        self._environment = {**os.environ, **environment, **subject.environment}
        self._turns = turns or Turns(None)
        self._niceness = niceness
        self._changed = threading.Condition()
        self._fed = self._made_way = self._held = False
        self._waiting: deque[Request] = deque()
        self._sent: deque[Request] = deque()
        self._closed = False
        self._stopped = False
        # Programs beside which a process died, and the formulations of each that killed it twice.
        self._fatal: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
        self._answered, self._spent = 0, 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._since = time.monotonic()
        self._overdue = ""
        self._late: Request | None = None
        self._said_hello = False
        self._refusal = ""
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

    def hold(self, held: bool) -> None:
        """Whether the process is sent nothing more for now: it is too far ahead of others."""
        self._held = held

    def seconds_ahead(self) -> float:
        """How long the requests that wait would take at the pace so far; 0 before that is known."""
        with self._changed:
            known = self._answered >= ENOUGH
            return len(self._waiting) * self._spent / self._answered if known else 0.0

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
        self._kill()

    def join(self, timeout: float) -> None:
        """Waits for the worker's thread."""
        self._thread.join(timeout)

    def watch(self, now: float) -> None:
        """Kills the process if its current request, or its start, is over the time limit."""
        with self._changed:
            if self._process is None or self._overdue:
                return
            limit = self._limits.seconds if self._said_hello else self._limits.start
            if (self._sent or not self._said_hello) and now - self._since > limit:
                self._overdue = f"no {'answer' if self._said_hello else 'start'} within {limit:g} s"
                self._late = self._sent[0] if self._said_hello else None
        if self._overdue:
            self._kill()

    # The worker's own thread from here on.

    def _live(self) -> None:
        try:
            self._live_on()
        except Exception as error:  # A fault of ours must not leave the run waiting for ever.
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self._inbox.put(Ended(self.subject.name))

    def _live_on(self) -> None:
        """One process after the other, until all is answered or the subject is given up."""
        deaths = at_start = 0
        while self._has_work():
            with self._turns.taken(lambda: self._stopped):
                if self._stopped:
                    return
                answered, end, final = self._one_process()
            if not end:
                continue
            deaths = 1 if answered else deaths + 1
            at_start = 0 if self._said_hello else at_start + 1
            if final or deaths >= DEATHS_IN_A_ROW or at_start >= DEATHS_AT_START:
                self._give_up(end)
                return
            self._blame(end)

    def _has_work(self) -> bool:
        """Whether a process is needed: at once, but after it made way only for a request."""
        with self._changed:
            if self._made_way:
                self._changed.wait_for(lambda: self._waiting or self._closed)
            done = self._closed and not self._waiting and not self._sent
            return not (done or self._stopped)

    def _makes_way(self) -> bool:
        return self._turns.wanted and self._fed and not self._waiting and not self._sent

    def _one_process(self) -> tuple[int, str, bool]:
        """Lives one process through: its answers, how it died (empty: it did not), whether for good."""
        self._overdue, self._late, self._said_hello, self._since = "", None, False, time.monotonic()
        self._made_way = False
        with contextlib.ExitStack() as opened:
            try:
                stderr = opened.enter_context(tempfile.TemporaryFile())
                process = subprocess.Popen(
                    self._limited(self.subject.argv()),
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                return 0, f"cannot start: {error}", True
            assert process.stdin is not None
            assert process.stdout is not None
            scheduling.step_back(process.pid, self._niceness)
            self._process = process
            gone = processes.gone(process)
            feeder = threading.Thread(target=self._feed, args=(process, gone), daemon=True)
            feeder.start()
            pipe = pipes.Reader(process.stdout.fileno(), gone, more=lambda: len(self._sent) > MANY)
            reader = io.BufferedReader(pipe, 1 << 16)
            answered, fault = self._read(reader)
            with self._changed:
                self._process = None
                finished = self._made_way or (self._closed and not self._sent and not self._waiting)
                self._changed.notify_all()
            lived_on = not fault and not processes.ends(process, _PATIENCE)
            processes.kill_group(process)  # Also what it started and left behind.
            code = process.wait()
            feeder.join()
            process.stdin.close()
            process.stdout.close()
            if finished and not fault:
                return answered, "", False
            if lived_on and not self._overdue:
                fault = "it closed its output, and lived on"
            cause = self._cause_of_death(code, fault, stderr)
            if not self._said_hello and code == UNAVAILABLE:
                self._refuse(cause)
            at_start = not self._said_hello and (code == UNAVAILABLE or bool(self._overdue))
            return answered, cause, at_start

    def _limited(self, argv: list[str]) -> list[str]:
        """The command under the operating system's memory limit, where one is set."""
        if self._limits.memory is None:
            return argv
        kib = self._limits.memory // 1024
        return ["sh", "-c", f'ulimit -v {kib} && exec "$@"', "sh", *argv]

    def _feed(self, process: subprocess.Popen[bytes], gone: pipes.Gone) -> None:
        """Writes requests as fast as the pipe takes them."""
        assert process.stdin is not None
        descriptor = process.stdin.fileno()
        os.set_blocking(descriptor, False)
        pipes.widen(descriptor)
        try:
            pipes.write(descriptor, self.subject.preamble(), gone)
            while True:
                with self._changed:
                    while self._process is process and self._must_wait():
                        if self._makes_way():
                            self._made_way = True
                            break
                        self._changed.wait(GLANCE)
                    if self._process is not process:
                        return
                    if not self._waiting:
                        break
                pipes.write(descriptor, b"".join(self._handful()), gone)
            process.stdin.close()
        except OSError:
            return  # The reader sees the death, and its cause.

    def _must_wait(self) -> bool:
        """Whether there is nothing to send now, and more may come."""
        return (self._held or self._inbox.over_budget) if self._waiting else not self._closed

    def _handful(self) -> Iterator[bytes]:
        """The payloads of some requests that wait: they are sent from here on."""
        size = 0
        while size < AT_ONCE:
            with self._changed:
                if not self._waiting:
                    return
                request = self._waiting.popleft()
                if not self._sent:
                    self._since = time.monotonic() if self._said_hello else self._since
                self._sent.append(request)
            payload = request.payload(alone=request.group.program in self._fatal)
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
            if header.get("kind") == "hello" and not self._said_hello:
                self._said_hello, self._since = True, time.monotonic()
                self._inbox.put(Hello(self.subject.name, sanitize.hello(header)))
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
        texts, seconds = sanitize.warnings(header), sanitize.number(header, "seconds")
        compilations = int(sanitize.number(header, "compilations"))
        with self._changed:  # From here on nothing fails: a request that is taken must be answered.
            if not self._sent or header.get("id") != self._sent[0].index:
                return "a response that answers no open request"
            request = self._sent[0]
            outcomes = sanitize.outcomes(header, request.quantities)
            if outcomes is None:
                return "a response without an outcome for each quantity"
            self._sent.popleft()
            self._since = time.monotonic()
            self._answered, self._spent = self._answered + 1, self._spent + seconds
        self._inbox.put(
            Answer(self.subject.name, request, outcomes, arrays, dtypes, texts, seconds, body, compilations)
        )
        return ""

    def _cause_of_death(self, code: int, fault: str, stderr: BinaryIO) -> str:
        """One line on why the process is gone: its fault, its signal or exit code, its last words."""
        if self._overdue:
            return self._overdue
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        stderr.seek(0, os.SEEK_END)
        stderr.seek(max(0, stderr.tell() - 2000))
        written = stderr.read().decode("utf-8", "replace").splitlines()
        lines = [line.strip() for line in written if line.strip()]
        named = [line for line in lines[:-3] if "error" in line.lower()][-1:]  # what follows are its details
        words = " | ".join([fault or how, *named, *lines[-3:]])
        return sanitize.text(_ADDRESS.sub("0x\N{HORIZONTAL ELLIPSIS}", words))

    def _blame(self, cause: str) -> None:
        """Gives the oldest open request another try, or, the second time, the verdict.

        A process may die between two requests: only one that dies on the same request again is its doing,
        or on the same formulation of a program that killed it twice before. What is compiled with others
        may die of one of them: from the first death on each is compiled alone.
        """
        with self._changed:
            open_requests = list(self._sent)
            self._sent.clear()
            culprit = open_requests[0] if open_requests and self._said_hello else None
            if self._overdue and culprit is not self._late:
                culprit = None  # Its answer came while it was being stopped.
            if culprit is not None:
                convicted = self._fatal[culprit.group.program]
                if culprit.attempts and not self._overdue:
                    convicted.add(culprit.formulation)
                if self._overdue or culprit.formulation in convicted:
                    open_requests.pop(0)
                else:
                    culprit.attempts += 1
                    culprit = None
            self._waiting.extendleft(reversed(open_requests))
        if culprit is not None:
            self._report(culprit, "timed out" if self._overdue else "crashed", cause)

    def _refuse(self, cause: str) -> None:
        """Notes why a worker that ended at once is not what its subject says, in its own last line."""
        self._refusal = cause.rpartition(" | ")[2].removeprefix("conformance: ")
        self._inbox.put(Refused(self.subject.name, self._refusal))

    def _give_up(self, cause: str) -> None:
        """Answers everything that is left: the first as the death that it is, the rest as not run.

        What only some machines have, a variant's kernels or a device, is `unsupported` where it is refused.
        """
        if self._refusal and (self.subject.variant or self.subject.device):
            self._answer_all(lambda _: ("unsupported", self._refusal))
            return
        first = "timed out" if self._overdue else "crashed"
        rest = "not run", f"the subject was given up: {cause}"
        self._answer_all(lambda position: rest if position else (first, cause))

    def _answer_all(self, outcome: Callable[[int], tuple[str, str]]) -> None:
        """Answers every request, also those to come, by the status and message of its position."""
        with self._changed:
            remaining = [*self._sent, *self._waiting]
            self._sent.clear()
            self._waiting.clear()
        position = 0 if remaining else 1  # only what a process had, or was to have, died with it
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
        self._inbox.put(Answer(self.subject.name, request, outcomes, {}, {}))

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            processes.kill_group(process)
