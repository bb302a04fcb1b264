"""A worker's process and its pipes: reading and writing that end when the process is gone.

A process that a worker started, and left behind, may keep its pipes open for ever: the end of the process
counts, not the end of the pipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.execution import scheduling
from conformance.results import sanitize
from conformance.subjects.subject import Subject

#: Seconds that a reader or a writer lets small frames gather: to be woken for each of them costs more than
#: what is done with it, and the pipes hold more than is handled in that time.
_GATHER_SECONDS = 0.02
#: The same where frames are large, or where somebody waits for them.
_SHORT_GATHER_SECONDS = 0.001
#: Bytes in one read that are no small frames any more.
_LARGE_READ_BYTES = 1 << 15
#: Bytes that a pipe should hold, where the system lets itself be asked.
_PIPE_BYTES = 1 << 20
#: Seconds after which a pipe that is silent asks whether the process still lives.
_LIVENESS_SECONDS = 0.5
#: Bytes at the end of a worker's standard error in which the cause of its death is looked for.
_STDERR_TAIL_BYTES = 2000
#: Lines of that tail that are quoted.
_STDERR_TAIL_LINES = 3
#: Where something lay in memory: a run that is repeated says the same but for that.
_ADDRESS = re.compile(r"\b0x[0-9a-f]{8,16}\b")

Gone = Callable[[], bool]


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Attributes:
        seconds: Seconds that one request may take.
        start: Seconds until the worker has imported its framework and said hello.
        response: Bytes of one response.
        memory: Bytes of address space of the process; None: any number.
    """

    seconds: float = 60.0
    start: float = 180.0
    response: int = 1 << 31
    memory: int | None = None


class WorkerProcess:
    """A subject's process, leader of a session of its own, with its two pipes and its standard error.

    Args:
        subject: What is started.
        limits: Of which the memory's holds for the process, by the operating system.
        environment: The whole environment of the process.
        niceness: The process's niceness.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self, subject: Subject, limits: Limits, environment: Mapping[str, str], niceness: int = 0
    ) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `reap`
        try:
            self._process = subprocess.Popen(
                _limited(subject.argv(), limits.memory),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment,
                start_new_session=True,
            )
        except OSError:
            self._stderr.close()
            raise
        scheduling.set_niceness(self._process.pid, niceness)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        _widen(self._stdin.fileno())

    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def ends_within(self, seconds: float) -> bool:
        """Whether the process ends by itself within that many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kills the process and what it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()

    def write(self, data: bytes) -> None:
        """Writes all of `data` to the standard input; BrokenPipeError once the process is gone."""
        write(self._stdin.fileno(), data, self.gone)

    def close_input(self) -> None:
        """Ends the standard input: no request will come."""
        self._stdin.close()

    def output(self, more: Callable[[], bool]) -> io.BufferedReader:
        """The standard output; `more` tells whether frames enough are on their way to let some gather."""
        return io.BufferedReader(PipeReader(self._stdout.fileno(), self.gone, more), 1 << 16)

    def reap(self) -> tuple[int, str]:
        """Waits for the process that was killed and closes its output: its exit code, its last words."""
        code = self._process.wait()
        self._stdin.close()
        self._stdout.close()
        with self._stderr as stderr:
            stderr.seek(0, os.SEEK_END)
            stderr.seek(max(0, stderr.tell() - _STDERR_TAIL_BYTES))
            return code, stderr.read().decode("utf-8", "replace")


def _limited(argv: list[str], memory: int | None) -> list[str]:
    """The command under the operating system's memory limit, where one is set."""
    if memory is None:
        return argv
    return ["sh", "-c", f'ulimit -v {memory // 1024} && exec "$@"', "sh", *argv]


def cause_of_death(code: int, fault: str, stderr: str) -> str:
    """One line on why a process is gone.

    Args:
        code: Its exit code; negative: the signal's number.
        fault: What was wrong with what it wrote; empty: nothing.
        stderr: The end of its standard error.
    """
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    details = lines[-_STDERR_TAIL_LINES:]
    # What follows an error's line are its details.
    error = [line for line in lines[:-_STDERR_TAIL_LINES] if "error" in line.lower()][-1:]
    words = " | ".join([fault or how, *error, *details])
    return sanitize.text(_ADDRESS.sub("0x\N{HORIZONTAL ELLIPSIS}", words))


class PipeReader(io.RawIOBase):
    """The reading end of a pipe; at its end once the process is gone and nothing is left in it.

    Args:
        descriptor: The pipe's file descriptor.
        gone: Whether the process that writes has ended.
        more: Whether frames enough are on their way to let some of them gather.
    """

    def __init__(self, descriptor: int, gone: Gone, more: Callable[[], bool]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._more = more
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._flows = False
        _widen(descriptor)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._poll.poll(0):
            gone = self._gone()  # Asked first: what it wrote before it went is in the pipe by now.
            if not self._poll.poll(0 if gone else _LIVENESS_SECONDS * 1000) and gone:
                return 0
        if not self._flows:
            time.sleep(_GATHER_SECONDS if self._more() else _SHORT_GATHER_SECONDS)
        count = os.readv(self._descriptor, [buffer])
        self._flows = count >= _LARGE_READ_BYTES
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
            if poll.poll(_LIVENESS_SECONDS * 1000):
                time.sleep(_GATHER_SECONDS if len(view) < _PIPE_BYTES // 2 else _SHORT_GATHER_SECONDS)
            elif gone():
                raise BrokenPipeError from None


def _widen(descriptor: int) -> None:
    """Lets a pipe hold more, so that neither side waits for the other at each frame."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # a system that allows no more
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
