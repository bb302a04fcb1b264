"""Second derivatives: what is right stays within its bound in every dtype, the known wrong leaves it."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic
from bounds.families import Family, families
from bounds.judging import worst
from bounds.second import Second
from bounds.tables import ARGUMENTS, BEST_SECOND, STANDARD_SECOND
from hypothesis import given, note, settings
from hypothesis import strategies as st

from conformance.operations import OPERATIONS, Reference, reference, upstream

EXAMPLES = 60
ORDERS = ("numpy", "sequential", "pairwise")


def observe(
    second: Second, arithmetic: Arithmetic, operation: str, arguments: dict[str, object]
) -> np.ndarray:
    g = upstream(OPERATIONS[operation].result_shape(arguments))
    with np.errstate(all="ignore"):
        return arithmetic.give(second(arithmetic, arguments, arithmetic.take(g)))


def exact_of(operation: str, arguments: dict[str, object], dtype: str) -> Reference:
    return reference(operation, arguments, f"second:{OPERATIONS[operation].inputs[0].name}", dtype)


@pytest.mark.parametrize("operation", STANDARD_SECOND)
def test_double_backward_stays_within_the_bound(operation: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(families, st.booleans(), st.sampled_from(ORDERS))
    def rows(family: Family, every: bool, order: str) -> None:
        arguments = ARGUMENTS[operation](family)
        arithmetic = Arithmetic(family.dtype, every, order)
        exact = exact_of(operation, arguments, family.dtype)
        ratio = worst(
            observe(STANDARD_SECOND[operation], arithmetic, operation, arguments), exact, exact.bound
        )
        note(f"{operation} {arithmetic}: {ratio}")
        assert ratio <= 1.0

    rows()


@pytest.mark.parametrize("operation", BEST_SECOND)
def test_the_best_algorithm_stays_within_what_is_attainable(operation: str) -> None:
    @settings(max_examples=EXAMPLES // 2, deadline=None, database=None, derandomize=True)
    @given(families, st.booleans())
    def rows(family: Family, every: bool) -> None:
        arguments = ARGUMENTS[operation](family)
        arithmetic = Arithmetic(family.dtype, every, "pairwise")
        exact = exact_of(operation, arguments, family.dtype)
        assert np.all(exact.attainable <= exact.bound)
        ratio = worst(
            observe(BEST_SECOND[operation], arithmetic, operation, arguments), exact, exact.attainable
        )
        note(f"{operation} {arithmetic}: {ratio}")
        assert ratio <= 1.0

    rows()
