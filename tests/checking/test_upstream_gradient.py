"""An upstream gradient that is left out is seen in each element, and through the division of a mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.features.upstream_gradient import leaves_out_upstream

TEXT = """\
source: a test
cases:
  - id: rows
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1], [2, 0, 1], [3, 1, 2]], target: [0, 1, 2, 0]}
    parameters: {reduction: none}
    upstream: [0.5, 3, -0.25, 4]
  - id: mean
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1], [2, 0, 1], [3, 1, 2]], target: [0, 1, 2, 0]}
    upstream: 64
  - id: plain
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1], [2, 0, 1], [3, 1, 2]], target: [0, 1, 2, 0]}
"""


@pytest.fixture
def cases(tmp_path: Path) -> dict[str, Case]:
    (tmp_path / "a.yaml").write_text(TEXT)
    return {case.id: case for case in load_cases([tmp_path])}


def row(case: str, observed: float, exact: float, index: str = "[1, 2]") -> dict[str, Any]:
    return {
        "case": case,
        "dtype": "float32",
        "observed": str(observed),
        "exact": str(exact),
        "worst_index": index,
    }


@pytest.mark.parametrize(
    ("case", "factor", "shown"),
    [("rows", 3, True), ("rows", 2, False), ("mean", 64, True), ("mean", 16, True), ("plain", 4, False)],
)
def test_ratio_is_the_upstream_gradient_or_its_share_in_a_mean(
    cases: dict[str, Case], case: str, factor: float, shown: bool
) -> None:
    rows = [row(case, exact / factor, exact) for exact in (0.5, 0.25, -2.0)]
    assert leaves_out_upstream(rows, cases) is shown


def test_checks_whose_upstream_gradient_is_one_say_nothing(cases: dict[str, Case]) -> None:
    rows = [row("rows", exact / 3, exact) for exact in (0.5, 0.25, -2.0)]
    assert leaves_out_upstream(rows + [row("plain", 1, 4)] * 9, cases)
