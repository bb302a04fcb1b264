"""Journal: a run's directory while it is written, its lock, and the log of every answer as it came.

The journal holds the answers themselves, as frames of the wire format, so that a run that was killed goes
on where it stood: what is judged from it again is what an undisturbed run would have judged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from conformance.adapters import protocol
from conformance.errors import RunError, SubjectError
from conformance.plan.events import Answer, Hello
from conformance.results import sanitize

if TYPE_CHECKING:
    from conformance.plan.requests import Request

NAME = "journal.bin"
#: Where the files of a run are written before they take their place.
STAGE = ".writing"
#: A journal's answers: frames by (subject, request's key).
Recorded = dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]
#: The journal of a finished run: every observation, for comparisons bit by bit.
OBSERVATIONS = "observations.bin"


class RunDirectory:
    """The directory that a run writes into; use as a context manager.

    Raises RunError when another run holds it, or when it cannot be written.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        self.path = path
        self.run_id = run_id
        self._lock: BinaryIO | None = None
        self._journal: int | None = None
        self._empty = False

    def __enter__(self) -> RunDirectory:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / ".lock", "a+b")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock.truncate(0)
            self._lock.write(self.run_id.encode())
            self._lock.flush()
        except BlockingIOError:
            other = (self.path / ".lock").read_text("utf-8", "replace")
            raise RunError(
                f"{self.path}: run {other} is writing here; wait for it or name another --output"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
            if kind is not None and issubclass(kind, Exception):
                self._tidy(issubclass(kind, SubjectError))
        if self._lock is not None:
            self._lock.close()

    def _tidy(self, refused: bool) -> None:
        """A call at fault leaves nothing to resume of its own; a subject that is `refused`, no answers."""
        for name in (f"{NAME}.new", *([NAME] if self._empty or refused else [])):
            with suppress(OSError):
                (self.path / name).unlink(missing_ok=True)

    def recorded(self) -> tuple[dict[str, Any] | None, list[Hello], Recorded]:
        """What an earlier run left: its header, its subjects' hellos, and its answers.

        A last frame that was cut short when the run was killed is dropped, and cut off the file.
        """
        header: dict[str, Any] | None = None
        hellos: list[Hello] = []
        answers: Recorded = {}
        path = self.path / NAME
        if not path.exists():
            return None, [], {}
        with open(path, "r+b") as stream:
            whole_bytes = 0
            while True:
                try:
                    frame = protocol.read_frame(stream)
                except protocol.ProtocolError:
                    break
                if frame is None:
                    break
                whole_bytes = stream.tell()
                if frame[0].get("kind") == "run":
                    header = frame[0]
                elif frame[0].get("kind") == "hello":
                    hellos.append(Hello(str(frame[0].get("subject")), sanitize.hello(frame[0])))
                elif frame[0].get("kind") == "answer":
                    answers[str(frame[0].get("subject")), str(frame[0].get("key"))] = frame
            stream.truncate(whole_bytes)
        return header, hellos, answers

    def begin(self, header: dict[str, Any]) -> None:
        """Starts the journal early, so that a kill at any moment can be resumed, unless one lies there.

        That of an interrupted run stays until `open_journal`: a call at fault must not cost it.
        """
        if not (self.path / NAME).exists():
            self.open_journal(header, resume=False)

    def open_journal(self, header: dict[str, Any], resume: bool) -> None:
        """Starts the journal if it has not begun, or goes on behind what it holds."""
        if self._journal is not None:
            return
        beside = self.path / f"{NAME}.new"
        try:
            if resume:
                self._journal = os.open(self.path / NAME, os.O_WRONLY | os.O_APPEND)
                return
            self._journal = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            self._write(protocol.encode({"kind": "run", "id": self.run_id, **header}))
            os.replace(beside, self.path / NAME)  # No journal is ever without its header.
            self._empty = True
        except OSError as error:
            raise self._unwritable(error) from None

    def record_hello(self, hello: Hello) -> None:
        """Appends what a subject says that it is, before its first answer."""
        about: dict[str, Any] = {"kind": "hello", "subject": hello.subject}
        noted = ("version", "hardware", "kernels")  # what known deviations may be bound to
        about |= {name: hello.header[name] for name in noted if name in hello.header}
        self._write(protocol.encode(about))

    def record(self, answers: Iterable[tuple[Answer, str]]) -> None:
        """Appends answers, each with its framework's version, in one write.

        A kill at any moment loses at most what is being written.
        """
        frames = b"".join(frame_of(answer, version) for answer, version in answers)
        if frames:
            self._empty = False
            self._write(frames)

    def append(self, frames: bytes) -> None:
        """Appends what another run's journal holds behind its header, byte for byte."""
        self._empty = self._empty and not frames
        self._write(frames)

    def _write(self, frame: bytes) -> None:
        assert self._journal is not None
        view = memoryview(frame)
        try:
            while view:
                view = view[os.write(self._journal, view) :]
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> RunError:
        why = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        return RunError(f"{self.path}: cannot be written: {why}; free space or name another --output")

    @contextmanager
    def staged(self) -> Iterator[Path]:
        """A directory to write the run's files into: once all are whole, each takes its place by a rename.

        `run.json` comes last: where it says that a run is complete, all of its tables are there. Raises
        RunError where they cannot be written; what was there before is then as it was.
        """
        beside = self.path / STAGE
        try:
            shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed just here
            beside.mkdir()
            yield beside
            for file in sorted(beside.iterdir(), key=lambda file: (file.name == "run.json", file.name)):
                os.replace(file, self.path / file.name)
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def finish(self) -> None:
        """The run is complete: its journal becomes the record of its observations."""
        os.replace(self.path / NAME, self.path / OBSERVATIONS)


def frame_of(answer: Answer, version: str) -> bytes:
    """An answer as a journal's frame, with its framework's version; `replay` reads it."""
    header = {
        "kind": "answer",
        "subject": answer.subject,
        "version": version,
        "key": answer.request.key,
        "request": answer.request.name,
        "outcomes": answer.outcomes,
        "warnings": list(answer.warnings),
        "seconds": answer.seconds,
        "arrays": [{"name": name, "dtype": answer.dtypes.get(name, "")} for name in answer.arrays],
    }
    return protocol.pack(header, answer.body)


def replay(frame: tuple[dict[str, Any], dict[str, Any]], request: Request) -> Answer:
    """The answer that a journal's frame holds, as one to this run's request."""
    header, arrays = frame
    return Answer(
        header["subject"],
        request,
        header["outcomes"],
        arrays,
        {entry["name"]: entry["dtype"] for entry in header["arrays"]},
        tuple(header["warnings"]),
        float(header["seconds"]),
        protocol.body_of(arrays.values()),
    )
