"""What an author writes: signatures, kinds, and errors that name the line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import formula as m
from conformance.errors import ArgumentError

Node = m.Expression
HERE = "tests/formula/test_formulas.py"
X = {"x": np.zeros((2, 3)), "target": np.zeros(2, np.int64)}


def line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.rstrip().endswith(f"# {text}")]
    return number


def misspelt(x: Node) -> Node:
    return m.softmx(x)  # misspelt


def unknown(x: Node) -> Node:
    return softmax(x)  # type: ignore[name-defined]  # noqa: F821  # unknown


def branch(x: Node) -> Node:
    if x > 0:  # branch
        return x
    return -x


def shapes(x: Node) -> Node:
    return x + m.sum(x, axis=1)  # shapes


def of_numpy(x: Node) -> Node:
    return np.exp(x)  # of_numpy


def of_math(x: Node) -> Node:
    return math.exp(x)  # type: ignore[arg-type, return-value]  # of_math


def comparison(x: Node) -> Node:
    return (x > 0) * x  # comparison


def no_expression(x: Node) -> Any:
    return 1.0


def unpacked(x: Node) -> Node:
    return sum(x)  # type: ignore[return-value]  # unpacked


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (misspelt, "no name 'softmx' here: did you mean softmax?"),
        (unknown, "no name 'softmax' here: did you mean softmax?"),
        (branch, "a branch on data: write where"),
        (shapes, "the shapes [2, 3] and [2] do not fit each other: "),
        (of_numpy, "TypeError: "),
        (of_math, "TypeError: must be real number"),
        (comparison, "a comparison stands only as the first argument of where"),
        (unpacked, "an expression cannot be unpacked or looped over"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_wrong_text_is_refused_with_its_line(function: Any, says: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(m.FormulaError) as caught:
        m.operation(x=m.scores)(function).check_arguments({"x": X["x"]})
    assert str(caught.value).startswith(f"{HERE}:{line_of(function.__name__)}: {says}")


def test_a_result_that_is_none(monkeypatch: Any) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(m.FormulaError, match="no_expression must return an expression, not float"):
        m.operation(x=m.scores)(no_expression).check_arguments({"x": X["x"]})


@pytest.mark.parametrize(
    ("function", "kinds", "says"),
    [
        (lambda x, y: x, {"x": m.scores}, "y has neither a kind nor a default"),
        (lambda x: x, {"x": m.scores, "z": m.labels}, "has no argument 'z'"),
        (lambda *x: x[0], {"x": m.scores}, "name every argument"),
        (lambda x, *, mode="fast": x, {"x": m.scores}, "no number, None, truth value or reduction: 'fast'"),
        (
            lambda x, *, w=1.0: x,
            {"x": m.scores, "w": m.weights},
            "a kind: an optional tensor",
        ),
        (lambda x, *, reduction="avg": x, {"x": m.scores}, "none, sum or mean, not 'avg'"),
        (lambda x: x, {"x": float}, "is no kind"),
        (lambda *, gamma=2.0: gamma, {}, "has no input: name a kind"),
    ],
)
def test_a_wrong_signature_is_refused(function: Any, kinds: Any, says: str) -> None:
    with pytest.raises(m.FormulaError, match=says):
        m.operation(**kinds)(function)


def test_the_signature_is_the_operations() -> None:
    @m.operation(best=lambda x, target, **_: m.take(x, target), x=m.scores, target=m.labels, weight=m.weights)
    def loss(
        x: Node,
        target: Node,
        *,
        weight: Node | None = None,
        gamma: float = 2,
        ignore_index: int = -100,
        reduction: str = "mean",
        flag: bool = False,
    ) -> Node:
        """A loss."""
        return m.reduce(m.take(x, target) * gamma, reduction)

    assert [(item.name, item.kind) for item in loss.inputs] == [("x", "floating"), ("target", "labels")]
    assert {item.name: (item.kind, item.default) for item in loss.parameters} == {
        "weight": ("tensor", None),
        "gamma": ("real", 2),
        "ignore_index": ("integer", -100),
        "reduction": ("reduction", "mean"),
        "flag": ("flag", False),
    }
    assert (loss.name, loss.__doc__) == ("loss", "A loss.")
    assert loss.differentiable(X) == ("x",)
    with pytest.raises(m.FormulaError, match="the reduction is none, sum or mean, not 'avg'"):
        loss.value({**X, "reduction": "avg"})


def test_labels_are_classes_or_ignored() -> None:
    @m.operation(x=m.scores, target=m.labels)
    def loss(x: Node, target: Node) -> Node:
        return m.take(x, target)

    with pytest.raises(ArgumentError, match="target 3 is none of the 3 classes"):
        loss.check_arguments({**X, "target": np.array([0, 3])})


def test_a_formula_serves_inside_another() -> None:
    @m.operation(x=m.scores, target=m.labels)
    def inner(x: Node, target: Node) -> Node:
        return m.cross_entropy(x, target)

    @m.operation(x=m.scores, target=m.labels)
    def outer(x: Node, target: Node) -> Node:
        return m.mean(inner(x, target))

    assert outer.result_shape(X) == ()


def test_the_fingerprint_is_that_of_the_mathematics() -> None:
    def made(constant: float) -> m.FormulaOperation:
        @m.operation(x=m.scores)
        def loss(x: Node) -> Node:
            return x * constant

        return loss

    arguments = {"x": X["x"]}
    assert made(2.0).fingerprint(arguments) == made(2.0).fingerprint(arguments)
    assert made(2.0).fingerprint(arguments) != made(2.5).fingerprint(arguments)


def test_every_name_of_the_vocabulary_is_there() -> None:
    assert {*m.__all__} >= {
        *("exp", "log", "log1p", "expm1", "sqrt", "abs", "maximum", "minimum", "where", "sum", "mean", "max"),
        *("take", "one_hot", "sigmoid", "softplus", "log_sigmoid", "softmax", "log_softmax", "logsumexp"),
        *("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "reduce", "constant"),
        *("scores", "log_probs", "probabilities", "targets", "labels", "class_probabilities", "weights"),
        *("matrix", "operation"),
    }
    assert all(hasattr(m, name) for name in m.__all__)
