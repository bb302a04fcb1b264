"""Relations between formulations inside one subject, and the distance between any two observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from conformance.operations import Operation, Reference, Relation

Floats = npt.NDArray[np.float64]
#: Elements that are compared in one vectorised step: they stay in the processor's cache.
_ELEMENTS_A_STEP = 1 << 18


@dataclass(frozen=True)
class Distance:
    """Distance between two observations of one quantity, in ulps of the dtype at the exact value.

    Attributes:
        identical: Whether they are the same, bit for bit but for the sign of zero.
        beyond: Whether they differ by more than both bounds together, in any element.
        largest: The distance of the elements that are farthest apart.
        allowed: Both bounds together at the element that comes closest to them (or farthest beyond).
    """

    identical: bool
    beyond: bool
    largest: float
    allowed: float

    @property
    def judgement(self) -> str:
        """`identical`, `within bounds` or `broken`."""
        return "identical" if self.identical else "broken" if self.beyond else "within bounds"


@dataclass
class EquivalenceTally:
    """Tally of two subjects over the checks that both answered.

    Attributes:
        checks: How many these are.
        identical: How many of them are the same, bit for bit.
        largest: The largest distance, in ulps.
        beyond: How many differ by more than both bounds together.
        worst_case: The case with the largest distance; of equals the first by name.
        by_class: For each value class of inputs (`cases.value_classes`) the distances, in ulps, and of how
            many checks they are beyond both bounds together.
    """

    checks: int = 0
    identical: int = 0
    largest: float = 0.0
    beyond: int = 0
    worst_case: str = ""
    by_class: dict[str, tuple[list[float], int]] = field(default_factory=dict)

    def add(self, distance: Distance, case: str, values: str) -> None:
        """Counts one more shared check, whose inputs are of the value class `values`."""
        measured, beyond = self.by_class.get(values, ([], 0))
        measured.append(distance.largest)
        self.by_class[values] = measured, beyond + distance.beyond
        self.checks += 1
        self.identical += distance.identical
        self.beyond += distance.beyond
        # Of equals the first by name, whichever was judged first.
        if not self.worst_case or (-distance.largest, case) < (-self.largest, self.worst_case):
            self.largest, self.worst_case = distance.largest, case


def distances(
    observed: Mapping[str, Floats], pairs: Iterable[tuple[str, str]], reference: Reference
) -> dict[tuple[str, str], Distance]:
    """The distance between the observations of each pair, each pair once.

    Args:
        observed: By name: float64 embeddings of the dtype, of the reference's shape.
        pairs: Pairs of names.
        reference: The exact value and its bounds.
    """
    distinct = list(dict.fromkeys(pairs))
    if reference.rounded.size == 0:
        return dict.fromkeys(distinct, Distance(True, False, 0.0, 0.0))
    step = max(1, _ELEMENTS_A_STEP // reference.rounded.size)
    measured: list[Distance] = []
    for start in range(0, len(distinct), step):
        part = distinct[start : start + step]
        left, right = (np.stack([observed[pair[side]] for pair in part]) for side in (0, 1))
        measured += _largest(element_distances(left, right, reference).reshape(len(part), -1), reference)
    return dict(zip(distinct, measured, strict=True))


def _largest(ulps: Floats, reference: Reference) -> list[Distance]:
    """The distance of each pair, from a row of its elements' distances."""
    allowed = allowed_distances(reference).reshape(-1)
    finite = np.isfinite(ulps).all(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        worst = np.where(finite, ulps - allowed, ulps).argmax(axis=1)
    figures = ulps.any(axis=1), (ulps > allowed).any(axis=1), ulps.max(axis=1), allowed[worst]
    return [
        Distance(not differs, beyond, largest, least)
        for differs, beyond, largest, least in zip(*(figure.tolist() for figure in figures), strict=True)
    ]


def allowed_distances(reference: Reference) -> Floats:
    """What two observations may be apart: both bounds together, in ulps, element by element."""
    with np.errstate(over="ignore"):
        both: Floats = 2 * reference.bound
    return both


def element_distances(left: Floats, right: Floats, reference: Reference) -> Floats:
    """|left - right| in ulps at the exact value: 0 where both are the same, inf where one is special.

    Both of the reference's shape, or several of them along a first axis.
    """
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(all="ignore"):
        ulps = np.abs(left - right) / reference.ulp
    ulps = np.where(np.isfinite(left) & np.isfinite(right) & ~np.isnan(ulps), ulps, np.inf)
    return np.where(same, 0.0, ulps)


def relation_sides(operation: Operation, formulations: Sequence[str]) -> list[tuple[Relation, str, str]]:
    """The relations that can be judged among the formulations that answered: (relation, left, right).

    A framework without the right side's formulation is held to the formulation that it composes instead.
    """
    sides = []
    for relation in operation.relations:
        right = relation.right
        if right not in formulations and right == "functional" and relation.left != "composed":
            right = "composed"
        if relation.left in formulations and right in formulations:
            sides.append((relation, relation.left, right))
    return sides
