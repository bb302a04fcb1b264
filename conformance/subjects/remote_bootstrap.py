"""Hands the adapters to an interpreter that has nothing of ours: another machine, a container.

A command such as ``ssh host python3`` or ``docker run -i image python`` gets ``-c BOOTSTRAP`` behind it. The
bootstrap reads the adapters from its standard input; frames follow, as with any worker.
"""

from __future__ import annotations

import io
import shlex
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

ADAPTERS = Path(__file__).parents[1] / "adapters"
#: Reads exactly what is its own: the frames that follow belong to the worker.
BOOTSTRAP = """
import os, sys
def read(count):
    parts = []
    while count:
        part = os.read(0, count)
        if not part:
            sys.exit("conformance: the adapters did not arrive whole")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
names = {"__name__": "conformance_handed_over"}
exec(compile(read(int(read(8), 16)), "<handed over>/zip_entry.py", "exec"), names)
sys.exit(names["main"](read))
"""
#: Commands whose words a shell at the other end reads again.
_SHELLS = frozenset({"ssh", "autossh", "mosh", "gcloud"})


def argv(command: Sequence[str], options: Sequence[str]) -> list[str]:
    """The command that starts a worker through `command`, which must end in an interpreter."""
    words = ["-u", "-c", BOOTSTRAP.strip(), *options]
    if Path(command[0]).name in _SHELLS:
        words = [shlex.quote(word) for word in words]
    return [*command, *words]


@lru_cache(maxsize=1)
def payload() -> bytes:
    """What the bootstrap reads: the loader's text and a zip of the adapters, each behind its length."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(ADAPTERS.rglob("*.py")):
            opened.writestr(path.relative_to(ADAPTERS).as_posix(), path.read_bytes())
    return b"".join(b"%08x" % len(part) + part for part in (_loader(), archive.getvalue()))


def _loader() -> bytes:
    return (ADAPTERS / "zip_entry.py").read_bytes()
