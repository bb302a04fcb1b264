"""Files of JAX's compiled programs, ready to run.

Tracing and lowering take 40 ms a program, also with JAX's own compilation cache, whose key is the lowered
program. The key here is all that a program is made from, so that a known one is loaded in a few ms. JAX's own
cache must be off: a program that it loaded is written without its code, and fails when it runs.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple

import jax
import jaxlib

try:
    from jax.experimental.serialize_executable import deserialize_and_load, serialize
except ImportError:  # an old JAX
    serialize = None

from ..hardware import processor


def can_keep() -> bool:
    """Whether this JAX can write a compiled program."""
    return serialize is not None


class ProgramFiles:
    """The programs in the suite's `cache` (None: none are kept); `about` says what else they depend on."""

    def __init__(self, cache: Optional[str], about: str) -> None:
        digest = installation(about) if cache and can_keep() else None
        self._folder = None if digest is None else Path(str(cache)) / "jax-programs" / digest

    def load(self, text: str, arguments: Any) -> Optional[Tuple[str, Callable[..., Any]]]:
        """What `text` describes and its name, tried on the arguments; None where there is none that runs."""
        if self._folder is None:
            return None
        try:
            name, written = pickle.loads(self._path(text).read_bytes())
            program: Callable[..., Any] = deserialize_and_load(*written)
            jax.block_until_ready(program(*arguments))
        except Exception:  # whatever is wrong with it, it is compiled again
            return None
        return name, program

    def store(self, text: str, name: str, compiled: Any) -> None:
        """Write the program, whole or not at all; a cache that cannot be used is done without."""
        if self._folder is None:
            return
        path = self._path(text)
        partial = path.with_name("{}.{}".format(path.name, os.getpid()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(pickle.dumps((name, serialize(compiled))))
            partial.replace(path)
        except Exception:
            return

    def _path(self, text: str) -> Path:
        return Path(str(self._folder)) / hashlib.sha256(text.encode()).hexdigest()


def installation(about: str) -> Optional[str]:
    """A digest of what every program depends on: JAX's files and settings, the processor, our own text.

    None where our own text is no file: nothing would tell that it has changed.
    """
    sources = own_sources(Path(__file__).parent)
    if not sources:
        return None
    digest = hashlib.sha256("{} {} {}".format(about, processor(), jax.__version__).encode())
    for name in sorted(os.environ):
        if name.startswith(("JAX_", "XLA_")):
            digest.update("{}={};".format(name, os.environ[name]).encode())
    for package in (jax, jaxlib):
        for folder, _, files in sorted(os.walk(os.path.dirname(str(package.__file__)))):
            for name in sorted(files):
                if name.endswith((".py", ".so")):
                    status = os.stat(os.path.join(folder, name))
                    digest.update("{} {} {};".format(name, status.st_size, status.st_mtime_ns).encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def own_sources(folder: Path) -> List[Path]:
    """The files of the adapter in `folder`, and those that all adapters share: not the other frameworks'."""
    return sorted([*folder.rglob("*.py"), *folder.parent.glob("*.py")])
