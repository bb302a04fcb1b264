"""What is attainable is attained by the best known algorithm, and lies within the bound."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic
from bounds.families import Family, families
from bounds.judging import quantities, worst
from bounds.tables import ARGUMENTS, BEST, STANDARD
from hypothesis import given, note, settings
from hypothesis import strategies as st

from conformance.operations import OPERATIONS, reference, upstream

ONE = np.array(1.0)


def check(operation: str, family: Family, every: bool) -> None:
    arithmetic = Arithmetic(family.dtype, every, "pairwise")
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
    @given(families, st.booleans())
    def rows(family: Family, every: bool) -> None:
        check(operation, family, every)

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
    """(1 - p_max) u sum p |z| would allow next to nothing of what rounding x - m alone loses here."""
    logits = np.array([[65.0, 3 * 2.0**-18]])
    arguments: dict[str, object] = {
        "logits": logits, "target": np.array([0]), "label_smoothing": 0.0, "reduction": "mean",
    }  # fmt: skip
    exact = reference("cross_entropy", arguments, "value", "float32", ONE)
    rounded = float(np.float32(logits[0, 1]) - np.float32(65))
    assert abs(rounded - (logits[0, 1] - 65)) == 2.0**-18
    assert 0.5 < worst(np.log1p(np.exp(rounded)), exact, exact.attainable) <= 1


def test_every_probability_that_underflows_is_allowed_for() -> None:
    """Fifteen float16 probabilities of 0.42 of the smallest number: the gradient is 6.3 of it, and lost."""
    logits = np.array([[17.5, *[0.0] * 15]])
    arguments: dict[str, object] = {
        "logits": logits, "target": np.array([0]), "label_smoothing": 0.0, "reduction": "mean",
    }  # fmt: skip
    exact = reference("cross_entropy", arguments, "gradient:logits", "float16", ONE)
    arithmetic = Arithmetic("float16")
    best = arithmetic.give(
        BEST["cross_entropy"](arithmetic, arguments, "gradient:logits", arithmetic.take(ONE))
    )
    assert not best.any()
    assert -exact.high[0, 0] > 6 * 2.0**-24
    assert worst(best, exact, exact.attainable) <= 1


def test_a_positive_weight_that_underflows_with_its_target_is_allowed_for() -> None:
    arguments: dict[str, object] = {
        "logits": np.array([-59.1875]), "target": np.array([2.0**-24]), "pos_weight": np.array([0.75]),
        "weight": None, "reduction": "none",
    }  # fmt: skip
    g = np.ones(1)
    exact = reference("binary_cross_entropy_with_logits", arguments, "value", "float16", g)
    arithmetic = Arithmetic("float16")
    best = BEST["binary_cross_entropy_with_logits"](arithmetic, arguments, "value", g)
    assert 0.2 < worst(arithmetic.give(best), exact, exact.attainable) <= 1
