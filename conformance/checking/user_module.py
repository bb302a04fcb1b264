"""A user's function: where it lies, what its file says without being run, and the subject that it makes."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conformance.checking.structure import refuse_misfits
from conformance.errors import SubjectError
from conformance.subjects.subject import MODES, Subject, frameworks, installed, not_installed

#: ``FILE_OR_MODULE:FUNCTION``, or a function that is defined at the top level of a file.
Function = str | Callable[..., Any]

#: A module that a file imports -> the framework that it speaks for.
_SPEAKS_FOR = {
    "torch": "torch",
    "jax": "jax",
    "optax": "jax",
    "flax": "jax",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
}


def subjects(
    function: Function, operation: str, framework: str | None, mode: str | None, returns: str | None = None
) -> tuple[Subject, Subject]:
    """The user's function and its control as subjects; SubjectError where there is no such thing."""
    where, environment = located(function)
    source, _, name = where.rpartition(":")
    if not source or not name:
        raise SubjectError(f"{where!r} names no function: write FILE_OR_MODULE:FUNCTION, as my_loss.py:loss")
    if is_file(source):
        path: Path | None = Path(source)
        where, label = f"{Path(source).resolve()}:{name}", f"{Path(source).stem}.{name}"
        if not Path(source).is_file():
            raise SubjectError(f"{source}: no such file")
    else:
        path, label = module_file(source), f"{source}.{name}"
    if path is not None:
        _require_name(path, source, name)
        refuse_misfits(parsed(path), source, name, operation, returns)
        framework = framework or _only(imported_frameworks(path), source)
    framework = framework or "torch"
    if framework not in frameworks():
        raise SubjectError(
            f"--framework {framework}: no adapter for it (there are {', '.join(frameworks())})"
        )
    if not installed(framework):
        raise SubjectError(not_installed(framework))
    if mode and framework in MODES and mode not in MODES[framework]:
        near = difflib.get_close_matches(mode, MODES[framework], n=1)
        hint = f"; did you mean --mode {near[0]}?" if near else ""
        raise SubjectError(f"--mode {mode}: {framework} has the modes {', '.join(MODES[framework])}{hint}")
    control = Subject(f"{framework}:{mode}" if mode else framework, framework, mode=mode)
    user = replace(
        control, name=label, function=where, operation=operation, returns=returns, environment=environment
    )
    return user, control


def is_file(source: str) -> bool:
    """Whether a source is a file's, as the worker has it: otherwise it is a module's name."""
    return source.endswith(".py") or os.sep in source or Path(source).is_file()


def module_file(module: str) -> Path | None:
    """The file of a module, which is not imported; None where it has no Python text.

    Raises:
        SubjectError: There is no such module here.
    """
    places: Sequence[str] | None = [os.getcwd(), *sys.path]
    names = module.split(".")
    spec = None
    for depth, name in enumerate(names, 1):
        spec = PathFinder.find_spec(name, places)
        if spec is None and depth == 1:
            spec = find_spec(name)  # by finders of others, as of editable installations
        if spec is None:
            whose = (
                f"{'.'.join(names[: depth - 1])} has no module {name}" if depth > 1 else f"no module {name}"
            )
            remedy = "write FILE_OR_MODULE:FUNCTION, and run it where the module can be imported"
            raise SubjectError(f"{module}: {whose} here: {remedy}")
        if spec.submodule_search_locations is None and depth < len(names):
            return None
        places = list(spec.submodule_search_locations or ())
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _require_name(path: Path, source: str, name: str) -> None:
    """SubjectError where a file's top level does not define the name, with the one that was meant."""
    names, first = defines(path), name.split(".")[0]
    if not names or first in names:
        return
    near = difflib.get_close_matches(first, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(names)[:12])}"
    raise SubjectError(f"{source} defines no {name}{hint}")


def located(function: Function) -> tuple[str, dict[str, str]]:
    """FILE_OR_MODULE:FUNCTION of a function, and what its worker's environment needs to import it."""
    if isinstance(function, str):
        return function, {}
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    if not name or "<" in name or file is None or not Path(file).is_file():
        raise SubjectError(
            f"{function!r} cannot be imported by another process: define it at the top level of a file"
        )
    if module and "." in module:  # of a package: its file alone would lack its relatives
        path = os.pathsep.join(entry for entry in (*sys.path, os.environ.get("PYTHONPATH", "")) if entry)
        return f"{module}:{name}", {"PYTHONPATH": path}
    return f"{file}:{name}", {}


def _only(imported: Sequence[str], source: str) -> str:
    if len(imported) > 1:
        raise SubjectError(f"{source} imports {' and '.join(imported)}: say which one with --framework")
    return imported[0] if imported else "numpy"


def parsed(path: Path) -> ast.Module:
    """The file's syntax tree; SubjectError where it is no Python."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise SubjectError(f"{path}{line}: not a Python file that can be read: {error}") from None


def defines(path: Path) -> set[str]:
    """The names of a file's top level that do not begin with an underscore; empty where it imports `*`."""
    names: set[str] = set()
    for node in parsed(path).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            if any(alias.name == "*" for alias in node.names):
                return set()
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        else:
            names.update(
                inner.id
                for inner in ast.walk(node)
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
            )
            names.update(inner.name for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef))
    return names


def imported_frameworks(path: Path) -> list[str]:
    """The frameworks that a file imports anywhere, in the order in which it does."""
    frameworks = (_SPEAKS_FOR.get(name.split(".")[0]) for name in _imported(parsed(path)))
    return list(dict.fromkeys(framework for framework in frameworks if framework))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
