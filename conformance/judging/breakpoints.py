"""Where an identity stops to hold: the smallest logit gap at which two formulations part, to the bit.

A sweep (a case tagged `frontier`) brackets the gap between a row where the relation holds and the next one,
where it is broken; each round then fills the bracket with as many gaps as the sweep has rows, evenly in the
dtype's own numbers, until the two ends are neighbours. All rounds have the sweep's shape, so that XLA
compiles nothing anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.judging import formulation_relations
from conformance.judging.collector import sweep_axis
from conformance.judging.observation import digits, embed
from conformance.operations import OPERATIONS, Reference
from conformance.plan.events import Answer
from conformance.plan.requests import Group, Request

Floats = npt.NDArray[np.float64]
_BITS: dict[str, tuple[Any, Any]] = {
    "float16": (np.float16, np.int16),
    "bfloat16": (ml_dtypes.bfloat16, np.int16),
    "float32": (np.float32, np.int32),
    "float64": (np.float64, np.int64),
}


def ordinal(values: Floats, dtype: str) -> npt.NDArray[np.int64]:
    """The position of non-negative numbers among all numbers of the dtype: neighbours differ by 1."""
    number, integer = _BITS[dtype]
    positions: npt.NDArray[np.int64] = (
        np.asarray(values, np.float64).astype(number).view(integer).astype(np.int64)
    )
    return positions


def number(positions: npt.NDArray[np.int64], dtype: str) -> Floats:
    """The inverse of `ordinal`."""
    kind, integer = _BITS[dtype]
    values: Floats = np.asarray(positions).astype(integer).view(kind).astype(np.float64)
    return values


class GapGroup(Group):
    """A sweep's group with other gaps in place of its own."""

    def __init__(self, origin: Group, gaps: Floats) -> None:
        super().__init__(-1, origin.case, origin.dtype)
        name = OPERATIONS[origin.case.operation].inputs[0].name
        template = np.asarray(origin.arguments[name], np.float64)
        scale = gaps.reshape((-1,) + (1,) * (template.ndim - 1))
        self._arguments = {**origin.arguments, name: np.sign(template) * scale}

    @property
    def arguments(self) -> dict[str, Any]:
        """The origin's arguments with the new gaps."""
        return self._arguments


@dataclass
class Search:
    """The bisection of one relation in one subject and dtype."""

    group: Group
    subject: str
    relation: str
    left: str
    right: str
    beyond: npt.NDArray[np.bool_]
    references: Callable[[Group, str], Reference]
    low: int = field(init=False)
    high: int = field(init=False)
    seen: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    _round: GapGroup | None = None
    _answers: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positions = ordinal(sweep_axis(self.group), self.group.dtype)
        broken = self.beyond.reshape(len(positions), -1).any(axis=1)
        first = int(np.argmax(broken))
        self.high = int(positions[first])
        self.low = int(positions[first - 1]) if first else 0

    def next_requests(self, index: int) -> list[Request]:
        """The two requests of the next round, numbered from `index`; none when the bracket is closed."""
        if self.high - self.low <= 1 and self.high in self.seen:
            return []
        rows = len(sweep_axis(self.group))
        width = self.high - self.low  # In Python's integers: float64's positions need 63 bits.
        inside = np.unique(
            np.array([self.low + width * step // rows for step in range(1, rows + 1)], np.int64)
        )
        positions = np.concatenate([inside, np.full(rows - len(inside), self.high)])
        self._round = GapGroup(self.group, number(positions, self.group.dtype))
        self._answers = {}
        return [
            Request(index + offset, self._round, formulation, ("value",))
            for offset, formulation in enumerate((self.left, self.right))
        ]

    def take(self, answer: Answer) -> bool:
        """Takes one answer of the round; True when the round is judged and the next may be asked for."""
        self._answers[answer.request.formulation] = answer
        if len(self._answers) < 2 and self.left != self.right:
            return False
        assert self._round is not None
        values = [_values(self._answers[formulation]) for formulation in (self.left, self.right)]
        truth = self.references(self._round, "value")
        positions = ordinal(sweep_axis(self._round), self.group.dtype)
        if any(value is None or value.shape != truth.rounded.shape for value in values):
            self.low = self.high - 1
            self.seen[self.high] = ("", "", "")
            return True
        left, right = (np.asarray(value) for value in values)
        apart = formulation_relations.elementwise(left, right, truth)
        broken = (apart > formulation_relations.granted(truth)).reshape(len(positions), -1)
        hit = broken.any(axis=1)
        # The bracket's upper end is broken by construction; a subject that is not deterministic may differ.
        first = int(np.argmax(hit)) if hit.any() else len(positions) - 1
        inside = np.unravel_index(int(broken[first].argmax()), truth.rounded.shape[1:])
        element = (first, *(int(place) for place in inside))
        dtype = self.group.dtype
        texts = (
            digits(float(left[element]), dtype),
            digits(float(right[element]), dtype),
            truth.text(element),
        )
        previous = self.low
        self.high = int(positions[first])
        self.low = int(positions[first - 1]) if first else previous
        self.seen[self.high] = texts
        return True

    def row(self) -> dict[str, Any]:
        """The finding: the last gap at which the relation holds, and the next, at which it is broken."""
        holds, breaks = (float(gap) for gap in number(np.array([self.low, self.high]), self.group.dtype))
        left, right, exact = self.seen.get(self.high, ("", "", ""))
        return {
            "relation": self.relation,
            "operation": self.group.case.operation,
            "dtype": self.group.dtype,
            "subject": self.subject,
            "left": self.left,
            "right": self.right,
            "holds_to": holds,
            "holds_to_bits": holds.hex(),
            "breaks_at": breaks,
            "breaks_at_bits": breaks.hex(),
            "left_value": left,
            "right_value": right,
            "exact": exact,
            "case": self.group.case.id,
        }


def _values(answer: Answer) -> Floats | None:
    array = answer.arrays.get("value")
    return None if array is None else embed(array, answer.dtypes.get("value", ""))[1]
