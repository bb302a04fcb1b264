"""Structure of a user's function, read without running it: what no call could answer is refused once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from conformance.errors import SubjectError
from conformance.operations import OPERATIONS

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def refuse_misfits(
    tree: ast.Module, source: str, name: str, operation: str, returns: str | None = None
) -> None:
    """SubjectError, with the remedy, for a class, and for a function that no call of the operation fits.

    What the text does not say is seen at the first call (`first_call`). A class with `forward`, or with bases
    that may have it, is built by the worker.

    Args:
        tree: The file's syntax tree.
        source: The file, as messages name it.
        name: A name of its top level. What is dotted, decorated or made by a call says nothing here.
        operation: The operation that it is to carry out.
        returns: Which of several results is the loss; None: there is one result.
    """
    node = next((each for each in reversed(tree.body) if getattr(each, "name", None) == name), None)
    if isinstance(node, ast.ClassDef):
        methods = [each.name for each in node.body if isinstance(each, ast.FunctionDef)]
        if "forward" in methods or (node.bases and "__call__" not in methods):
            return
        remedy = f"add `loss = {name}()` to the file, and check {source}:loss"
        raise SubjectError(f"{source}:{node.lineno}: {name} is a class: {remedy}")
    if not isinstance(node, ast.FunctionDef) or node.decorator_list or operation not in OPERATIONS:
        return
    where = f"{source}:{node.lineno}: {name}"
    inputs = [item.name for item in OPERATIONS[operation].inputs]
    given = {*inputs, *(item.name for item in OPERATIONS[operation].parameters)}
    positional = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if len(positional) < len(inputs) and not node.args.vararg:
        raise SubjectError(
            f"{where} takes {len(positional)} of the inputs {', '.join(inputs)}: give it all, in this order"
        )
    required = positional[len(inputs) : len(positional) - len(node.args.defaults)]
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    required += [argument.arg for argument, default in pairs if default is None]
    for argument in required:
        if argument not in given:
            raise SubjectError(
                f"{where} requires {argument}, which {operation} does not give: give it a default"
            )
    returned = [value for value in _returned(node) if value is not None]
    if returns is None and returned and all(isinstance(value, ast.Tuple) for value in returned):
        raise SubjectError(f"{where} returns a tuple: say which is the loss, as --returns 0")


def _returned(node: ast.AST) -> Iterator[ast.expr | None]:
    """What the function itself returns, those inside it left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child.value
        elif not isinstance(child, _SCOPES):
            yield from _returned(child)
