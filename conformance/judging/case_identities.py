"""Identities between two cases: what must hold when a loss' inputs are moved, mirrored or shuffled.

A case names another one, the identity, and what is done to the other's result before both are compared:
shift invariance, a batch and its rows, `sum / N = mean`, `BCE(x, t) = BCE(-x, 1 - t)`. Judged inside one
subject and formulation, like the relations between formulations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conformance.arithmetic import FORMATS, round_to
from conformance.cases.parts import part_ids
from conformance.judging.formulation_relations import Distance
from conformance.judging.parts import Part, combined

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.cases.models import Equals
    from conformance.operations import Reference

Floats = npt.NDArray[np.float64]
#: Results of more elements are not kept for a comparison: an identity is shown on small cases.
MAX_COMPARED_ELEMENTS = 1 << 16


@dataclass(frozen=True)
class Side:
    """One quantity of one case.

    Attributes:
        observed: What each (subject, formulation) returned.
        exact: The exact value, rounded.
        error: The absolute error that the bound grants each element.
        ulp: The unit of the comparison.
    """

    observed: dict[tuple[str, str], Floats]
    exact: Floats
    error: Floats
    ulp: Floats

    def at(self, rows: Sequence[int]) -> Side:
        """These rows alone."""

        def these(array: Floats) -> Floats:
            return array[np.asarray(rows)] if array.ndim else array

        observed = {key: these(array) for key, array in self.observed.items()}
        return Side(observed, these(self.exact), these(self.error), these(self.ulp))


@dataclass(frozen=True)
class IdentityResult:
    """An identity in one subject and formulation.

    Attributes:
        case: The case that states it.
        relation: Its name.
        other: The id of the other case.
        subject: The subject's name.
        formulation: The formulation.
        distance: How far both sides are apart.
    """

    case: Case
    relation: str
    other: str
    subject: str
    formulation: str
    distance: Distance


@dataclass
class Identities:
    """The identities among the cases of a run; holds one side until the other has been judged.

    Attributes:
        of_case: By case: the cases that state an identity in which it is a side.
        wholes: By case: those that are split, of which it is the whole or a part.
    """

    of_case: dict[str, list[Case]] = field(default_factory=dict)
    wholes: dict[str, list[Case]] = field(default_factory=dict)
    _sides: dict[tuple[str, str, str], Side] = field(default_factory=dict)

    @classmethod
    def among(cls, cases: Iterable[Case]) -> Identities:
        """Those whose cases are all there."""
        by_id = {case.id: case for case in cases}
        identities = cls()
        for case in by_id.values():
            if case.equals is not None and case.equals.case in by_id:
                identities.of_case.setdefault(case.id, []).append(case)
                identities.of_case.setdefault(case.equals.case, []).append(case)
            if case.parts is not None and by_id.keys() >= set(part_ids(case)):
                for name in (case.id, *part_ids(case)):
                    identities.wholes.setdefault(name, []).append(case)
        return identities

    def add(
        self,
        case: Case,
        dtype: str,
        quantity: str,
        observed: dict[tuple[str, str], Floats],
        reference: Reference,
    ) -> list[IdentityResult]:
        """Takes what the subjects returned for a quantity: the identities that are complete now.

        Args:
            case: The case.
            dtype: Its dtype.
            quantity: The quantity.
            observed: By (subject, formulation).
            reference: The quantity's exact value and bounds.
        """
        stated, wholes = self.of_case.get(case.id, ()), self.wholes.get(case.id, ())
        if not (stated or wholes) or reference.rounded.size > MAX_COMPARED_ELEMENTS:
            return []
        error = reference.bound * reference.ulp
        self._sides[case.id, dtype, quantity] = Side(observed, reference.rounded, error, reference.ulp)
        results: list[IdentityResult] = []
        for stating in stated:
            assert stating.equals is not None
            left, right = (
                self._sides.get((name, dtype, quantity)) for name in (stating.id, stating.equals.case)
            )
            if left is not None and right is not None:
                results += _compared(stating, stating.equals, quantity, left, right)
        for whole in wholes:
            results += self._whole(whole, dtype, quantity)
        return results

    def _whole(self, whole: Case, dtype: str, quantity: str) -> Iterator[IdentityResult]:
        """A case beside its parts, once all of them have been judged.

        In shards of the classes a gradient is scaled by the values: all of these come first.
        """
        assert whole.parts is not None
        sides, values = (
            [self._sides.get((name, dtype, key)) for name in (whole.id, *part_ids(whole))]
            for key in (quantity, quantity if whole.parts.classes is None else "value")
        )
        there, by_value = [each for each in sides if each], [each for each in values if each]
        if len(there) == len(sides) and len(by_value) == len(values):
            yield from _beside_parts(whole, dtype, quantity, there, by_value)


def _beside_parts(
    case: Case, dtype: str, quantity: str, sides: Sequence[Side], values: Sequence[Side]
) -> Iterator[IdentityResult]:
    """A case and the combination of its parts; the first of `sides` and of `values` is the whole's."""
    assert case.parts is not None
    whole, parts = sides[0], list(zip(sides[1:], values[1:], strict=True))
    exact = [Part(side.exact, side.error, value.exact, value.error) for side, value in parts]
    _, error = combined(case, dtype, quantity, exact)
    for key, result in whole.observed.items():
        if all(key in side.observed and key in value.observed for side, value in parts):
            own = [
                Part(side.observed[key], side.error, value.observed[key], value.error)
                for side, value in parts
            ]
            other = round_to(FORMATS[dtype], combined(case, dtype, quantity, own)[0].astype(np.float64))
            # Half an ulp is what rounding the combination loses.
            allowed = whole.error + error.astype(np.float64) + whole.ulp / 2
            names = ", ".join(part_ids(case))
            apart = distance(result, other, allowed, whole.ulp)
            yield IdentityResult(case, case.parts.relation, names, *key, apart)


