"""A correct implementation never leaves the bound, in any dtype, over 10,000 rows an operation."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic, Array
from bounds.families import ARGUMENTS, Family, families
from bounds.standard import STANDARD
from hypothesis import given, note, settings
from hypothesis import strategies as st

from conformance.operations import OPERATIONS, Reference, reference, upstream

EXAMPLES = 90


def quantities(operation: str, arguments: dict[str, object]) -> list[str]:
    return ["value", *(f"gradient:{name}" for name in OPERATIONS[operation].differentiable(arguments))]


def worst(observed: Array, exact: Reference, allowed: Array) -> float:
    """The largest error in units of what is allowed; 0 allows the exact result alone."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs((observed - exact.high) - exact.low) / exact.ulp
        judged = np.isfinite(exact.rounded) & (error != 0)
        ratio = np.where(judged, error / allowed, 0.0)
    assert not np.isnan(ratio).any()
    return float(np.max(ratio, initial=0.0))


def check(operation: str, family: Family, every: bool, sequential: bool, way: str) -> None:
    arithmetic = Arithmetic(family.dtype, every, sequential)
    arguments = ARGUMENTS[operation](family)
    g = upstream(OPERATIONS[operation].result_shape(arguments))
    for quantity in quantities(operation, arguments):
        exact = reference(operation, arguments, quantity, family.dtype, g)
        with np.errstate(all="ignore"):
            observed = STANDARD[operation][way](arithmetic, arguments, quantity, arithmetic.take(g))
        ratio = worst(arithmetic.give(observed), exact, exact.bound)
        note(f"{operation} {quantity} {arithmetic} {way}: {ratio}")
        assert ratio <= 1.0


@pytest.mark.parametrize("operation", STANDARD)
def test_the_standard_algorithm_stays_within_the_bound(operation: str) -> None:
    seen = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(families, st.booleans(), st.booleans(), st.sampled_from(tuple(STANDARD[operation])))
    def rows(family: Family, every: bool, sequential: bool, way: str) -> None:
        nonlocal seen
        check(operation, family, every, sequential, way)
        seen += family.rows

    rows()
    assert seen >= 10_000
