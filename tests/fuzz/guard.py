"""Watches one process for what reading a case file must never do: touch files elsewhere, run things, hang."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Audit events by which a process reaches beyond itself, whatever their arguments.
FORBIDDEN = (
    "os.", "shutil.", "subprocess.", "socket.", "ctypes.", "tempfile.", "urllib.", "http.", "webbrowser.",
    "marshal.", "pickle.", "exec", "fcntl.", "glob.", "pty.", "sqlite3.", "syslog.", "winreg.", "mmap.",
)  # fmt: skip
#: Among them what a reader needs: mapping an `.npy` file that `open` was allowed to open.
ALLOWED = ("mmap.__new__",)
#: Events that look into a folder: the case files' own (for known.yaml and its like), and the interpreter's
#: (ruamel.yaml seeks its plug-ins).
LOOKS = ("glob.glob", "glob.glob/2", "os.listdir", "os.scandir")
#: Events by which the suite keeps what it has read, in its cache alone.
KEEPS = ("os.mkdir", "os.rename")


class TouchedError(AssertionError):
    """Something was touched that lies outside the case file's folder."""


class Guard:
    """While `watching`, raises TouchedError for what leaves `folder`; keeps the slowest call's time.

    The suite's `cache` may be read and written; of the folder the reading alone is allowed.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = str(folder.resolve()), str(cache.resolve()) + os.sep
        code = (sys.prefix, sys.base_prefix, Path(__file__).resolve().parents[2] / "conformance")
        self.libraries = tuple(str(Path(one).resolve()) + os.sep for one in code)
        self.looked_into = (self.folder + os.sep, *self.libraries)
        sys.dont_write_bytecode = True
        self.watching = False
        self.touched: list[str] = []
        self.slowest = 0.0
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            readable = () if writes else (self.folder + os.sep, *self.libraries)
            if not _real(path).startswith((self.cache, *readable)):
                self._refuse(f"open {path!r} {mode!r}")
        elif (event in LOOKS and (_real(arguments[0]) + os.sep).startswith(self.looked_into)) or (
            event in KEEPS and self._in_cache(arguments)
        ):
            return
        elif event.startswith(FORBIDDEN) and event not in ALLOWED:
            self._refuse(f"{event} {arguments!r}"[:300])

    def _in_cache(self, arguments: tuple[Any, ...]) -> bool:
        paths = [one for one in arguments if isinstance(one, (str, bytes, os.PathLike))]
        return all(_real(path).startswith(self.cache) for path in paths)

    def _refuse(self, what: str) -> None:
        self.touched.append(what)  # Kept: an `except Exception` on the way may swallow what is raised.
        raise TouchedError(what)

    def call(self, target: Callable[[], object]) -> None:
        """Runs `target` watched; raises TouchedError, or what it raises."""
        start = time.process_time()
        self.watching = True
        try:
            target()
        finally:
            self.watching = False
            self.slowest = max(self.slowest, time.process_time() - start)
        if self.touched:
            raise TouchedError(self.touched[0])


def _real(path: Any) -> str:
    return os.path.realpath(os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path))
