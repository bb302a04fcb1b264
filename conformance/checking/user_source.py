"""Source of a user's function in programs: the import that finds it, and how it is called."""

from __future__ import annotations

import ast
from pathlib import Path

from conformance.checking.user_module import is_file, parsed
from conformance.report.reproduction.formulation_source import Source


def imported(where: str, returns: str | None = None) -> Source:
    """A user's function as source.

    Args:
        where: ``FILE_OR_MODULE:FUNCTION``.
        returns: Which of several results is the loss; None: there is one result.
    """
    source, _, name = where.rpartition(":")
    top = name.partition(".")[0]
    lines, of_class = [f"from {source} import {top}"], None
    if is_file(source):
        path = Path(source)
        lines = ["import sys", f"sys.path.insert(0, {str(path.parent)!r})", f"from {path.stem} import {top}"]
        of_class = _built_from_parameters(parsed(path), name)
    if returns is not None:
        made = {True: f"{name}(**parameters)(*inputs)", False: f"{name}()(*inputs, **parameters)"}
        call = f"{name}(*inputs, **parameters)" if of_class is None else made[of_class]
        key = int(returns) if returns.lstrip("-").isdigit() else returns
        definition = f"def loss_alone(*inputs, **parameters):\n    return {call}[{key!r}]"
        return Source(tuple(lines), (definition,), ast.Name("loss_alone", ast.Load()))
    text = f"{name}()" if of_class is False else name
    return Source(tuple(lines), (), ast.parse(text, mode="eval").body, bool(of_class))


def _built_from_parameters(tree: ast.Module, name: str) -> bool | None:
    """Whether a class of the top level is built from a call's parameters, or from none; None: no class."""
    node = next((each for each in reversed(tree.body) if getattr(each, "name", None) == name), None)
    if not isinstance(node, ast.ClassDef):
        return None
    makers = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    if makers:
        arguments = makers[-1].args
        return len([*arguments.posonlyargs, *arguments.args]) > 1 or bool(arguments.kwonlyargs)
    return [ast.unparse(base).rpartition(".")[2] for base in node.bases] != ["Module"]
