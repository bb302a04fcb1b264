"""A conformance suite for softmax, cross-entropy and their kin, judged against exact values.

The public names are imported when they are first used: importing the package imports nothing heavy.

run(...) -> Run                         the suite on subjects
check(function, operation, ...) -> Run  the suite on a function of yours
load(directory) -> Run, diff(old, new)  runs of earlier days, and what changed between two
exact(operation, *inputs, ...)          the exact value and gradient of an operation
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.api import run
    from conformance.custom import check
    from conformance.operations.public import Exact, exact
    from conformance.regression import diff
    from conformance.results import Run
    from conformance.stored import load

__version__ = "0.1.0"

__all__ = ["Exact", "Run", "__version__", "check", "diff", "exact", "load", "run"]

_HOMES = {
    "Exact": "conformance.operations.public",
    "Run": "conformance.results",
    "check": "conformance.custom",
    "diff": "conformance.regression",
    "exact": "conformance.operations.public",
    "load": "conformance.stored",
    "run": "conformance.api",
}


def __getattr__(name: str) -> object:
    """Import a public name's home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
