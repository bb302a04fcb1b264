"""Precision of results: checks that conform although no digit is right."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Bits of a dtype's significand, the implicit one with them (p).
PRECISION_BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def no_digit_right(frame: pd.DataFrame) -> pd.Series:
    """Which checks conform with no digit right: an error of 2^(p - 2) ulps or more, p the dtype's bits.

    The bound of a stable algorithm allows that where the value is far smaller than the terms that it is the
    difference of. Textbook formulations are left out, and exact values of 0, of which no digit can be right.

    Args:
        frame: A run's checks, light (`frames.light`).
    """
    least = frame["dtype"].map(PRECISION_BITS).astype(float).sub(2).rpow(2.0)
    conforms = frame["conforms"].eq(True).fillna(False).astype(bool)
    exact = pd.to_numeric(frame["exact"], errors="coerce").astype(float)
    relative = pd.Series(np.isfinite(exact) & exact.ne(0), index=frame.index)
    return conforms & relative & frame["ulp_error"].ge(least) & ~frame["textbook"].fillna(False).astype(bool)
