"""A worker's process: whether it lives, and its end with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable


def gone(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Whether the process has ended."""
    return lambda: process.poll() is not None


def ends(process: subprocess.Popen[bytes], patience: float) -> bool:
    """Whether a process ends by itself within that many seconds."""
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and what it started (it leads a session of its own)."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
