"""A formula's operation, known by its name in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import conformance
from conformance import formula as m
from conformance.checking.formula_module import formula_operation
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


def test_a_file_s_formula_of_a_name_of_the_suite_s_stands_beside_it(tmp_path: Path) -> None:
    """As a function against it would: `check kernels.py:loss --formula focal.py:sigmoid_focal_loss`."""
    path = tmp_path / "focal.py"
    path.write_text(
        "from conformance import formula as m\n\n\n"
        "@m.operation(logits=m.scores, target=m.targets)\n"
        "def sigmoid_focal_loss(logits, target):\n"
        "    return m.mean(m.binary_cross_entropy_with_logits(logits, target))\n",
        encoding="utf-8",
    )
    before = OPERATIONS["sigmoid_focal_loss"]
    operation = formula_operation(f"{path}:sigmoid_focal_loss")
    assert operation.name == "focal.sigmoid_focal_loss"
    assert OPERATIONS["focal.sigmoid_focal_loss"] is operation
    assert OPERATIONS["sigmoid_focal_loss"] is before


def test_a_formula_beside_the_suite_s_keeps_its_name_in_the_file_s_own_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is registered is a copy: the object may be part of the user's program."""
    theirs = made(1.0, "sigmoid_focal_loss")
    holder = ModuleType("holder_of_a_formula")
    vars(holder)["loss"] = theirs
    monkeypatch.setitem(sys.modules, holder.__name__, holder)
    path = tmp_path / "focal.py"
    path.write_text("from holder_of_a_formula import loss\n", encoding="utf-8")
    operation = formula_operation(f"{path}:loss")
    assert operation.name == "focal.sigmoid_focal_loss"
    assert theirs.name == "sigmoid_focal_loss"


def test_the_suites_own_names_are_refused() -> None:
    with pytest.raises(ArgumentError, match="has an operation 'softmax' of its own: use another name"):
        m.register(made(1.0, "softmax"))
