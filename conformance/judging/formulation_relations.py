"""Identities between formulations inside one subject, and the distance between any two observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from conformance.operations import Operation, Reference, Relation

Floats = npt.NDArray[np.float64]
#: Elements that are compared in one vectorised step: they stay in the processor's cache.
_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Distance:
    """How far two observations of one quantity are apart, in ulps of the dtype at the exact value.

    `largest` is over all elements, `allowed` is what both bounds together grant at the element that comes
    closest to (or farthest beyond) it; `identical` is bit for bit but for the sign of zero.
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
    """Two subjects over the checks that both answered."""

    checks: int = 0
    identical: int = 0
    largest: float = 0.0
    beyond: int = 0
    worst_case: str = ""

    def add(self, apart: Distance, case: str) -> None:
        """Counts one more shared check."""
        self.checks += 1
        self.identical += apart.identical
        self.beyond += apart.beyond
        # Of equals the first by name, whichever was judged first.
        if not self.worst_case or (-apart.largest, case) < (-self.largest, self.worst_case):
            self.largest, self.worst_case = apart.largest, case


def distances(
    observed: Mapping[str, Floats], sides: Iterable[tuple[str, str]], reference: Reference
) -> dict[tuple[str, str], Distance]:
    """The distance between the observations of each pair of names (left, right), each pair once.

    The observations are float64 embeddings of their dtype, of the reference's shape.
    """
    pairs = list(dict.fromkeys(sides))
    if reference.rounded.size == 0:
        return dict.fromkeys(pairs, Distance(True, False, 0.0, 0.0))
    step = max(1, _AT_ONCE // reference.rounded.size)
    found: list[Distance] = []
    for start in range(0, len(pairs), step):
        part = pairs[start : start + step]
        left, right = (np.stack([observed[pair[side]] for pair in part]) for side in (0, 1))
        found += _distances(elementwise(left, right, reference).reshape(len(part), -1), reference)
    return dict(zip(pairs, found, strict=True))


def _distances(apart: Floats, reference: Reference) -> list[Distance]:
    """Of pairs that are so far apart, a row of elements each."""
    allowed = granted(reference).reshape(-1)
    finite = np.isfinite(apart).all(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        worst = np.where(finite, apart - allowed, apart).argmax(axis=1)
    figures = apart.any(axis=1), (apart > allowed).any(axis=1), apart.max(axis=1), allowed[worst]
    return [
        Distance(not differs, beyond, largest, least)
        for differs, beyond, largest, least in zip(*(one.tolist() for one in figures), strict=True)
    ]


def granted(reference: Reference) -> Floats:
    """What two observations may be apart: both bounds together, in ulps, element by element."""
    with np.errstate(over="ignore"):
        both: Floats = 2 * reference.bound
    return both


def elementwise(left: Floats, right: Floats, reference: Reference) -> Floats:
    """|left - right| in ulps at the exact value: 0 where both are the same, inf where one is special.

    Both of the reference's shape, or several of them along a first axis.
    """
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(all="ignore"):
        apart = np.abs(left - right) / reference.ulp
    apart = np.where(np.isfinite(left) & np.isfinite(right) & ~np.isnan(apart), apart, np.inf)
    return np.where(same, 0.0, apart)


def pairs(operation: Operation, returned: Sequence[str]) -> list[tuple[Relation, str, str]]:
    """The relations that can be judged among the formulations that answered: (relation, left, right).

    A framework without the right side's formulation is held to the formulation that it composes instead.
    """
    found = []
    for relation in operation.relations:
        right = relation.right
        if right not in returned and right == "functional" and relation.left != "composed":
            right = "composed"
        if relation.left in returned and right in returned:
            found.append((relation, relation.left, right))
    return found
