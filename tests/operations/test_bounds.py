"""A correct implementation never leaves the bound, in any dtype, over 10,000 rows an operation."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic
from bounds.families import DTYPES, Family, families
from bounds.judging import quantities, worst
from bounds.tables import ARGUMENTS, STANDARD
from hypothesis import given, note, settings
from hypothesis import strategies as st

from conformance.arithmetic import FORMATS, round_to
from conformance.operations import OPERATIONS, reference, upstream

EXAMPLES = 90
ORDERS = ("numpy", "sequential", "pairwise")


def check(operation: str, family: Family, every: bool, order: str, way: str) -> None:
    arithmetic = Arithmetic(family.dtype, every, order)
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
    @given(families, st.booleans(), st.sampled_from(ORDERS), st.sampled_from(tuple(STANDARD[operation])))
    def rows(family: Family, every: bool, order: str, way: str) -> None:
        nonlocal seen
        check(operation, family, every, order, way)
        seen += family.rows

    rows()
    assert seen >= 10_000


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ORDERS)
def test_a_vocabulary_stays_within_the_bound(dtype: str, order: str) -> None:
    """Rows of 1,024 with many entries alike, where a sum's roundings all point one way."""
    spread = np.random.default_rng(3).standard_normal((4, 1024))
    x = np.array([[1e-3], [0.0], [1e-6], [3.0]]) * spread - np.array([[7.0], [2.3], [12.0], [9.0]])
    x[:, 0] = 0.0
    x = round_to(FORMATS[dtype], np.where(np.arange(4)[:, None] == 3, np.round(x), x))
    arithmetic = Arithmetic(dtype, every=False, order=order)
    for operation in ("softmax", "log_softmax", "logsumexp"):
        arguments: dict[str, object] = {"x": x, "axis": -1}
        g = upstream(OPERATIONS[operation].result_shape(arguments))
        for quantity in quantities(operation, arguments):
            exact = reference(operation, arguments, quantity, dtype, g)
            observed = STANDARD[operation][""](arithmetic, arguments, quantity, arithmetic.take(g))
            assert worst(arithmetic.give(observed), exact, exact.bound) <= 1.0


def test_a_sum_over_equal_rows_one_after_the_other_stays_within_the_bound() -> None:
    rows = np.full((1000, 1), -np.float64(np.float32(0.1)))
    arguments: dict[str, object] = {"log_probs": rows, "target": np.zeros(1000, dtype=np.int64)}
    arguments["reduction"] = "sum"
    exact = reference("nll_loss", arguments, "value", "float32", np.array(1.0))
    summed = np.add.accumulate(-rows[:, 0].astype(np.float32))[-1]
    assert abs(float(summed) - 1000 * -rows[0, 0]) > 8 * 2.0**-24 * 100
    observed = np.asarray(summed, dtype=np.float64)
    assert worst(observed, exact, exact.bound) <= 1.0
    assert worst(observed, exact, exact.attainable) > 1.0
