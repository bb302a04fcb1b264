"""Derivatives along a direction: exact values against differences, the reference within its bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.adapters.numpy.tangents import TANGENTS
from conformance.arithmetic import FORMATS, round_to, to_storage
from conformance.operations import OPERATIONS, direction, reference

RNG = np.random.default_rng(20261128)
SCORES = RNG.normal(size=(3, 5)) * 3
LABELS = np.array([1, 4, 0])
SOFT = RNG.dirichlet(np.ones(5), 3)
WEIGHT = np.array([1, 0.5, 2, 0.25, 3])
LOGITS = "binary_cross_entropy_with_logits"
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("sigmoid", "x", {"x": SCORES}),
    ("log_sigmoid", "x", {"x": SCORES}),
    *(
        (name, "x", {"x": SCORES, "axis": axis})
        for name in ("softmax", "log_softmax", "logsumexp")
        for axis in (0, 1)
    ),
    *(
        (operation, name, {**arguments, "reduction": reduction})
        for reduction in ("none", "sum", "mean")
        for operation, name, arguments in (
            ("nll_loss", "log_probs", {"log_probs": SCORES, "target": LABELS, "weight": WEIGHT}),
            ("cross_entropy", "logits", {"logits": SCORES, "target": LABELS, "weight": WEIGHT}),
            ("cross_entropy", "logits", {"logits": SCORES, "target": LABELS, "label_smoothing": 0.125}),
            ("cross_entropy", "logits", {"logits": SCORES, "target": SOFT, "weight": WEIGHT}),
            ("cross_entropy", "target", {"logits": SCORES, "target": SOFT, "label_smoothing": 0.25}),
            ("binary_cross_entropy", "probs", {"probs": SOFT, "target": SOFT[::-1], "weight": WEIGHT}),
            ("binary_cross_entropy", "target", {"probs": SOFT, "target": SOFT[::-1]}),
            (LOGITS, "logits", {"logits": SCORES, "target": SOFT, "pos_weight": WEIGHT}),
            (LOGITS, "target", {"logits": SCORES, "target": SOFT, "weight": WEIGHT}),
        )
    ),
]


@pytest.mark.parametrize(("operation", "name", "arguments"), CALLS)
def test_exact_value_is_the_limit_of_differences(
    operation: str, name: str, arguments: dict[str, Any]
) -> None:
    v, step = direction(arguments[name].shape), 2.0**-20
    ahead, behind = (
        reference(operation, {**arguments, name: arguments[name] + sign * step * v}, "value", "float64").high
        for sign in (1, -1)
    )
    exact = reference(operation, arguments, f"jvp:{name}", "float64").high
    np.testing.assert_allclose(exact, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("operation", "name", "arguments"), CALLS)
def test_reference_stays_within_the_bound(
    operation: str, name: str, arguments: dict[str, Any], dtype: str
) -> None:
    rounded = {
        key: round_to(FORMATS[dtype], value)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for key, value in arguments.items()
    }
    names = [item.name for item in OPERATIONS[operation].inputs]
    stored = {
        key: to_storage(value, dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        for key, value in rounded.items()
    }
    along = to_storage(direction(arguments[name].shape), dtype)
    inputs = [stored.pop(key) for key in names]
    returned = np.asarray(TANGENTS[operation](name, along, *inputs, **stored), np.float64)
    exact = reference(operation, rounded, f"jvp:{name}", dtype)
    error = np.abs((returned - exact.high) - exact.low) / exact.ulp
    assert np.all(error <= exact.bound)
    assert np.all(exact.attainable <= exact.bound)


def test_direction_under_which_nothing_changes_gives_exactly_0() -> None:
    """Of equal logits whose directions are the label's own, or cancel: no ball around 0 would ever settle."""
    one_class = {"logits": np.array([[3.0], [4.0]]), "target": np.array([0, 0]), "reduction": "none"}
    assert reference("cross_entropy", one_class, "jvp:logits", "float32").rounded.tolist() == [0, 0]
