"""Pythons of this machine: on PATH, uv's own, pyenv's. None is ever downloaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from conformance.errors import SubjectError

#: The Pythons that a worker runs on, oldest and newest.
OLDEST, NEWEST = (3, 8), (3, 14)
_QUERY = (
    "import json, platform, sys, sysconfig; print(json.dumps(["
    "platform.python_implementation(), list(sys.version_info[:3]), getattr(sys, '_base_executable', '') or"
    " sys.executable, bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)


@dataclass(frozen=True)
class Python:
    """An interpreter on this machine.

    Attributes:
        path: Where it lies.
        version: Its version, as (3, 11, 7).
    """

    path: str
    version: tuple[int, int, int]

    @property
    def minor(self) -> tuple[int, int]:
        """The version as wheels name it: (3, 9)."""
        return self.version[:2]

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def found() -> list[Python]:
    """One Python a minor version that a worker runs on: this process's own first, then newest to oldest."""
    best: dict[tuple[int, int], Python] = {}
    for python in _everywhere():
        before = best.get(python.minor)
        if OLDEST <= python.minor <= NEWEST and (before is None or python.version > before.version):
            best[python.minor] = python
    this_process = (sys.version_info.major, sys.version_info.minor)
    return sorted(
        best.values(), key=lambda python: (python.minor == this_process, python.version), reverse=True
    )


def at(path: str) -> Python:
    """The Python at `path`; SubjectError when there is none that a worker runs on."""
    python = _query(path)
    if python is None:
        raise SubjectError(f"--python {path}: no CPython answers there")
    if not OLDEST <= python.minor <= NEWEST:
        raise SubjectError(
            f"--python {path}: Python {python.text}; a worker runs on {show(OLDEST)} to {show(NEWEST)}"
        )
    return Python(path, python.version)


def show(minor: tuple[int, int]) -> str:
    """(3, 9) as 3.9."""
    return f"{minor[0]}.{minor[1]}"


@lru_cache(maxsize=1)
def _everywhere() -> tuple[Python, ...]:
    paths = list(dict.fromkeys(os.path.realpath(path) for path in _candidates()))
    with ThreadPoolExecutor(8) as pool:
        return tuple(python for python in pool.map(_query, paths) if python is not None)


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        yield from _executables(Path(folder))
    for root in (_uv_folder(), Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"):
        if root is not None and root.is_dir():
            for version in sorted(root.iterdir()):
                yield from _executables(version / "bin")


def _executables(folder: Path) -> Iterable[Path]:
    # pyenv's shims are scripts that fail for every version but the chosen ones: its folder is read instead.
    if folder.name == "shims":
        return []
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))]
    return [path for path in (folder / name for name in names) if os.access(path, os.X_OK) and path.is_file()]


def uv_binary() -> str:
    """The path of uv, installed beside this package or on PATH; SubjectError without one."""
    try:
        import uv  # optional: a distribution may bring it on PATH alone

        return os.fsdecode(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    path = shutil.which("uv")
    if path is None:
        raise SubjectError(
            "uv is missing, which builds environments for pins; install it: python -m pip install uv"
        )
    return path


def _uv_folder() -> Path | None:
    try:
        done = subprocess.run(
            [uv_binary(), "python", "dir"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired, SubjectError):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def _query(path: str) -> Python | None:
    try:
        done = subprocess.run(
            [path, "-E", "-s", "-c", _QUERY], capture_output=True, text=True, timeout=30, check=False, cwd="/"
        )
        implementation, version, base, free_threaded = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if implementation != "CPython" or free_threaded:
        return None
    return Python(base, (version[0], version[1], version[2]))
