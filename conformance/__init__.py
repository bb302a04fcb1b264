"""A conformance suite for softmax, cross-entropy and their kin, judged against exact values.

The public names are imported when they are first used: importing the package imports nothing heavy.

run(...) -> Run                         the suite on subjects
check(function, operation, ...) -> Run  the suite on a function of yours
load(directory) -> Run, diff(old, new)  runs of earlier days, and what changed between two
exact(operation, *inputs, ...)          the exact value and gradient of an operation

The words that the code uses, a line each, are in docs/glossary.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.api import run
    from conformance.checking.check import check
    from conformance.comparison.difference import diff
    from conformance.judging.exact_api import Exact, exact
    from conformance.results.loading import load
    from conformance.results.run import Run

__version__ = "0.1.0"

__all__ = ["Exact", "Run", "__version__", "check", "diff", "exact", "load", "run"]

_HOMES = {
    "Exact": "conformance.judging.exact_api",
    "Run": "conformance.results.run",
    "check": "conformance.checking.check",
    "diff": "conformance.comparison.difference",
    "exact": "conformance.judging.exact_api",
    "load": "conformance.results.loading",
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
