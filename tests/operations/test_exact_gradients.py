"""Every exact gradient against differences of the exact value: no derivative formula is used here."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.operations import OPERATIONS, reference, upstream

RANDOM = np.random.default_rng(11)
SCORES = RANDOM.normal(size=(3, 4)) * 2
LABELS = np.array([1, -100, 3])
PROBABILITIES = RANDOM.dirichlet(np.ones(4), 3)
UNIT = RANDOM.uniform(0.05, 0.95, size=(3, 4))
WEIGHT = RANDOM.uniform(0.5, 2, 4)
STEP = 2.0**-17  # error of a central difference: STEP**2 and 2**-53 / STEP, both near 1e-10

CALLS: list[tuple[str, dict[str, object]]] = [
    ("sigmoid", {"x": SCORES}),
    ("log_sigmoid", {"x": SCORES}),
    *(
        (name, {"x": SCORES, "axis": axis})
        for name in ("softmax", "log_softmax", "logsumexp")
        for axis in (0, 1)
    ),
    *(
        (name, {first: SCORES, "target": LABELS, "weight": weight, "reduction": reduction, **more})
        for name, first, more in (
            ("nll_loss", "log_probs", {}),
            ("cross_entropy", "logits", {}),
            ("cross_entropy", "logits", {"label_smoothing": 0.25}),
        )
        for weight in (None, WEIGHT)
        for reduction in ("none", "mean")
    ),
    *(
        (
            "cross_entropy",
            {"logits": SCORES, "target": PROBABILITIES, "weight": WEIGHT, "label_smoothing": smoothing},
        )
        for smoothing in (0.0, 0.25)
    ),
    *(
        (name, {first: scores, "target": UNIT[::-1].copy(), "weight": weight, "reduction": reduction, **more})
        for name, first, scores, more in (
            ("binary_cross_entropy", "probs", UNIT, {}),
            ("binary_cross_entropy_with_logits", "logits", SCORES, {}),
            ("binary_cross_entropy_with_logits", "logits", SCORES, {"pos_weight": 3 * WEIGHT}),
        )
        for weight in (None, WEIGHT)
        for reduction in ("none", "sum")
    ),
]


def value(operation: str, arguments: dict[str, object]) -> np.ndarray:
    return reference(operation, arguments, "value", "float64").rounded


@pytest.mark.parametrize(("operation", "arguments"), CALLS)
def test_gradients_are_those_of_the_value(operation: str, arguments: dict[str, object]) -> None:
    subject = OPERATIONS[operation]
    g = upstream(subject.result_shape(arguments))
    for name in subject.differentiable(arguments):
        gradient = reference(operation, arguments, f"gradient:{name}", "float64").rounded
        point = np.asarray(arguments[name])
        expected = np.zeros_like(point)
        for index in np.ndindex(point.shape):
            ends = []
            for sign in (1, -1):
                moved = point.copy()
                moved[index] += sign * STEP
                ends.append(value(operation, {**arguments, name: moved}))
            expected[index] = np.sum(g * (ends[0] - ends[1])) / (2 * STEP)
        assert np.allclose(gradient, expected, rtol=1e-7, atol=1e-8)
