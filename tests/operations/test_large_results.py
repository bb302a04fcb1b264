"""What makes a large result affordable changes no bit of it, and is really used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.arithmetic import correct_rounding
from conformance.arithmetic.balls import Ball, accuracy, exponentials, precision
from conformance.cases.loader import load_cases
from conformance.judging.references import References
from conformance.operations import OPERATIONS, Reference, reference, row_cache, rows
from conformance.operations.error_analysis import losses
from conformance.operations.row_cache import row_of
from conformance.plan import requests

ROWS, CLASSES = 5, 37
ARRAYS = ("rounded", "high", "low", "ulp", "bound", "attainable")
QUANTITIES = ["value", "gradient:logits", "second:logits"]
FILE = """
source: s
cases:
  - id: a
    operation: cross_entropy
    inputs: {logits: {normal: {shape: [5, 37], scale: 4, seed: 1}}, target: [0, 1, 2, 3, 36]}
    quantities: QUANTITIES
    dtypes: [float32]
    why: a
"""


def _arguments(**parameters: Any) -> dict[str, Any]:
    drawn = np.random.default_rng(7)
    logits = np.float32(drawn.normal(size=(ROWS, CLASSES)) * 40).astype(np.float64)
    logits[:, 5] = -800.0  # Its probability lies outside what a double-double holds.
    return {"logits": logits, "target": np.int64([3, -100, 0, 36, 9]), **parameters}


def _bits(settled: Reference) -> list[object]:
    return [*(getattr(settled, name).tobytes() for name in ARRAYS), settled.outside]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the rows whose exponentials are computed, when no row is kept but the last."""
    lengths: list[int] = []

    def counting(values: Sequence[float], maximum: float) -> list[Ball]:
        lengths.append(len(values))
        return exponentials(values, maximum)

    monkeypatch.setattr(rows, "exponentials", counting)
    monkeypatch.setattr(row_cache, "MAX_CACHED_LOGITS", CLASSES)
    monkeypatch.setattr(row_cache, "MIN_LONG_ROW_LOGITS", CLASSES)
    monkeypatch.setattr(row_cache, "_cache", row_cache._RowCache())
    return lengths


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_a_loss_needs_no_exponential_again(
    monkeypatch: pytest.MonkeyPatch, computed: list[int], smoothing: float
) -> None:
    arguments = _arguments(label_smoothing=smoothing)
    reference("cross_entropy", arguments, "gradient:logits", "float32")
    assert computed == [CLASSES] * (ROWS - 1)
    value = reference("cross_entropy", arguments, "value", "float32")
    assert computed == [CLASSES] * (ROWS - 1)
    monkeypatch.setattr(row_cache, "_cache", row_cache._RowCache())
    assert _bits(reference("cross_entropy", arguments, "value", "float32")) == _bits(value)
    assert computed == [CLASSES] * (ROWS - 1) * 2


def test_a_gradient_that_finds_the_sums_is_the_same(computed: list[int]) -> None:
    arguments = _arguments()
    first = reference("cross_entropy", arguments, "gradient:logits", "float32")
    again = reference("cross_entropy", arguments, "gradient:logits", "float32")
    assert _bits(first) == _bits(again)
    assert computed == [CLASSES] * (ROWS - 1) * 2


def test_a_sum_serves_its_own_precision_alone(computed: list[int]) -> None:
    logits = _arguments()["logits"][0]
    for bits in (128, 256, 128):
        with precision(bits):
            assert accuracy(row_of(logits).rest) == pytest.approx(bits, abs=16)
    assert computed == [CLASSES] * 2


@pytest.mark.parametrize("operation", ["softmax", "log_softmax"])
def test_a_row_is_computed_when_it_is_asked_for(computed: list[int], operation: str) -> None:
    values = iter(OPERATIONS[operation].balls({"x": _arguments()["logits"]}, "value", np.ones(())))
    for row in range(ROWS):
        assert len(computed) == row
        assert len(list(islice(values, CLASSES))) == CLASSES


@pytest.mark.parametrize("first", ["value", "gradient:logits"])
def test_whichever_is_asked_first_rows_are_computed_once(
    tmp_path: Path, computed: list[int], first: str
) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(FILE.replace("QUANTITIES", "[value, gradient]"))
    (group,) = requests.make(load_cases([path]), ["numpy"]).groups
    references = References(tmp_path / "cache")
    for quantity in (first, *group.case.quantity_names()):
        references.get(group, quantity)
    references.close()
    assert computed == [CLASSES] * ROWS


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_parts_are_the_whole(monkeypatch: pytest.MonkeyPatch, quantity: str, reduction: str) -> None:
    arguments = _arguments(reduction=reduction, weight=np.arange(1.0, CLASSES + 1))
    bits = []
    for part in (10**6, 2 * CLASSES, 1):
        monkeypatch.setattr(losses, "PART_LOGITS", part)
        monkeypatch.setattr(correct_rounding, "PART_BALLS", part)
        bits.append(_bits(reference("cross_entropy", arguments, quantity, "float64")))
    assert bits[0] == bits[1] == bits[2]
    assert bool(bits[0][-1]) == (quantity != "value")
