"""The numbers at which a dtype's arithmetic changes, by name: `exp_overflow - 1ulp`, `max`, `1 - 1ulp`.

A case that says `exp_overflow` means the same thing in every dtype, where a literal would mean it in one.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.arithmetic import FORMATS, from_storage, to_storage

#: How far `+ Nulp` may lead.
MAX_STEPS_ULPS = 1_000_000

# Each the dtype's own number next to a real threshold, so that float64 holds it exactly:
#   exp_overflow    the smallest x whose exp(x) rounds to infinity
#   exp_subnormal   the largest x whose exp(x) is below the smallest normal number before rounding
#   exp_underflow   the largest x whose exp(x) rounds to zero
# tests/test_edges.py derives them with mpmath.
_EXP: dict[str, dict[str, float]] = {
    "float16": {"exp_overflow": 11.09375, "exp_subnormal": -9.7109375, "exp_underflow": -17.34375},
    "bfloat16": {"exp_overflow": 89.0, "exp_subnormal": -87.5, "exp_underflow": -93.0},
    "float32": {
        "exp_overflow": 88.72283935546875,
        "exp_subnormal": -87.3365478515625,
        "exp_underflow": -103.97208404541016,
    },
    "float64": {
        "exp_overflow": 709.7827128933841,
        "exp_subnormal": -708.3964185322642,
        "exp_underflow": -745.1332191019412,
    },
}

NAMES = (
    "max", "min_normal", "max_subnormal", "min_subnormal", "exp_overflow", "exp_subnormal", "exp_underflow",
)  # fmt: skip
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_EDGE = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<name>[a-z_]+)|(?P<number>{_NUMBER}))(?:\s*(?P<way>[-+])\s*(?P<steps>\d{{1,9}})\s*ulps?)?"
)
_INTEGERS: dict[int, type[np.signedinteger[Any]]] = {2: np.int16, 4: np.int32, 8: np.int64}


@dataclass(frozen=True)
class Edge:
    """A named number of each dtype, or a plain one, `steps` of the dtype's numbers further up (or down)."""

    text: str
    negative: bool
    name: str
    number: float
    steps: int

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - an edge is a word: there are few, whoever holds them
    def value(self, dtype: str) -> float:
        """The number in the dtype, as float64; ValueError where it would be no finite number."""
        base = named(dtype)[self.name] if self.name else float(from_storage(to_storage(self.number, dtype)))
        if not np.isfinite(base):
            raise ValueError(f"{self.number} lies beyond the largest {dtype}")
        number = step(-base if self.negative else base, self.steps, dtype)
        if not np.isfinite(number):
            raise ValueError(f"{self.text} lies beyond the largest {dtype}")
        return number


def parse(text: str) -> Edge | str | None:
    """An edge; the word that is no edge's name; or None for a text of another kind."""
    match = _EDGE.fullmatch(text.strip()) if len(text) <= 80 else None
    if match is None or (match["number"] and not match["steps"]):
        return None
    if match["name"] and match["name"] not in NAMES:
        return match["name"]
    steps = int(match["steps"] or 0)
    if steps > MAX_STEPS_ULPS:
        return None
    return Edge(
        text=" ".join(text.split()),
        negative=match["sign"] == "-",
        name=match["name"] or "",
        number=float(match["number"] or 0),
        steps=-steps if match["way"] == "-" else steps,
    )


@functools.cache
def named(dtype: str) -> dict[str, float]:
    """The dtype's edges."""
    form = FORMATS[dtype]
    return {
        "max": form.largest,
        "min_normal": form.smallest_normal,
        "max_subnormal": form.smallest_normal - form.smallest_subnormal,
        "min_subnormal": form.smallest_subnormal,
        **_EXP[dtype],
    }


def step(value: float, steps: int, dtype: str) -> float:
    """The dtype's number `steps` places above one of its finite numbers (below, if negative), or infinity."""
    stored = np.atleast_1d(to_storage(value, dtype))
    kind = _INTEGERS[stored.itemsize]
    bits = int(stored.view(kind)[0])
    lowest = int(np.iinfo(kind).min)
    # Sign and magnitude to one line of integers, on which both zeros are 0.
    line = (bits if bits >= 0 else lowest - bits) + steps
    infinity = int(np.atleast_1d(to_storage(np.inf, dtype)).view(kind)[0])
    line = max(-infinity, min(infinity, line))
    if line == 0 and steps == 0:
        return value
    moved = np.array([line if line >= 0 else lowest - line], dtype=kind).view(stored.dtype)
    return float(from_storage(moved)[0])
