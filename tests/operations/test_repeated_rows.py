"""A loss over rows that are mostly alike is the loss over them one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance import exact
from conformance.operations import repeated_rows

FEW = np.float32([[1, 2, 3], [0, -4, 9], [5, 5, 5.5], [-0.0, 0, 1]])
COUNT = 1 << 12


@pytest.mark.parametrize("operation", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"reduction": "sum"},
        {"weight": np.float32([0.5, 2, 3])},
        {"weight": np.float32([0.5, 2, 3]), "reduction": "sum"},
        {"ignore_index": 1},
        {"ignore_index": 1, "weight": np.float32([1, 2, 0])},
    ],
)
def test_as_if_none_were_alike(monkeypatch: pytest.MonkeyPatch, operation: str, more: dict[str, Any]) -> None:
    """To the last of fifty digits, with rows in any order."""
    chosen = np.random.default_rng(1).integers(0, len(FEW), COUNT)
    labels = np.int64([0, 1, 2, 1])[chosen]
    values = []
    for many in (COUNT, COUNT + 1):
        monkeypatch.setattr(repeated_rows, "MIN_COUNTED_ROWS", many)
        counted = repeated_rows.distinct_rows({"logits": FEW[chosen], "target": labels}, "logits")
        assert (counted is not None) == (many == COUNT)
        values.append(exact(operation, FEW[chosen], labels, **more).digits(50))
    assert values[0] == values[1]


def test_what_is_not_alike_to_the_bit_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """-0 and 0, a label more; rows that mostly differ are not worth it."""
    monkeypatch.setattr(repeated_rows, "MIN_COUNTED_ROWS", 1)
    rows = np.float64([[0, 1], [-0.0, 1]] * 50)
    distinct = repeated_rows.distinct_rows({"logits": rows, "target": np.int64([0, 0, 1, 1] * 25)}, "logits")
    assert distinct is not None
    assert sorted(distinct[1]) == [25] * 4
    different = np.arange(200.0).reshape(100, 2)
    assert (
        repeated_rows.distinct_rows({"logits": different, "target": np.zeros(100, np.int64)}, "logits")
        is None
    )


@pytest.mark.parametrize("operation", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("factors", [(), ("weight",), ("weight", "pos_weight")])
def test_elements_as_if_none_were_alike(
    monkeypatch: pytest.MonkeyPatch, operation: str, reduction: str, factors: tuple[str, ...]
) -> None:
    """To the last of fifty digits: elements that differ in a factor alone are told apart."""
    if operation == "binary_cross_entropy" and "pos_weight" in factors:
        factors = ("weight",)
    chosen = np.random.default_rng(2).integers(0, 5, COUNT)
    score = np.float32([0.25, 0.5, 0.5, 0.5, 0.75])[chosen]
    target = np.float32([0, 1, 1, 0, 0.5])[chosen]
    more = {name: np.float32([1, 2, 3, 0, 0.7])[chosen] for name in factors}
    values = []
    for many in (COUNT, COUNT + 1):
        monkeypatch.setattr(repeated_rows, "MIN_COUNTED_ROWS", many)
        values.append(exact(operation, score, target, reduction=reduction, **more).digits(50))
    assert values[0] == values[1]
