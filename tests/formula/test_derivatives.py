"""Derivatives of formulas, against slopes of their values; kinks, branches and what has no limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance import formula as m
from conformance.arithmetic.balls import precision
from conformance.operations.base import direction
from conformance.operations.formula.operation import NoLimitError

Node = m.Expression
RNG = np.random.default_rng(3)
X = np.round(RNG.standard_normal((3, 4)) * 64) / 64 + 0.0078125
T = np.round(RNG.random((3, 4)) * 62 + 1) / 64
LABELS = np.array([1, 0, 3])
STEP = 2.0**-20


@m.operation(x=m.scores, t=m.targets)
def everything(x: Node, t: Node) -> Node:
    """Each primitive whose derivative is one of its own."""
    a = m.exp(x) * t + m.log1p(m.abs(x)) / (1 + t) - m.expm1(-x) ** 2
    b = m.sqrt(t) + m.log(t) ** 3 + m.maximum(x, t) + m.minimum(x, 0.5) + m.softplus(x) * m.sigmoid(t)
    return a + b + m.where(x < t, x * x, t**-1.5) + 2**t + x.__abs__() ** 0.5


@m.operation(x=m.scores, t=m.targets)
def reductions(x: Node, t: Node) -> Node:
    rows = m.sum(x * t, axis=1, keepdims=True) * m.mean(x, axis=0) + m.max(x, axis=1, keepdims=True)
    return m.sum(rows, axis=(0,)) + m.mean(x @ m.reshape(t, (4, -1))) + m.logsumexp(x, axis=0)


@m.operation(x=m.scores, labels=m.labels)
def over_classes(x: Node, labels: Node) -> Node:
    p, log_p = m.softmax(x), m.log_softmax(x)
    first = m.take(p * log_p, labels) + m.cross_entropy(x, labels)
    return first + m.sum(m.one_hot(labels, x.shape[1]) * p, axis=1) * m.logsumexp(x)


@m.operation(x=m.scores, t=m.targets)
def binary(x: Node, t: Node) -> Node:
    p = m.sigmoid(x)
    return m.binary_cross_entropy(p, t) + 3 * m.binary_cross_entropy_with_logits(x, t) * m.log_sigmoid(t)


def number(operation: m.FormulaOperation, arguments: dict[str, Any], quantity: str, g: Any) -> Any:
    with precision(200):
        balls = list(operation.balls(arguments, quantity, g))
        return np.array([float(ball) for ball in balls]).reshape(
            operation.quantity_shape(arguments, quantity)
        )


FORMULAS = [
    (everything, {"x": X, "t": T}, ("x", "t")),
    (reductions, {"x": X, "t": T}, ("x", "t")),
    (over_classes, {"x": X, "labels": LABELS}, ("x",)),
    (binary, {"x": X, "t": T}, ("x", "t")),
]


@pytest.mark.parametrize(
    ("operation", "arguments", "names"), FORMULAS, ids=lambda item: getattr(item, "name", "")
)
def test_gradients_are_slopes(operation: m.FormulaOperation, arguments: Any, names: tuple[str, ...]) -> None:
    g = direction(operation.result_shape(arguments))
    for name in names:
        gradient = number(operation, arguments, f"gradient:{name}", g)
        second = number(operation, arguments, f"second:{name}", g)
        along = direction(arguments[name].shape)
        jvp = number(operation, arguments, f"jvp:{name}", g)
        slope, curvature = np.zeros(along.shape), np.zeros(along.shape)
        for index in np.ndindex(along.shape):
            ends, slopes = [], []
            for sign in (1, -1):
                moved = arguments[name].copy()
                moved[index] += sign * STEP
                there = {**arguments, name: moved}
                ends.append(np.sum(g * number(operation, there, "value", g)))
                slopes.append(np.sum(along * number(operation, there, f"gradient:{name}", g)))
            slope[index] = (ends[0] - ends[1]) / (2 * STEP)
            curvature[index] = (slopes[0] - slopes[1]) / (2 * STEP)
        np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(second, curvature, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(np.sum(g * jvp), np.sum(gradient * along), rtol=1e-12)


@pytest.mark.parametrize("body", [m.abs, lambda x: m.maximum(x, 0), lambda x: m.max((x - 0.5) ** 2)])
def test_a_kink_has_a_value_and_no_derivative(body: Any) -> None:
    @m.operation(x=m.scores)
    def kinked(x: Node) -> Node:
        return body(x)

    arguments = {"x": np.array([0.0, 1.0])}
    g = np.ones(kinked.result_shape(arguments))
    assert len(list(kinked.balls(arguments, "value", g))) == g.size
    with pytest.raises(NoLimitError, match="no gradient:x"):
        kinked.balls(arguments, "gradient:x", g)


def test_a_branch_that_is_not_taken_leaves_nothing() -> None:
    @m.operation(x=m.scores)
    def root(x: Node) -> Node:
        return m.where(x > 0, m.sqrt(x) * m.log(x), 0.0)

    arguments = {"x": np.array([-1.0, 0.0, 4.0])}
    assert number(root, arguments, "value", np.ones(3)).tolist() == [0.0, 0.0, 2 * np.log(4)]
    assert number(root, arguments, "gradient:x", np.ones(3)).tolist() == [0.0, 0.0, np.log(4) / 4 + 0.5]


def test_a_coefficient_of_0_removes_an_infinity_but_no_nan() -> None:
    @m.operation(x=m.scores, t=m.targets)
    def product(x: Node, t: Node) -> Node:
        return t * m.exp(x)

    inputs = {"x": np.array([np.inf, np.nan]), "t": np.zeros(2)}
    values = number(product, inputs, "value", np.ones(2))
    assert values[0] == 0
    assert np.isnan(values[1])


def test_a_whole_power_of_what_may_be_0() -> None:
    """1 - sigmoid(10,000) is too small for 128 bits: more of them tell, and nan would not."""

    @m.operation(x=m.scores)
    def power(x: Node) -> Node:
        return (1 - m.sigmoid(x)) ** 2 + x**3

    values = list(power.balls({"x": np.array([10_000.0, -3.0])}, "value", np.ones(2)))
    assert float(values[0]) == 1e12
    assert float(values[1]) == pytest.approx(-27 + 0.9525741268224334**2)


def test_an_undefined_value_without_nan_is_no_limit() -> None:
    @m.operation(x=m.scores)
    def difference(x: Node) -> Node:
        return x - x

    with pytest.raises(NoLimitError, match="no value at these inputs"):
        difference.balls({"x": np.array([np.inf])}, "value", np.ones(1))


def test_ignored_labels_take_nothing() -> None:
    @m.operation(x=m.scores, target=m.labels)
    def loss(x: Node, target: Node, *, ignore_index: int = -100) -> Node:
        kept = m.where(target == ignore_index, 0.0, 1.0)
        return m.reduce(-m.take(x, target) * kept, "mean", m.sum(kept))

    arguments = {"x": np.array([[1.0, 2.0], [np.inf, 5.0], [3.0, 8.0]]), "target": np.array([1, -100, 0])}
    complete = loss.completed(arguments)
    loss.check_arguments(arguments)
    assert number(loss, complete, "value", np.ones(())) == -2.5
    assert number(loss, complete, "gradient:x", np.ones(())).tolist() == [[0, -0.5], [0, 0], [-0.5, 0]]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (2, 1, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    @m.operation(x=m.scores)
    def total(x: Node) -> Node:
        return m.sum(m.softplus(x) * m.sum(x, axis=-1, keepdims=True) if x.ndim else m.exp(x))

    arguments = {"x": np.ones(shape)}
    for quantity in ("value", "gradient:x", "second:x"):
        size = np.prod(total.quantity_shape(arguments, quantity), dtype=int)
        assert len(list(total.balls(arguments, quantity, np.ones(())))) == size
