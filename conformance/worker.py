"""One subject's worker: a process that is fed ahead, watched, and started again past what killed it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from conformance.adapters import protocol
from conformance.plan import Request
from conformance.subject import Subject

#: A subject is given up after this many deaths in a row without one answer in between.
DEATHS_IN_A_ROW = 8
#: Seconds in which a worker must have imported its framework and said hello.
START_LIMIT = 180.0


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds a check, bytes of a response, bytes of memory (None: no limit)."""

    seconds: float = 60.0
    response: int = 1 << 31
    memory: int | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a request: outcomes by quantity and the arrays of those that returned."""

    subject: str
    request: Request
    outcomes: dict[str, dict[str, Any]]
    arrays: dict[str, Any]
    dtypes: dict[str, str]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    body: bytes = b""  # the arrays as they came: what the journal keeps
    compilations: int = 0  # of the whole process so far


@dataclass(frozen=True)
class Hello:
    """A worker's first frame: the framework, its versions and hardware."""

    subject: str
    header: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """A worker that has answered, or given up, everything."""

    subject: str


Message = Answer | Hello | Ended


class Worker:
    """Runs `requests` in order in the subject's process and puts an `Answer` for each into `inbox`.

    More requests may be added with `submit` until `close`. Every request gets exactly one answer, whatever
    the process does: what killed it is `crashed` or `timed out`, what was never run is `not run`.
    """

    def __init__(
        self,
        subject: Subject,
        inbox: queue.Queue[Message],
        limits: Limits,
        environment: dict[str, str],
    ) -> None:
        self.subject = subject
        self._inbox = inbox
        self._limits = limits
        self._environment = {**os.environ, **environment, **subject.environment}
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._sent: deque[Request] = deque()
        self._closed = False
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._since = time.monotonic()
        self._overdue = ""
        self._said_hello = False
        self._thread = threading.Thread(target=self._live, name=f"worker {subject.name}", daemon=True)

    def start(self) -> None:
        """Starts the process at once; its framework imports while the caller goes on."""
        self._thread.start()

    def submit(self, requests: list[Request]) -> None:
        """Adds requests behind those already there."""
        with self._changed:
            self._waiting.extend(requests)
            self._changed.notify_all()

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
            limit = self._limits.seconds if self._said_hello else max(START_LIMIT, self._limits.seconds)
            if (self._sent or not self._said_hello) and now - self._since > limit:
                self._overdue = f"no answer within {limit:g} s"
        if self._overdue:
            self._kill()

    # The worker's own thread from here on.

    def _live(self) -> None:
        deaths = 0
        while not self._stopped:
            answered, end = self._one_process()
            if not end or self._stopped:
                break
            deaths = 1 if answered else deaths + 1
            if deaths >= DEATHS_IN_A_ROW or not self._said_hello:
                self._give_up(end)
                break
            self._blame(end)
        self._inbox.put(Ended(self.subject.name))

    def _one_process(self) -> tuple[int, str]:
        """Lives one process through: how many answers it gave, and how it died (empty: it ended well)."""
        self._overdue, self._said_hello, self._since = "", False, time.monotonic()
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(
                    self._limited(self.subject.argv()),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                return 0, f"cannot start: {error}"
            self._process = process
            feeder = threading.Thread(target=self._feed, args=(process,), daemon=True)
            feeder.start()
            assert process.stdout is not None
            answered, fault = self._read(cast(BinaryIO, process.stdout))
            with self._changed:
                self._process = None
                finished = self._closed and not self._sent and not self._waiting
                self._changed.notify_all()
            code = _end(process, 0.0 if fault else 5.0)
            feeder.join()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close_quietly(pipe)
            if finished and not fault:
                return answered, ""
            return answered, self._cause_of_death(code, fault, stderr)

    def _limited(self, argv: list[str]) -> list[str]:
        """The command under the operating system's memory limit, where one is set."""
        if self._limits.memory is None:
            return argv
        kib = self._limits.memory // 1024
        return ["sh", "-c", f'ulimit -v {kib} && exec "$@"', "sh", *argv]

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        """Writes requests as fast as the pipe takes them."""
        assert process.stdin is not None
        try:
            process.stdin.write(self.subject.preamble())
            process.stdin.flush()
            while True:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._waiting or self._closed or self._process is not process
                    )
                    if self._process is not process:
                        return
                    if not self._waiting:
                        break
                    request = self._waiting.popleft()
                    if not self._sent:
                        self._since = time.monotonic() if self._said_hello else self._since
                    self._sent.append(request)
                process.stdin.write(request.payload())
                process.stdin.flush()
            process.stdin.close()
        except (OSError, ValueError):
            return  # The reader sees the death, and its cause.

    def _read(self, stream: BinaryIO) -> tuple[int, str]:
        """Takes frames until the stream ends: the number of answers, and the fault if it was no clean end."""
        answered = 0
        while True:
            try:
                parts = protocol.read_parts(stream, self._limits.response)
                if parts is None:
                    return answered, ""
                header, arrays = protocol.decode(*parts, copies=False)
            except (protocol.ProtocolError, OSError, ValueError) as error:
                return answered, str(error)
            if header.get("kind") == "hello" and not self._said_hello:
                self._said_hello, self._since = True, time.monotonic()
                self._inbox.put(Hello(self.subject.name, header))
                continue
            fault = self._take(header, arrays, parts[1])
            if fault:
                return answered, fault
            answered += 1

    def _take(self, header: dict[str, Any], arrays: dict[str, Any], body: bytes) -> str:
        """Accepts one response as the answer to the oldest open request; what is wrong with it otherwise."""
        with self._changed:
            if not self._sent or header.get("id") != self._sent[0].index:
                return "a response that answers no open request"
            request = self._sent[0]
            outcomes = header.get("outcomes")
            if not isinstance(outcomes, dict) or set(outcomes) != set(request.quantities):
                return "a response without an outcome for each quantity"
            self._sent.popleft()
            self._since = time.monotonic()
        named = header.get("arrays", [])
        if len(named) != len(arrays):
            return "a response that names an array twice"
        dtypes = {str(entry["name"]): str(entry.get("dtype")) for entry in named}
        texts = tuple(str(text) for text in header.get("warnings", ()))
        seconds = float(header.get("seconds", 0.0))
        compilations = int(header.get("compilations", 0))
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
        lines = [
            line.strip() for line in stderr.read().decode("utf-8", "replace").splitlines() if line.strip()
        ]
        parts = [fault or how, *lines[-3:]]
        return " | ".join(parts)

    def _blame(self, cause: str) -> None:
        """Gives the oldest open request another try, or, the second time, the verdict.

        A process may die between two requests: only one that dies on the same request again is its doing.
        """
        with self._changed:
            open_requests = list(self._sent)
            self._sent.clear()
            culprit = open_requests[0] if open_requests else None
            if culprit is not None and (self._overdue or culprit.attempts):
                open_requests.pop(0)
            elif culprit is not None:
                culprit.attempts += 1
                culprit = None
            self._waiting.extendleft(reversed(open_requests))
        if culprit is not None:
            self._report(culprit, "timed out" if self._overdue else "crashed", cause)

    def _give_up(self, cause: str) -> None:
        """Answers everything that is left: the first as the death that it is, the rest as not run."""
        with self._changed:
            left = [*self._sent, *self._waiting]
            self._sent.clear()
            self._waiting.clear()
        for position, request in enumerate(left):
            if position == 0:
                self._report(request, "timed out" if self._overdue else "crashed", cause)
            else:
                self._report(request, "not run", f"the subject was given up: {cause}")
        while True:  # Whatever is submitted from here on is answered by the same words.
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                late = list(self._waiting)
                self._waiting.clear()
            for request in late:
                self._report(request, "not run", f"the subject was given up: {cause}")
            if not late:
                return

    def _report(self, request: Request, status: str, message: str) -> None:
        outcomes = {quantity: {"status": status, "message": message} for quantity in request.quantities}
        self._inbox.put(Answer(self.subject.name, request, outcomes, {}, {}))

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            _kill_group(process)


def _end(process: subprocess.Popen[bytes], patience: float) -> int:
    """The exit code of a process whose output has ended; one that lives on is killed."""
    try:
        return process.wait(patience) if patience else _killed(process)
    except subprocess.TimeoutExpired:
        return _killed(process)


def _killed(process: subprocess.Popen[bytes]) -> int:
    _kill_group(process)
    return process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and what it started (it leads a session of its own)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


def _close_quietly(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        pass  # A pipe whose other end is gone has nothing left to flush.
