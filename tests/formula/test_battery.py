"""The cases of a formula, from the kinds of its inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from formula.test_running_error import focal, poly

from conformance import formula as m
from conformance.cases.battery.cases import Battery, battery
from conformance.cases.case import Case
from conformance.checking.features.input_features import of_case
from conformance.errors import ArgumentError
from conformance.operations import OPERATIONS

Node = m.Expression


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


@m.operation(logits=m.scores, target=m.labels, weight=m.weights)
def ignoring(
    logits: Node,
    target: Node,
    *,
    weight: Node | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Node:
    kept = m.where(target == ignore_index, 0.0, 1.0 if weight is None else m.take(weight, target))
    rows = m.where(target == ignore_index, 0.0, -kept * m.take(m.log_softmax(logits), target))
    return m.reduce(rows, reduction, m.sum(kept))


def made(operation: m.FormulaOperation) -> dict[str, Case]:
    m.register(operation)
    name = operation.name
    return {case.id.removeprefix(f"{name}-"): case for case in battery(operation).cases}


def test_a_loss_over_classes_has_what_such_losses_break_at() -> None:
    cases = made(ignoring)
    assert cases.keys() >= {
        *("plain", "reduction-none", "reduction-sum", "upstream", "ties", "zeros", "offset-256"),
        *("dominant-40",),
        *("gaps", "overflow", "underflow", "nan", "masked", "last-target", "ignored", "all-ignored"),
        *("ignored-class", "ignored-nan", "weight-mean", "weight-none", "transposed", "strided", "reversed"),
        *("one-axis", "three-axes", "one-row", "one-class", "many-rows", "many-classes", "empty"),
    }
    assert cases["overflow"].arguments("float32")["logits"][1, 0] == 88.72283935546875
    assert np.isneginf(cases["masked"].arguments("float16")["logits"]).any()
    assert (cases["all-ignored"].arguments("float32")["target"] == -100).all()
    assert cases["ignored-nan"].quantity_names() == ("value",)
    assert cases["weight-none"].arguments("float32")["weight"].shape == (6,)


def test_a_loss_of_elements_meets_each_target_in_both_tails() -> None:
    cases = made(focal)
    assert cases.keys() >= {
        "overflow-target-0",
        "overflow-target-1",
        "ladder-negative-target-0",
        "hard-target",
    }
    assert cases.keys() >= {"gamma-0", "gamma-1", "gamma-4", "alpha-0.125"}
    assert not cases.keys() & {"masked", "offset-256", "last-target"}
    assert "probabilities" not in of_case(cases["plain"], "float32")
    assert "soft" in of_case(cases["plain"], "float32")


def test_the_same_formula_has_the_same_cases() -> None:
    first, second = made(poly), made(poly)
    assert first.keys() == second.keys()
    for name, case in first.items():
        for dtype in case.dtypes:
            again = second[name].arguments(dtype)
            for argument, value in case.arguments(dtype).items():
                np.testing.assert_array_equal(value, again[argument])


def test_what_has_no_value_is_left_out_and_counted() -> None:
    @m.operation(x=m.scores)
    def kinked(x: Node) -> Node:
        return m.sum(m.abs(x))

    m.register(kinked)
    found: Battery = battery(kinked)
    by_id = {case.id: case for case in found.cases}
    assert by_id["kinked-zeros"].quantities == ("value",)
    assert by_id["kinked-plain"].quantities == ("value", "gradient")
    assert found.left_out >= 4


def test_matrices_share_the_dimensions_that_they_name() -> None:
    @m.operation(hidden=m.matrix("tokens", "features"), head=m.matrix("classes", "features"), target=m.labels)
    def linear(hidden: Node, head: Node, target: Node) -> Node:
        return m.mean(m.cross_entropy(hidden @ m.transpose(head), target))

    arguments = made(linear)["plain"].arguments("float32")
    shapes = {name: value.shape for name, value in arguments.items()}
    assert shapes == {"hidden": (4, 5), "head": (6, 5), "target": (4,)}
    assert made(linear)["plain"].quantity_names() == ("value", "gradient:hidden", "gradient:head")


def test_labels_beside_matrices_need_a_dimension_of_classes() -> None:
    @m.operation(left=m.matrix("rows", "columns"), target=m.labels)
    def loss(left: Node, target: Node) -> Node:
        return m.mean(m.take(left, target))

    m.register(loss)
    with pytest.raises(ArgumentError, match="call the dimension of the classes 'classes'"):
        battery(loss)
