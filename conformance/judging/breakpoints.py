"""Sweeps and breakpoints: the smallest logit gap at which two formulations part, to the bit.

A sweep (a case tagged `frontier`) brackets the gap between a row where the relation holds and the next one,
where it is broken; each round then fills the bracket with as many gaps as the sweep has rows, evenly in the
dtype's own numbers, until the two ends are neighbours. All rounds have the sweep's shape, so that XLA
compiles nothing anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.judging import verdict
from conformance.judging.formulation_relations import allowed_distances, element_distances
from conformance.judging.observation import Observation, digits, embed
from conformance.operations import OPERATIONS, Reference
from conformance.plan.events import Answer
from conformance.plan.groups import Group
from conformance.plan.requests import Request

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
#: Where relations broke in sweeps: (group's index, subject, left, right) -> which elements.
Broken = dict[tuple[int, str, str, str], Mask]
#: The tag of the cases that are sweeps.
SWEEP_TAG = "frontier"
_BITS: dict[str, tuple[Any, Any]] = {
    "float16": (np.float16, np.int16),
    "bfloat16": (ml_dtypes.bfloat16, np.int16),
    "float32": (np.float32, np.int32),
    "float64": (np.float64, np.int64),
}


def is_sweep(group: Group, quantity: str) -> bool:
    """Whether a quantity of a group is swept."""
    return SWEEP_TAG in group.case.tags and quantity == "value"


def sweep_axis(group: Group) -> Floats:
    """The logit gap of each row of a sweep: the largest magnitude of the row of its first input."""
    first = np.asarray(group.arguments[OPERATIONS[group.case.operation].inputs[0].name], np.float64)
    gaps: Floats = np.abs(first.reshape(first.shape[0], -1)).max(axis=1)
    return gaps


def sweep_columns(group: Group, observations: Sequence[Observation], reference: Reference) -> dict[str, Any]:
    """Columns of sweep.csv: for each observation and gap the element with the largest error.

    Args:
        group: A sweep.
        observations: Of its value, one at least, of the reference's shape and dtype.
        reference: The value's exact value and bounds.
    """
    gaps = sweep_axis(group)
    values = np.stack([each.values for each in observations if each.values is not None])
    error = verdict.errors_in_ulps(values, reference).reshape(len(observations), len(gaps), -1)
    worst = error.argmax(axis=2)
    elements = (worst + np.arange(len(gaps)) * error.shape[2]).reshape(-1)
    rows = len(elements)
    return {
        "case": [group.case.id] * rows,
        "operation": [group.case.operation] * rows,
        "formulation": [each.request.formulation for each in observations for _ in gaps],
        "quantity": ["value"] * rows,
        "dtype": [group.dtype] * rows,
        "subject": [each.subject for each in observations for _ in gaps],
        "gap": np.tile(gaps, len(observations)),
        "ulp_error": np.take_along_axis(error, worst[..., np.newaxis], axis=2).reshape(-1),
        "ulp_bound": reference.bound.reshape(-1)[elements],
        "ulp_attainable": reference.attainable.reshape(-1)[elements],
    }


def ordinal(values: Floats, dtype: str) -> npt.NDArray[np.int64]:
    """The position of non-negative numbers among all numbers of the dtype: neighbours differ by 1."""
    number, integer = _BITS[dtype]
    positions: npt.NDArray[np.int64] = (
        np.asarray(values, np.float64).astype(number).view(integer).astype(np.int64)
    )
    return positions


def from_ordinal(positions: npt.NDArray[np.int64], dtype: str) -> Floats:
    """The inverse of `ordinal`."""
    number, integer = _BITS[dtype]
    values: Floats = np.asarray(positions).astype(integer).view(number).astype(np.float64)
    return values


class GapGroup(Group):
    """A sweep's group with other gaps in place of its own.

    Args:
        origin: The sweep.
        gaps: As many gaps as the sweep has rows.
    """

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
    """Bisection of one relation in one subject and dtype.

    Attributes:
        group: The sweep.
        subject: The subject's name.
        relation: The relation's name.
        left: Its left formulation.
        right: Its right formulation.
        beyond: The elements of the sweep in which the relation is broken.
        references: The reference of a group that is no part of the plan, and a quantity.
        low: The ordinal of the largest gap so far at which the relation holds.
        high: The ordinal of the smallest gap so far at which it is broken.
        digits_at: By the ordinal of a gap: left, right and exact digits of an element that is broken there.
    """

    group: Group
    subject: str
    relation: str
    left: str
    right: str
    beyond: Mask
    references: Callable[[Group, str], Reference]
    low: int = field(init=False)
    high: int = field(init=False)
    digits_at: dict[int, tuple[str, str, str]] = field(default_factory=dict)
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
        if self.high - self.low <= 1 and self.high in self.digits_at:
            return []
        rows = len(sweep_axis(self.group))
        width = self.high - self.low  # In Python's integers: float64's positions need 63 bits.
        inside = np.unique(
            np.array([self.low + width * step // rows for step in range(1, rows + 1)], np.int64)
        )
        positions = np.concatenate([inside, np.full(rows - len(inside), self.high)])
        self._round = GapGroup(self.group, from_ordinal(positions, self.group.dtype))
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
        left, right = (_values(self._answers[formulation]) for formulation in (self.left, self.right))
        reference = self.references(self._round, "value")
        shape = reference.rounded.shape
        if left is None or right is None or left.shape != shape or right.shape != shape:
            self.low = self.high - 1
            self.digits_at[self.high] = ("", "", "")
        else:
            self._narrow(self._round, left, right, reference)
        return True

    def _narrow(self, swept: Group, left: Floats, right: Floats, reference: Reference) -> None:
        """Closes the bracket around the first gap of a round at which the relation is broken."""
        positions = ordinal(sweep_axis(swept), swept.dtype)
        beyond = element_distances(left, right, reference) > allowed_distances(reference)
        broken = beyond.reshape(len(positions), -1)
        rows = broken.any(axis=1)
        # The bracket's upper end is broken by construction; a subject that is not deterministic may differ.
        first = int(np.argmax(rows)) if rows.any() else len(positions) - 1
        inside = np.unravel_index(int(broken[first].argmax()), reference.rounded.shape[1:])
        element = (first, *(int(axis) for axis in inside))
        self.high = int(positions[first])
        self.low = int(positions[first - 1]) if first else self.low
        self.digits_at[self.high] = (
            digits(float(left[element]), swept.dtype),
            digits(float(right[element]), swept.dtype),
            reference.text(element),
        )

    def row(self) -> dict[str, Any]:
        """The row of breaks.csv: the last gap at which the relation holds, and the next, where it breaks."""
        bracket = from_ordinal(np.array([self.low, self.high]), self.group.dtype)
        holds, breaks = (float(gap) for gap in bracket)
        left, right, exact = self.digits_at.get(self.high, ("", "", ""))
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


class Searches:
    """Searches of a run: requests beside the plan's, as many rounds as each needs.

    Args:
        references: The reference of a group that is no part of the plan, and a quantity.
        next_index: The first index that no request of the plan has.

    Attributes:
        finished: The searches whose bracket is closed.
        running: How many are not.
    """

    def __init__(self, references: Callable[[Group, str], Reference], next_index: int) -> None:
        self.finished: list[Search] = []
        self.running = 0
        self._references = references
        self._next_index = next_index
        self._waiting: dict[tuple[str, int], Search] = {}  # by subject and request's index

    def begin(
        self, group: Group, subjects: Sequence[str], broken: Broken
    ) -> Iterator[tuple[str, list[Request]]]:
        """The first requests of the searches in a sweep that has been judged, each with its subject.

        Args:
            group: The sweep.
            subjects: The subjects of the run.
            broken: Where its relations broke; taken out of the dictionary.
        """
        for relation in OPERATIONS[group.case.operation].relations:
            for subject in subjects:
                for right in (relation.right, "composed"):
                    beyond = broken.pop((group.index, subject, relation.left, right), None)
                    if beyond is None:
                        continue
                    sides = relation.left, right
                    self.running += 1
                    search = Search(group, subject, relation.name, *sides, beyond, self._references)
                    yield subject, self._next_round(search)

    def take(self, answer: Answer) -> list[Request] | None:
        """The next requests that an answer leads to; None: it belongs to no search."""
        search = self._waiting.pop((answer.subject, answer.request.index), None)
        if search is None:
            return None
        return self._next_round(search) if search.take(answer) else []

    def _next_round(self, search: Search) -> list[Request]:
        requests = search.next_requests(self._next_index)
        self._next_index += len(requests)
        for request in requests:
            self._waiting[search.subject, request.index] = search
        if not requests:
            self.running -= 1
            self.finished.append(search)
        return requests
