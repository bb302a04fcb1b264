"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes `text` (UTF-8, newlines as they are) beside `path` and renames it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(
            0o666 & ~umask
        )  # mkstemp's 0600 would hide the file from a web server or a colleague
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
