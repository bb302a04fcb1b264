"""Kept answers of a framework's own function: what it need not compute again while nothing has changed.

They are the frames of a worker, found again under a digest of all that they depend on beside the request:
the files of the framework and of its adapter, the interpreter, the processor, the environment.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import adapters
from conformance.adapters import protocol
from conformance.adapters.hardware import processor
from conformance.adapters.registry import FRAMEWORKS, description
from conformance.caches import cache_directory, keep
from conformance.plan.events import Answer, Hello
from conformance.results import sanitize
from conformance.results.journal import frame_of, replay
from conformance.subjects.subject import Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request

#: Outcomes that the same request has again; what crashed or was not run is asked again.
LASTING = frozenset(("returned", "raised", "unsupported"))
#: Files that are kept of one subject and operation: for so many environments at a time.
MAX_FILES = 4
#: Folders of a package that hold no code of its calls, and the ends of such files' names.
_WITHOUT_CODE = frozenset(("__pycache__", "include", "share", "tests"))
_HEADERS = (".pyi", ".h", ".hpp", ".cuh")
#: Variables that say where a command was typed, and nothing of what it computes.
_VOLATILE = frozenset(
    ("PWD", "OLDPWD", "SHLVL", "_", "TERM", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST", "CONFORMANCE_CACHE")
)


class KeptAnswers:
    """The answers of one subject to one operation's requests, as an earlier run had them.

    Args:
        subject: The subject.
        operation: The operation, a part of the file's name.

    Attributes:
        hello: The header of the subject's first message; empty: nothing is kept.
    """

    def __init__(self, subject: Subject, operation: str) -> None:
        self.hello: dict[str, Any] = {}
        self._frames: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        name = f"{subject.name.replace(':', '-').replace('/', '-')}.{operation}"
        self._path = cache_directory() / "control" / f"{name}.{_digest(subject)}.bin"
        self._prefix = f"{name}."
        self._read()

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request; None where there is none."""
        frame = self._frames.get(request.key)
        return None if frame is None else replay(frame, request)

    def add(self, hello: Hello, answers: Iterable[Answer]) -> None:
        """Keeps answers beside those that are there, but for what may be otherwise the next time."""
        version = str(hello.header.get("version", ""))
        frames = [protocol.encode({"kind": "hello", "header": hello.header})]
        frames += [
            protocol.pack(header, protocol.body_of(arrays.values()))
            for header, arrays in self._frames.values()
        ]
        frames += [
            frame_of(each, version)
            for each in answers
            if each.request.key not in self._frames
            and {outcome["status"] for outcome in each.outcomes.values()} <= LASTING
        ]
        keep(self._path, b"".join(frames))
        files = sorted(self._path.parent.glob(f"{self._prefix}*.bin"), key=_age)
        for old in files[MAX_FILES:]:
            with suppress(OSError):
                old.unlink()

    def _read(self) -> None:
        try:
            frames = list(_frames(self._path.read_bytes()))
            hello = sanitize.hello(frames[0][0]["header"])
            self._frames = {str(frame[0]["key"]): frame for frame in frames[1:]}
            self.hello = hello
        except (OSError, LookupError, TypeError, ValueError, protocol.ProtocolError):
            self._frames = {}  # not kept yet, or damaged


def _frames(data: bytes) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    stream = io.BytesIO(data)
    while (frame := protocol.read_frame(stream)) is not None:
        yield frame


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:  # another run has removed it
        return 0.0


def can_be_kept(subject: Subject) -> bool:
    """Whether all that a subject's answers depend on is known: a framework of ours in this interpreter."""
    here = subject.python == sys.executable and not (subject.pins or subject.remote or subject.function)
    return here and subject.framework in FRAMEWORKS


def _digest(subject: Subject) -> str:
    """A digest of what a subject's answers depend on, beside the request."""
    folders = [Path(adapters.__file__).parent]
    for package in (subject.framework, description(subject.framework).compiled_distribution, "numpy"):
        spec = importlib.util.find_spec(package) if package else None  # at the top: nothing is imported
        folders += map(Path, (spec.submodule_search_locations or ()) if spec else ())
    variables = {**os.environ, **subject.environment}
    about = {
        "subject": [subject.name, subject.framework, subject.mode, subject.variant, subject.device],
        "command": list(subject.command),
        "python": [sys.executable, sys.version],
        "processor": processor(),
        "environment": sorted(item for item in variables.items() if item[0] not in _VOLATILE),
        "files": [file for folder in dict.fromkeys(folders) for file in _files(str(folder))],
        "installed": [
            item for folder in sorted({each.parent for each in folders}) for item in _dated(folder)
        ],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """The files of a folder that hold code, each with its size and the time of its last change."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _WITHOUT_CODE:
                yield from _files(entry.path)
        elif not entry.name.endswith(_HEADERS):
            state = entry.stat()
            yield entry.path, state.st_size, state.st_mtime_ns


def _dated(folder: Path) -> Iterator[tuple[str, int]]:
    """The distributions of a folder, each with the time of its installation."""
    for path in sorted(folder.glob("*.dist-info")):
        yield path.name, path.stat().st_mtime_ns
