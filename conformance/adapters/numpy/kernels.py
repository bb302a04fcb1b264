"""Which kernels NumPy dispatches, by its own report."""

from __future__ import annotations

import importlib
from typing import Any, Dict

try:
    core: Any = importlib.import_module("numpy._core._multiarray_umath")
except ImportError:  # before 2.0
    core = importlib.import_module("numpy.core._multiarray_umath")


def kernels() -> Dict[str, Any]:
    """``baseline``, what the build takes for granted; ``dispatched``, what else it has kernels for and runs.

    Empty before NumPy 1.20, which reports neither.
    """
    features = getattr(core, "__cpu_features__", {})
    if not hasattr(core, "__cpu_dispatch__"):
        return {}
    dispatched = [name for name in core.__cpu_dispatch__ if features.get(name)]
    return {"baseline": list(core.__cpu_baseline__), "dispatched": dispatched}
