"""A formula's operation, known by its name in this process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import conformance
from conformance import formula as m
from conformance.errors import ArgumentError
from conformance.operations import OPERATIONS

Node = m.Expression


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


def made(constant: float, name: str = "scaled") -> m.FormulaOperation:
    def scaled(x: Node) -> Node:
        return x * constant

    scaled.__name__ = name
    return m.operation(x=m.scores)(scaled)


def test_exact_values_of_a_registered_formula() -> None:
    m.register(made(3.0))
    exact = conformance.exact("scaled", np.array([0.1], np.float32))
    assert exact.to("float32") == np.float32(np.float64(np.float32(0.1)) * 3)
    assert exact.gradient("x").to("float32") == 3


def test_a_later_one_of_the_same_name_takes_its_place() -> None:
    m.register(made(3.0))
    m.register(made(4.0))
    assert conformance.exact("scaled", np.array([1.0])).to("float64") == 4


def test_the_suites_own_names_are_refused() -> None:
    with pytest.raises(ArgumentError, match="has an operation 'softmax' of its own: use another name"):
        m.register(made(1.0, "softmax"))
