"""Bounds of formulas: the NumPy reference of the same text stays within, and a worse one does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from formula.ten_operations import TEN

from conformance import formula as m
from conformance.arithmetic.formats import FORMATS, round_to
from conformance.judging import verdict
from conformance.operations import OPERATIONS, Call, references, upstream
from conformance.operations.formula.operation import FormulaOperation

Node = m.Expression
DTYPES = ("float16", "bfloat16", "float32", "float64")


@m.operation(logits=m.scores, target=m.targets)
def focal(logits: Node, target: Node, *, gamma: float = 2.0, alpha: float = 0.25) -> Node:
    p = m.sigmoid(logits)
    agree = p * target + (1 - p) * (1 - target)
    loss = m.binary_cross_entropy_with_logits(logits, target) * (1 - agree) ** gamma
    return m.mean((alpha * target + (1 - alpha) * (1 - target)) * loss)


@m.operation(logits=m.scores, target=m.labels)
def poly(logits: Node, target: Node, *, epsilon: float = 1.0) -> Node:
    log_p = m.take(m.log_softmax(logits), target)
    return m.mean(-log_p + epsilon * (1 - m.exp(log_p)))


@m.operation(hidden=m.matrix("tokens", "features"), head=m.matrix("classes", "features"))
def product(hidden: Node, head: Node) -> Node:
    return m.logsumexp(hidden @ m.transpose(head))


#: The ten but one_hot, which has labels alone: nothing is rounded there.
OF_NUMBERS = [operation for name, operation in TEN.items() if name != "one_hot"]


def inputs(operation: FormulaOperation, rng: np.random.Generator, dtype: str) -> dict[str, Any]:
    scale = 10 ** rng.uniform(-2, 2)
    made: dict[str, Any] = {}
    for item in operation.inputs:
        kind = operation.kinds[item.name].name
        values = {
            "targets": rng.random((5, 6)),
            "probabilities": rng.random((5, 6)),
            "labels": rng.integers(0, 6, 5),
        }.get(kind, rng.standard_normal((5, 6)) * scale)
        made[item.name] = values if kind == "labels" else round_to(FORMATS[dtype], values)
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", [focal, poly, product, *OF_NUMBERS], ids=lambda item: item.name)
def test_the_reference_stays_within(operation: FormulaOperation, dtype: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(OPERATIONS, "judged", operation)
    rng = np.random.default_rng(11)
    for _ in range(40):
        arguments = operation.completed(inputs(operation, rng, dtype))
        g = upstream(operation.result_shape(arguments))
        names = operation.differentiable(arguments)
        quantities = ("value", *(f"gradient:{name}" for name in names))
        found = references([Call("judged", arguments, quantities)], dtype)[0]
        for quantity in quantities:
            observed = operation.reference(arguments, quantity, g, dtype)
            rounded = round_to(FORMATS[dtype], np.asarray(observed, np.float64))
            (judgement,) = verdict.judge(rounded[None], found[quantity])
            assert verdict.conforms(judgement.verdict), (quantity, arguments, judgement)


def test_a_worse_text_leaves_the_bound(monkeypatch: Any) -> None:
    """The logarithm of a softmax, where log_softmax is the formula."""
    monkeypatch.setitem(OPERATIONS, "judged", TEN["log_softmax"])
    x = np.array([[0.0, 100.0, -50.0]])
    (found,) = references([Call("judged", {"x": x}, ("value",))], "float32")
    narrow = x.astype(np.float32)
    with np.errstate(all="ignore"):
        naive = np.log(np.exp(narrow) / np.exp(narrow).sum(-1, keepdims=True))
    (judgement,) = verdict.judge(naive[None].astype(np.float64), found["value"])
    assert judgement.verdict == "wrong"


def test_the_attainable_bound_is_that_of_the_best_formula() -> None:
    def stable(x: Node) -> Node:
        return m.softplus(x)

    @m.operation(x=m.scores, best=stable)
    def textbook(x: Node) -> Node:
        return m.log(1 + m.exp(x))

    x = np.array([-8.0, 0.5, 8.0])
    bound, attainable = textbook.error_bounds({"x": x}, "value", np.ones(3), FORMATS["float32"])
    assert bound[0] > 50 * attainable[0]
    assert np.all(attainable <= bound)


def test_without_it_the_attainable_bound_is_that_of_the_conditioning(monkeypatch: Any) -> None:
    """Where all frameworks return 0 for 2e-9, they agree and lose: within the bound, and not accurate."""
    monkeypatch.setitem(OPERATIONS, "judged", TEN["cross_entropy"])
    (found,) = references(
        [Call("judged", {"logits": np.array([20.0, 0.0]), "target": np.array(0)}, ("value",))], "float32"
    )
    (lost, kept) = verdict.judge(np.array([0.0, found["value"].rounded]), found["value"])
    assert (lost.verdict, kept.verdict) == ("stable", "exact")
    assert found["value"].attainable < 20


def test_a_bound_that_says_nothing_is_infinite() -> None:
    @m.operation(x=m.scores)
    def difference(x: Node) -> Node:
        return m.log(m.exp(x) - m.exp(x))

    assert difference.error_bounds({"x": np.ones(1)}, "value", np.ones(1), FORMATS["float32"])[0] == np.inf


def test_counts_round_nowhere() -> None:
    @m.operation(x=m.scores)
    def count(x: Node) -> Node:
        return m.sum(m.where(x > 0, 1.0, 0.0))

    bound, _ = count.error_bounds({"x": np.ones(200)}, "value", np.ones(()), FORMATS["bfloat16"])
    assert bound == 0
