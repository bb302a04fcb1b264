"""JAX's compiled programs: the formulations of an operation in one, kept on disk ready to run.

Tracing and lowering take 40 ms a program, also with JAX's own compilation cache, whose key is the lowered
program. The key here is all that a program is made from (formulations, static parameters, shapes, dtypes,
the files of JAX itself), so that a known one is loaded in a few ms.

Formulations that are compiled together lie behind a barrier each, so that XLA treats every one as if it were
alone: tests/adapters/test_compilations.py compares them bit by bit with `jax.jit` of each.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Set, Tuple

import jax
import jaxlib

from .base import Call
from .hardware import processor

#: Programs that stay in memory, at about 1 MB each.
HELD = 128
#: Inputs of more elements than this do not pay for formulations that nobody asked for.
TOGETHER = 1 << 14

Arguments = Tuple[Dict[str, Any], Dict[str, Any], Any]  # tensors, traced scalars, upstream
Program = Callable[..., Dict[str, Any]]
Key = Tuple[Any, ...]


class Programs:
    """Programs by what they compute: from memory, from the disk, or compiled.

    `evaluate` (a call, then the arguments) gives the tree of arrays that is compiled; `cache` is the suite's
    cache directory, None for none; `about` says what else a program on disk depends on.
    """

    def __init__(self, evaluate: Callable[..., Any], cache: Optional[str], about: str) -> None:
        self.used: Set[Key] = set()
        self._evaluate = evaluate
        self._held: "OrderedDict[Key, Program]" = OrderedDict()
        found = installation(about) if cache else None
        self._folder = None if found is None else Path(str(cache)) / "jax-programs" / found

    def run(self, asked: str, calls: Mapping[str, Call], static: Any, arguments: Arguments) -> Any:
        """The result of the call named `asked`, compiled together with the others where that pays.

        The names are unique over all operations: they stand for the functions in the key on disk. An empty
        name keeps a program off the disk. What tracing raises for the call that was asked for is raised.
        """
        if len(calls) > 1 and sum(tensor.size for tensor in arguments[0].values()) <= TOGETHER:
            found = self._program(calls, static, arguments)(*arguments)
            if asked in found:
                return found[asked]
        return self._program({asked: calls[asked]}, static, arguments)(*arguments)[asked]

    def _program(self, calls: Mapping[str, Call], static: Any, arguments: Arguments) -> Program:
        leaves, tree = jax.tree_util.tree_flatten(arguments)
        shapes = tuple(
            (leaf.shape, str(leaf.dtype)) if hasattr(leaf, "shape") else type(leaf).__name__
            for leaf in leaves
        )
        key = (tuple(calls.items()), static, shapes, tree)
        self.used.add(key)
        program = self._held.pop(key, None)
        if program is None:
            named = [(name, call.inputs, call.scalars, call.dtype) for name, call in calls.items()]
            text = repr((named, static, shapes, str(tree)))
            program = self._made(text if all(calls) else "", calls, static, arguments)
        self._held[key] = program
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        return program

    def _made(self, text: str, calls: Mapping[str, Call], static: Any, arguments: Arguments) -> Program:
        path = None
        if text and self._folder is not None:
            path = self._folder / hashlib.sha256(text.encode()).hexdigest()
            found = load(path)
            if found is not None:
                return found
        compiled = jax.jit(together(self._evaluate, calls, static)).lower(*arguments).compile()
        if path is not None:
            store(path, compiled)
        return compiled  # type: ignore[no-any-return]


def together(evaluate: Callable[..., Any], calls: Mapping[str, Call], static: Any) -> Program:
    """The function of tensors, traced scalars and upstream that gives each call's result by name.

    Of several calls, one that raises while it is traced is left out.
    """

    def program(tensors: Dict[str, Any], traced: Dict[str, Any], upstream: Any) -> Dict[str, Any]:
        if len(calls) == 1:
            return {name: evaluate(call, static, tensors, traced, upstream) for name, call in calls.items()}
        results = {}
        for name, call in calls.items():
            # Not the scalars: behind a barrier their weak types would be gone.
            own, flow = jax.lax.optimization_barrier((tensors, upstream))
            try:
                results[name] = evaluate(call, static, own, traced, flow)
            except Exception:
                continue
        return results

    return program


def load(path: Path) -> Optional[Program]:
    """The program in the file; None where there is none that runs here."""
    try:
        from jax.experimental.serialize_executable import deserialize_and_load

        program: Program = deserialize_and_load(*pickle.loads(path.read_bytes()))
    except Exception:  # whatever is wrong with it, it is compiled again
        return None
    return program


def store(path: Path, compiled: Any) -> None:
    """Write the program into the file, whole or not at all; a cache that cannot be used is done without."""
    beside = path.with_name("{}.{}".format(path.name, os.getpid()))
    try:
        from jax.experimental.serialize_executable import serialize

        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(pickle.dumps(serialize(compiled)))
        beside.replace(path)
    except Exception:
        return


def installation(about: str) -> Optional[str]:
    """A digest of what every program depends on: JAX's files and settings, the processor, our own text.

    None where our own text is no file: nothing would tell that it has changed.
    """
    own = sorted(Path(__file__).parent.glob("*.py"))
    if not own:
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
    for path in own:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
