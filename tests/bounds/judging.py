"""An observation against the exact value, as the verdicts have it, but for special values."""

from __future__ import annotations

import numpy as np

from bounds.arithmetic import Array
from conformance.operations import OPERATIONS, Reference


def quantities(operation: str, arguments: dict[str, object]) -> list[str]:
    """The value, and the gradient with respect to each differentiable input."""
    return ["value", *(f"gradient:{name}" for name in OPERATIONS[operation].differentiable(arguments))]


def worst(observed: Array, exact: Reference, allowed: Array) -> float:
    """The largest error in units of what is allowed, where the exact value is finite in the dtype."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs((observed - exact.high) - exact.low) / exact.ulp
        judged = np.isfinite(exact.rounded) & (error != 0)
        ratio = np.where(judged, error / allowed, 0.0)
    return float(np.max(np.where(np.isnan(ratio), np.inf, ratio), initial=0.0))
