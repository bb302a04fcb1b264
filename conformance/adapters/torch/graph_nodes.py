"""Nodes of an autograd graph: whether one of them has a backward pass that cannot be differentiated."""

from __future__ import annotations

from typing import Any, List, Set

from ..base import Tensor

#: Where torch's decorator `once_differentiable` is written, and so the function that it makes.
DECORATOR_FILE = "function.py"


def once_differentiable_only(value: Tensor) -> bool:
    """Whether the value comes from a Function whose backward pass is marked `once_differentiable`.

    Its gradient has no graph, which is no sign that it does not depend on the inputs.
    """
    waiting: List[Any] = [value.grad_fn]
    seen: Set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        backward = getattr(getattr(node, "_forward_cls", None), "backward", None)
        code = getattr(backward, "__code__", None)
        if (
            hasattr(backward, "__wrapped__")
            and code is not None
            and code.co_filename.endswith(DECORATOR_FILE)
        ):
            return True
        waiting += [following for following, _ in node.next_functions]
    return False
