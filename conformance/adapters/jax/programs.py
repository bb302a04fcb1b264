"""JAX's compiled programs: the formulations of an operation in one, kept on disk ready to run.

What JAX lowers to the same text, as softmax over axis 2 of three and over axis -1, is compiled once.

Formulations that are compiled together lie behind a barrier each, so that XLA treats every one as if it were
alone: tests/adapters/test_compilations.py compares them bit by bit with `jax.jit` of each. Nearly so: two of
19,000 results of cross-entropy moved by an ulp when fewer were compiled together.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, Callable, Dict, Mapping, Optional, Set, Tuple

import jax

from ..base import Call
from .program_files import ProgramFiles

#: Programs that stay in memory, at about half a MB each: to let one go takes 2 ms.
MAX_PROGRAMS = 1024
#: Inputs of more elements than this do not pay for formulations that nobody asked for.
MAX_JOINED_ELEMENTS = 1 << 14
#: Old JAX has no barrier: there each formulation is a program of its own.
HAS_BARRIER = hasattr(jax.lax, "optimization_barrier")

Arguments = Tuple[Dict[str, Any], Dict[str, Any], Any]  # tensors, traced scalars, upstream
Program = Callable[..., Dict[str, Any]]
Key = Tuple[Any, ...]


class Programs:
    """Programs by what they compute: from memory, from the disk, or compiled.

    `evaluate` (a call, then the arguments) gives the tree of arrays that is compiled; `cache` is the suite's
    cache directory, None for none; `about` says what else a program on disk depends on.
    """

    def __init__(self, evaluate: Callable[..., Any], cache: Optional[str], about: str) -> None:
        self.used: Set[str] = set()
        self._evaluate = evaluate
        self._names: Dict[Key, str] = {}
        self._programs: "OrderedDict[str, Program]" = OrderedDict()
        self._files = ProgramFiles(cache, about)

    def run(self, asked: str, calls: Mapping[str, Call], static: Any, arguments: Arguments) -> Any:
        """The result of the call named `asked`, compiled together with the others where that pays.

        The names are unique over all operations: they stand for the functions in the key on disk. An empty
        name keeps a program off the disk. What tracing raises for the call that was asked for is raised.
        """
        small = sum(tensor.size for tensor in arguments[0].values()) <= MAX_JOINED_ELEMENTS
        if HAS_BARRIER and len(calls) > 1 and small:
            try:
                results = self._program(calls, static, arguments)(*arguments)
            except Exception:  # one that is not to be lowered takes the others with it
                results = {}
            if asked in results:
                return results[asked]
        return self._program({asked: calls[asked]}, static, arguments)(*arguments)[asked]

    def _program(self, calls: Mapping[str, Call], static: Any, arguments: Arguments) -> Program:
        leaves, tree = jax.tree_util.tree_flatten(arguments)
        shapes = tuple(
            (leaf.shape, str(leaf.dtype)) if hasattr(leaf, "shape") else type(leaf).__name__
            for leaf in leaves
        )
        key = (tuple(calls.items()), static, shapes, tree)
        name = self._names.get(key, "")
        program = self._programs.pop(name, None)
        if program is None:
            named = [(name, call.inputs, call.scalars, call.dtype) for name, call in calls.items()]
            text = repr((named, static, shapes, str(tree))) if all(calls) else ""
            name, program = self._compiled(text, calls, static, arguments)
            self._names[key] = name
            self.used.add(name)
        self._programs[name] = program
        if len(self._programs) > MAX_PROGRAMS:
            self._programs.popitem(last=False)
        return program

    def _compiled(
        self, text: str, calls: Mapping[str, Call], static: Any, arguments: Arguments
    ) -> Tuple[str, Program]:
        """What JAX lowers the program to, as a digest, and the program."""
        loaded = self._files.load(text, arguments) if text else None
        if loaded is not None:
            return loaded
        lowered = jax.jit(joined(self._evaluate, calls, static)).lower(*arguments)
        lowered_text = repr((lowered.as_text(), static, lowered.in_avals, str(lowered.out_tree)))
        name = hashlib.sha256(lowered_text.encode()).hexdigest()
        program = self._programs.pop(name, None) or lowered.compile()
        if text:
            self._files.store(text, name, program)
        return name, program


def joined(evaluate: Callable[..., Any], calls: Mapping[str, Call], static: Any) -> Program:
    """The function of tensors, traced scalars and upstream that gives each call's result by name.

    Of several calls, one that raises while it is traced is left out.
    """

    def program(tensors: Dict[str, Any], traced: Dict[str, Any], upstream: Any) -> Dict[str, Any]:
        if len(calls) == 1:
            return {name: evaluate(call, static, tensors, traced, upstream) for name, call in calls.items()}
        results = {}
        for name, call in calls.items():
            # Not the scalars: behind a barrier their weak types would be gone.
            inputs, flow = jax.lax.optimization_barrier((tensors, upstream))
            try:
                results[name] = evaluate(call, static, inputs, traced, flow)
            except Exception:
                continue
        return results

    return program
