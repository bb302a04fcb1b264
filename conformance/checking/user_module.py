"""What a user's file says of itself without being run: the names it defines, the frameworks it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from conformance.errors import SubjectError

#: A module that a file imports -> the framework that it speaks for.
_SPEAKS_FOR = {
    "torch": "torch",
    "jax": "jax",
    "optax": "jax",
    "flax": "jax",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
}


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
    found = (_SPEAKS_FOR.get(name.split(".")[0]) for name in _imported(parsed(path)))
    return list(dict.fromkeys(name for name in found if name))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
