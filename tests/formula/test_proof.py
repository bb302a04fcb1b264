"""The ten operations from their formulas: the bits of those by hand (`proof.py` compares 10,000 calls)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from formula import proof
from oracle.calls import MAKERS

from conformance.operations import OPERATIONS, Call, references

CALLS = 48


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = dict(OPERATIONS)
    proof.register()
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


@pytest.mark.parametrize("name", MAKERS)
def test_bits_are_the_same_and_bounds_alike(name: str) -> None:
    comparison = proof.compared(name, CALLS, seed=29)
    assert comparison.different == []
    assert comparison.quantities >= CALLS
    assert not comparison.left_out
    for kind, parts in comparison.ratios.items():
        ratios = np.concatenate(parts)
        if ratios.size and kind != "second":
            assert np.quantile(ratios, 0.9) <= (
                1.05 if (name, kind) != ("sigmoid", "gradient") else np.inf
            ), kind


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_upper_tail_of_sigmoid_s_slope_is_what_1_minus_s_loses(dtype: str) -> None:
    """The derived bound grants the roundings of s (1 - s): (9 - 3 s) / (14 (1 - s)) of the one by hand."""
    x = np.linspace(-6, 10, 65)
    calls = [Call(name, {"x": x}, ("gradient:x",)) for name in ("sigmoid", f"{proof.PREFIX}sigmoid")]
    by_hand, derived = (references([call], dtype)[0]["gradient:x"].bound for call in calls)
    ratio, s = derived / by_hand, 1 / (1 + np.exp(-x))
    upper = s >= 0.5
    predicted = (9 - 3 * s) / (14 * (1 - s))
    np.testing.assert_allclose(ratio[upper], predicted[upper], rtol=0.03)
    assert ((ratio >= 0.9) & (ratio <= 1.09))[~upper].all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_forward_mode_of_softmax_counts_the_error_of_a_probability_once(dtype: str) -> None:
    """p (v - sum p v), as it is computed: p v - p sum p v would have it twice, where the two cancel."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((16, 8)) * 10 ** rng.uniform(-1, 1.5, (16, 1))
    calls = [Call(name, {"x": x}, ("jvp:x",)) for name in ("softmax", f"{proof.PREFIX}softmax")]
    by_hand, derived = (references([call], dtype)[0]["jvp:x"] for call in calls)
    assert np.array_equal(by_hand.rounded, derived.rounded)
    ratio = (derived.bound / by_hand.bound)[by_hand.bound > 0.5]
    assert ratio.size > 100
    assert ratio.min() >= 0.3
    assert ratio.max() <= 1.05


def test_another_formula_has_other_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, f"{proof.PREFIX}sigmoid", proof.TEN["log_sigmoid"])
    assert proof.compared("sigmoid", 4).different
