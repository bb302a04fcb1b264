"""The command line in processes of their own that start warm: forked from one that has imported everything.

A real process each, with its own signals, limits, streams and exit code, for the price of the call alone.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["execution.warm"])
_HERE = Path(__file__).resolve().parents


def _server() -> None:
    """Starts the process that calls are forked from, once; it finds modules by its environment alone."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_HERE[2]), str(_HERE[1])])
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@dataclass(frozen=True)
class Done:
    """How a call ended: exit code, and what it wrote to either stream."""

    code: int
    said: str
    complained: str


class Call:
    """One call of `conformance WORDS` that goes on beside the test."""

    def __init__(
        self,
        words: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        file_size: int | None = None,
    ) -> None:
        self.streams = [folder / f"std{name}" for name in ("out", "err")]
        arguments = ([str(word) for word in words], folder, self.streams, dict(environment or {}), file_size)
        self.process: BaseProcess = _CONTEXT.Process(target=_call, args=arguments)
        _server()
        self.process.start()

    def done(self, patience: float = 120.0) -> Done:
        """Waits for its end; an assertion fails where it does not come."""
        self.process.join(patience)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(
                f"no end after {patience:g} s: {[path.read_text() for path in self.streams]}"
            )
        said, complained = (path.read_text("utf-8", "replace") for path in self.streams)
        return Done(self.process.exitcode, said, complained)


def conformance(*words: str | Path, folder: Path, patience: float = 120.0) -> Done:
    """Runs `conformance WORDS` in `folder` to its end."""
    return Call(words, folder).done(patience)


def _call(
    words: list[str], folder: Path, streams: list[Path], environment: dict[str, str], file_size: int | None
) -> None:
    from conformance.cli import main

    os.chdir(folder)
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (1, 2))
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    sys.argv = ["conformance", *words]
    main()
