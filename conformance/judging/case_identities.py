"""Identities between two cases: what must hold when a loss' inputs are moved, mirrored or shuffled.

A case names another one, the identity, and what is done to the other's result before both are compared:
shift invariance, a batch and its rows, `sum / N = mean`, `BCE(x, t) = BCE(-x, 1 - t)`. Judged inside one
subject and formulation, like the relations between formulations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conformance.judging.formulation_relations import Distance

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.cases.models import Equals
    from conformance.operations import Reference

Floats = npt.NDArray[np.float64]
#: Results of more elements are not kept for a comparison: an identity is shown on small cases.
LARGEST = 1 << 16


@dataclass(frozen=True)
class Side:
    """One quantity of one case: what each (subject, formulation) returned, and its exact value.

    `error` is the absolute error that the bound grants each element, `ulp` the unit of the comparison.
    """

    observed: dict[tuple[str, str], Floats]
    exact: Floats
    error: Floats
    ulp: Floats


@dataclass
class Identities:
    """The identities among the cases of a run; keeps one side until the other has been judged."""

    of_case: dict[str, list[Case]] = field(default_factory=dict)
    _sides: dict[tuple[str, str, str], Side] = field(default_factory=dict)

    @classmethod
    def among(cls, cases: Iterable[Case]) -> Identities:
        """Those whose two cases are both there."""
        there = {case.id: case for case in cases}
        found = cls()
        for case in there.values():
            if case.equals is not None and case.equals.case in there:
                found.of_case.setdefault(case.id, []).append(case)
                found.of_case.setdefault(case.equals.case, []).append(case)
        return found

    def note(
        self, case: Case, dtype: str, quantity: str, observed: dict[tuple[str, str], Floats], truth: Reference
    ) -> list[dict[str, Any]]:
        """Takes what the subjects returned for a quantity; a row for each identity that is complete now.

        A row has relation, subject, formulation, the case that states it and the `Distance` of both sides.
        """
        stated = self.of_case.get(case.id, ())
        if not stated or truth.rounded.size > LARGEST:
            return []
        self._sides[case.id, dtype, quantity] = Side(
            observed, truth.rounded, truth.bound * truth.ulp, truth.ulp
        )
        rows = []
        for left in stated:
            assert left.equals is not None
            sides = [self._sides.get((name, dtype, quantity)) for name in (left.id, left.equals.case)]
            if sides[0] is not None and sides[1] is not None:
                rows += list(_compared(left, left.equals, quantity, sides[0], sides[1]))
        return rows


def _compared(case: Case, equals: Equals, quantity: str, left: Side, right: Side) -> Iterable[dict[str, Any]]:
    # Second derivatives are taken along a direction of fixed order, which moved rows do not follow.
    change = "absent" if quantity.startswith("second:") else equals.gradient
    change = equals.value if quantity == "value" else change
    if change == "absent":
        return
    shape = case.arguments(case.dtypes[0])[next(iter(case.inputs))].shape
    exact = changed(right.exact, equals, change, shape)
    error = np.abs(changed(right.error, equals, "same", shape))
    if exact.shape != left.exact.shape:
        return
    with np.errstate(all="ignore"):
        # Inputs that a dtype rounds differently have other exact values: that far apart they may be.
        granted = left.error + error + np.nan_to_num(np.abs(left.exact - exact), nan=0.0, posinf=0.0)
    for key, values in left.observed.items():
        if key in right.observed:
            other = changed(right.observed[key], equals, change, shape)
            apart = distance(values, other, granted, left.ulp)
            yield {"relation": equals.relation, "subject": key[0], "formulation": key[1], "case": case} | {
                "apart": apart,
                "other": equals.case,
            }


def changed(array: Floats, equals: Equals, change: str, shape: tuple[int, ...]) -> Floats:
    """The other case's array as the identity has it: rows taken, classes permuted, divided, negated.

    Classes are permuted in arrays of the input's own `shape`, along axis 1 (0 of a vector).
    """
    if equals.rows is not None and array.ndim:
        array = array[np.asarray(equals.rows)]
    if equals.classes is not None and array.shape == shape:
        array = np.take(array, equals.classes, axis=min(1, array.ndim - 1))
    if equals.over is not None:
        array = array / equals.over
    return 1 - array if change == "complement" else -array if change == "negated" else array


def distance(left: Floats, right: Floats, granted: Floats, ulp: Floats) -> Distance:
    """How far two arrays are apart in ulps, where `granted` (absolute) is what both bounds allow."""
    if not left.size:
        return Distance(True, False, 0.0, 0.0)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(all="ignore"):
        apart = np.abs(left - right)
        beyond = ~same & ~(apart <= granted)
        ulps = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart / ulp))
        allowed = np.where(np.isnan(granted), 0.0, granted / ulp)
    worst = int(np.argmax(np.where(beyond, np.inf, ulps - allowed)))
    return Distance(
        bool(same.all()), bool(beyond.any()), float(ulps.max()), float(allowed.reshape(-1)[worst])
    )
