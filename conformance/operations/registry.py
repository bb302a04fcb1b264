"""Registry of the operations: each module of this room adds those that it defines."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from conformance.errors import ArgumentError
from conformance.operations.base import Operation
from conformance.operations.formula.shipped import ShippedFormula

#: The order in which lists and reports name these; further operations follow by name.
_ORDER = (
    "sigmoid",
    "log_sigmoid",
    "softmax",
    "log_softmax",
    "logsumexp",
    "one_hot",
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
#: Modules of this room that define no operation of a name of its own.
_ABOVE = frozenset({"conventions", "exact_values", "registry"})


def _defined() -> Iterator[Operation]:
    """Every operation that a module of this room defines, by a class or by a formula."""
    for name in (*_modules(""), *_modules("by_formula")):
        for value in vars(importlib.import_module(name)).values():
            here = inspect.isclass(value) and value.__module__ == name
            if here and issubclass(value, Operation) and not inspect.isabstract(value):
                yield value()
            elif isinstance(value, ShippedFormula) and value.function.__module__ == name:
                yield value


def _modules(folder: str) -> Iterator[str]:
    """The names of the modules in a folder of this room, but for those that are above the registry."""
    package = ".".join(filter(None, (__package__, folder)))
    for module in pkgutil.iter_modules([str(Path(__file__).parent / folder)]):
        if not module.ispkg and module.name not in _ABOVE:
            yield f"{package}.{module.name}"


def _position(operation: Operation) -> tuple[int, str]:
    """Where the operation stands in lists."""
    known = operation.name in _ORDER
    return _ORDER.index(operation.name) if known else len(_ORDER), operation.name


OPERATIONS: dict[str, Operation] = {
    operation.name: operation for operation in sorted(_defined(), key=_position)
}


_SHIPPED = frozenset(OPERATIONS)


def register(operation: Operation) -> None:
    """Makes an operation known by its name in this process.

    Args:
        operation: The operation, as `conformance.formula.operation` makes one of a formula. It replaces a
            registered operation of the same name.

    Raises:
        ArgumentError: The suite has an operation of that name.
    """
    if operation.name in _SHIPPED:
        raise ArgumentError(f"the suite has an operation {operation.name!r} of its own: use another name")
    OPERATIONS[operation.name] = operation


def is_of_the_suite(name: str) -> bool:
    """Whether an operation of the suite has the name, so that no formula can take it."""
    return name in _SHIPPED


def no_operation(name: str) -> str:
    """What is said of a name that no operation has: the likeliest one first, then all of them."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), OPERATIONS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"no such operation{hint} (there are {', '.join(OPERATIONS)})"


def operation_named(name: str) -> Operation:
    """The operation of that name; ArgumentError, naming all of them, where there is none."""
    if name not in OPERATIONS:
        raise ArgumentError(f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
    return OPERATIONS[name]