def _compared(case: Case, equals: Equals, quantity: str, left: Side, right: Side) -> Iterator[IdentityResult]:
    # Second derivatives are taken along a direction of fixed order, which moved rows do not follow.
    change = "absent" if quantity.startswith(("second:", "jvp:")) else equals.gradient
    change = equals.value if quantity == "value" else change
    if change == "absent":
        return
    shape = case.arguments(case.dtypes[0])[next(iter(case.inputs))].shape
    if equals.at is not None:
        left = left.at(equals.at)

    def taken(array: Floats, change: str) -> Floats:
        """The other's array as this identity has it; one row of it for each that is compared."""
        array = changed(array, equals, change, shape)
        one_row = equals.at is not None and array.ndim and len(array) == 1
        return np.repeat(array, len(equals.at or ()), axis=0) if one_row else array

    exact = taken(right.exact, change)
    error = np.abs(taken(right.error, "same"))
    if exact.shape != left.exact.shape:
        return
    with np.errstate(all="ignore"):
        # Inputs that a dtype rounds differently have other exact values: that far apart they may be.
        allowed = left.error + error + np.nan_to_num(np.abs(left.exact - exact), nan=0.0, posinf=0.0)
    for (subject, formulation), values in left.observed.items():
        if (subject, formulation) in right.observed:
            other = taken(right.observed[subject, formulation], change)
            difference = distance(values, other, allowed, left.ulp, equals.invariance is not None)
            yield IdentityResult(case, equals.relation, equals.case, subject, formulation, difference)


def changed(array: Floats, equals: Equals, change: str, shape: tuple[int, ...]) -> Floats:
    """The other case's array as the identity has it: rows taken, classes permuted, divided, negated.

    Args:
        array: The other case's quantity.
        equals: The identity.
        change: `same`, `negated` or `complement` (1 - array).
        shape: The input's shape: classes are permuted in arrays of that shape alone, along axis 1 (0 of a
            vector).
    """
    if equals.rows is not None and array.ndim:
        array = array[np.asarray(equals.rows)]
    if equals.classes is not None and array.shape == shape:
        array = np.take(array, equals.classes, axis=min(1, array.ndim - 1))
    if equals.over is not None:
        array = array / equals.over
    return 1 - array if change == "complement" else -array if change == "negated" else array


def distance(
    left: Floats, right: Floats, allowed: Floats, ulp: Floats, signed_zeros: bool = False
) -> Distance:
    """The distance of two arrays in ulps, where `allowed` (absolute) is what both bounds grant.

    With `signed_zeros` they are identical only where their zeros have the same signs.
    """
    if not left.size:
        return Distance(True, False, 0.0, 0.0)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    alike = not signed_zeros or bool((np.signbit(left) == np.signbit(right))[left == right].all())
    with np.errstate(all="ignore"):
        difference = np.abs(left - right)
        beyond = ~same & ~(difference <= allowed)
        ulps = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference / ulp))
        allowed_ulps = np.where(np.isnan(allowed), 0.0, allowed / ulp)
    worst = int(np.argmax(np.where(beyond, np.inf, ulps - allowed_ulps)))
    return Distance(
        bool(same.all()) and alike,
        bool(beyond.any()),
        float(ulps.max()),
        float(allowed_ulps.reshape(-1)[worst]),
    )
