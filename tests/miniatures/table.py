"""The table of miniatures: small implementations of the operations, most of them deliberately wrong.

A wrong one is wrong in one thing, which its docstring names; `cause` holds the words of which the check that
catches it should say one. A right one is right in another way than the frameworks. Each is a function with
its operation's canonical signature, in its framework's arrays, and may leave parameters out.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Function = Callable[..., Any]
HERE = Path(__file__).resolve().parent
KINDS = ("numerics", "semantics", "gradients", "error handling")
MODULES = (
    "binary",
    "binary_logits",
    "by_formula.attention",
    "by_formula.capped_losses",
    "by_formula.divergences",
    "by_formula.entropies",
    "by_formula.focal_losses",
    "by_formula.linear_losses",
    "by_formula.mixtures",
    "by_formula.token_scores",
    "cross_entropy_errors",
    "cross_entropy_gradients",
    "cross_entropy_numerics",
    "cross_entropy_semantics",
    "fused",
    "held_out",
    "in_jax",
    "in_numpy",
    "in_tensorflow",
    "labels",
    "log_likelihood",
    "one_number",
    "paths.calls",
    "paths.declared",
    "paths.derivatives",
    "paths.dtypes",
    "paths.inputs",
    "paths.layouts",
    "paths.right",
    "paths.shapes",
    "paths.shiftless",
    "paths.tracking",
    "paths.upstreams",
    "right.by_hand",
    "right.elsewhere",
    "right.in_torch",
    "scores",
)


@dataclass(frozen=True)
class Miniature:
    """One implementation: `kind` and `cause` are empty for a right one.

    `awaits` names the axis of the corpus that will catch it, where no case has that axis yet. An `unsteady`
    one answers otherwise from call to call: what fails is asked again.
    """

    name: str
    operation: str
    framework: str
    kind: str
    cause: tuple[str, ...]
    file: str
    function: Function
    awaits: str = ""
    unsteady: bool = False

    @property
    def is_right(self) -> bool:
        """Whether no check may fail it."""
        return not self.kind

    @property
    def about(self) -> str:
        """What is wrong with it, or how it differs, in words."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    @property
    def where(self) -> str:
        """FILE:FUNCTION, as `conformance check` takes it."""
        return f"{HERE / self.file}:{self.name}"


MINIATURES: list[Miniature] = []


def wrong(
    operation: str,
    kind: str,
    *cause: str,
    framework: str = "torch",
    awaits: str = "",
    integers: bool = False,
    unsteady: bool = False,
) -> Callable[[Function], Function]:
    """Registers a wrong implementation: its kind of failure, and the words that name the cause.

    It refuses scores that are no floating numbers, unless `integers` says that they are what it is wrong in.
    `awaits` is the axis that the corpus lacks to catch it: once it is caught, that has to go. `unsteady`:
    its answers differ from call to call.
    """
    if kind not in KINDS or not cause:
        raise ValueError(f"a wrong miniature needs a kind of {KINDS} and the cause in words")
    return _register(operation, framework, kind, cause, awaits, integers, unsteady)


def right(operation: str, *, framework: str = "torch") -> Callable[[Function], Function]:
    """Registers a right implementation."""
    return _register(operation, framework, "", ())


def _register(
    operation: str,
    framework: str,
    kind: str,
    cause: tuple[str, ...],
    awaits: str = "",
    integers: bool = False,
    unsteady: bool = False,
) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        file = Path(function.__code__.co_filename).resolve().relative_to(HERE).as_posix()
        whole = function if integers or operation == "one_hot" else of_floating_scores(function)
        name = function.__name__
        MINIATURES.append(Miniature(name, operation, framework, kind, cause, file, whole, awaits, unsteady))
        return whole

    return register


def of_floating_scores(function: Function) -> Function:
    """The function, which refuses scores that are integers or booleans: it would return their dtype."""

    @functools.wraps(function)
    def refusing(*arguments: Any, **options: Any) -> Any:
        if "float" not in str(getattr(arguments[0], "dtype", "float")):
            raise NotImplementedError("floating scores only")
        return function(*arguments, **options)

    return refusing


def modules_of(framework: str) -> tuple[str, ...]:
    """The files with miniatures of a framework: those of others import what may not be there."""
    others = {"jax": ("in_jax",), "tensorflow": ("in_tensorflow",), "numpy": ("in_numpy",)}
    if framework in others:
        return (*others[framework], "right.elsewhere")
    return tuple(name for name in MODULES if not name.startswith("in_") and name != "right.elsewhere")


def load_all(modules: tuple[str, ...] = MODULES) -> list[Miniature]:
    """Every miniature, in the order of the files."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    for name in modules:
        importlib.import_module(name)
    return MINIATURES
