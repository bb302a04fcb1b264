"""What is attainable is attained by the best known algorithm, and lies within the bound."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic
from bounds.best import BEST
from bounds.families import ARGUMENTS, Family, families
from bounds.judging import quantities, worst
from bounds.standard import STANDARD
from hypothesis import given, note, settings
from hypothesis import strategies as st

from conformance.operations import OPERATIONS, reference, upstream

ONE = np.array(1.0)


def check(operation: str, family: Family, every: bool, sequential: bool) -> None:
    arithmetic = Arithmetic(family.dtype, every, sequential)
    arguments = ARGUMENTS[operation](family)
    g = upstream(OPERATIONS[operation].result_shape(arguments))
    for quantity in quantities(operation, arguments):
        exact = reference(operation, arguments, quantity, family.dtype, g)
        assert np.all(exact.attainable <= exact.bound)
        with np.errstate(all="ignore"):
            observed = BEST[operation](arithmetic, arguments, quantity, arithmetic.take(g))
        ratio = worst(arithmetic.give(observed), exact, exact.attainable)
        note(f"{operation} {quantity} {arithmetic}: {ratio}")
        assert ratio <= 1.0


@pytest.mark.parametrize("operation", BEST)
def test_the_best_algorithm_stays_within_what_is_attainable(operation: str) -> None:
    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(families, st.booleans(), st.booleans())
    def rows(family: Family, every: bool, sequential: bool) -> None:
        check(operation, family, every, sequential)

    rows()


@pytest.mark.parametrize("logits", [[20.0, 0.0], [10.0, 0.0, -3.0]])
@pytest.mark.parametrize("quantity", ["value", "gradient:logits"])
def test_the_standard_loss_of_a_sure_label_is_stable_and_not_accurate(
    logits: list[float], quantity: str
) -> None:
    arguments: dict[str, object] = {
        "logits": np.array([logits]), "target": np.array([0]), "label_smoothing": 0.0, "reduction": "mean",
    }  # fmt: skip
    exact = reference("cross_entropy", arguments, quantity, "float32", ONE)
    arithmetic = Arithmetic("float32")
    standard = STANDARD["cross_entropy"]["fused"](arithmetic, arguments, quantity, arithmetic.take(ONE))
    best = BEST["cross_entropy"](arithmetic, arguments, quantity, arithmetic.take(ONE))
    assert worst(arithmetic.give(standard), exact, exact.bound) <= 1
    assert worst(arithmetic.give(standard), exact, exact.attainable) > 100
    assert worst(arithmetic.give(best), exact, exact.attainable) <= 1
    assert np.max(exact.attainable) < 32


def test_rounding_the_shift_is_not_multiplied_with_what_the_maximum_leaves() -> None:
    """(1 - p_max) u sum p |z| would allow 1e-8 of what rounding x - m alone loses here."""
    logits = np.array([[20.3, 0.1]], dtype=np.float32).astype(np.float64)
    arguments: dict[str, object] = {
        "logits": logits, "target": np.array([0]), "label_smoothing": 0.0, "reduction": "mean",
    }  # fmt: skip
    exact = reference("cross_entropy", arguments, "value", "float32", ONE)
    shifted = np.float64(np.float32(logits[0, 1]) - np.float32(logits[0, 0]))
    error = abs(float(np.log1p(np.exp(shifted)) - exact.high)) / float(exact.ulp)
    drift = 2.0**-24 * 20.2 * float(exact.high) / float(exact.ulp)
    assert 0.2 * drift < error < float(exact.attainable)
