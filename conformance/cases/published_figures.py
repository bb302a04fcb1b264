"""The figures that a source prints: what an observation must round to, at the digits shown."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases import input_intervals
from conformance.cases.case import Case

#: The dtype in which the sources computed what they print.
CONFIRMED_DTYPE = "float32"

Floats = npt.NDArray[np.float64]


def figures(printed: Any) -> list[str]:
    """The printed figures of nested lists, in order."""
    if isinstance(printed, (list, tuple)):
        return [figure for item in printed for figure in figures(item)]
    return [str(printed)]


def decimals(figure: str) -> int:
    """The number of decimals that a figure shows."""
    exponent = Decimal(figure).as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def rounds_to(value: float, figure: str, slack: Decimal = Decimal(0)) -> bool:
    """Whether a value rounds to the figure at its digits; `slack` widens the interval on both sides."""
    wanted = Decimal(figure)
    if not np.isfinite(value) or not wanted.is_finite():
        return bool(np.isnan(value)) if wanted.is_nan() else value == float(wanted)
    half = Decimal(1).scaleb(-decimals(figure)) / 2
    return abs(Decimal(value) - wanted) <= half + slack


def confirm(case: Case, values: Floats) -> tuple[str, bool]:
    """The printed figures as text, and whether the values (float64 embeddings) confirm every one.

    Inputs that a source prints to `case.decimals` places only leave the result an interval, which
    `conformance.cases.case` computes; the figure is confirmed where value and figure lie within its width.
    """
    wanted = figures(case.printed)
    flat = values.reshape(-1)
    slack = Decimal(input_intervals.slack(case))
    ok = len(wanted) == flat.size and all(
        rounds_to(float(value), figure, slack) for value, figure in zip(flat, wanted, strict=True)
    )
    return " ".join(wanted), ok


def show(values: Floats, case: Case) -> str:
    """Values at the digits of the printed figures, and two more."""
    wanted = figures(case.printed)
    flat = values.reshape(-1)
    if len(wanted) != flat.size:
        return f"{flat.size} values"
    texts = []
    for value, figure in zip(flat, wanted, strict=True):
        places = Decimal(1).scaleb(-decimals(figure) - 2)
        shown = Decimal(float(value)).quantize(places, ROUND_HALF_EVEN) if np.isfinite(value) else value
        texts.append(str(shown))
    return " ".join(texts)
