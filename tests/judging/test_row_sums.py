"""Rows that sum to one or to zero, judged on one observation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.execution import session
from conformance.judging.row_sums import RowSums, row_sums
from conformance.operations import OPERATIONS, reference

X = np.array([[0.0, 1.0, -2.0], [5.0, 5.0, 5.0]])
LABELS = {"logits": X, "target": np.array([1, -100]), "reduction": "sum"}


def sums_of(operation: str, quantity: str, dtype: str = "float32", **arguments: Any) -> RowSums:
    complete = OPERATIONS[operation].completed(arguments)
    found = row_sums(operation, complete, quantity, reference(operation, complete, quantity, dtype))
    assert found is not None
    return found


def right(operation: str, quantity: str, dtype: str = "float32", **arguments: Any) -> np.ndarray:
    return reference(operation, arguments, quantity, dtype).rounded


@pytest.mark.parametrize("quantity", ["value", "gradient:x", "second:x"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_rounded_exact_values_lie_within_what_their_bounds_grant(
    quantity: str, axis: int, dtype: str
) -> None:
    for operation in ("softmax", "log_softmax"):
        if (operation, quantity) != ("log_softmax", "value"):
            sums = sums_of(operation, quantity, dtype, x=X, axis=axis)
            found = sums.judge([right(operation, quantity, dtype, x=X, axis=axis)])[0]
            assert not found.beyond
            assert found.largest <= 3


def test_a_sum_that_is_one_to_the_last_bit_is_identical() -> None:
    sums = sums_of("softmax", "value", x=np.zeros((2, 4)))
    assert sums.judge([np.full((2, 4), 0.25)])[0].judgement == "identical"


def test_a_sum_that_rounds_to_one_is_not_one() -> None:
    sums = sums_of("softmax", "value", "float64", x=np.array([[0.0, -80.0]]))
    assert sums.judge([np.array([[1.0, 1e-35]])])[0].judgement == "within bounds"


def test_each_of_several_observations_is_judged_alone() -> None:
    sums = sums_of("softmax", "value", x=np.zeros((2, 4)))
    exact, nans = np.full((2, 4), 0.25), np.full((2, 4), np.nan)
    found = sums.judge([exact, exact * 1.5, nans])
    assert [one.judgement for one in found] == ["identical", "broken", "broken"]
    assert found == [sums.judge([one])[0] for one in (exact, exact * 1.5, nans)]


def test_a_row_that_is_off_is_broken_by_as_many_ulps_of_one() -> None:
    sums = sums_of("softmax", "value", x=np.zeros((2, 4)))
    off = np.full((2, 4), 0.25)
    off[1, 2] += 64 * 2.0**-23
    found = sums.judge([off])[0]
    assert found.judgement == "broken"
    assert found.largest == 64
    assert 4 < found.allowed < 64


def test_the_scale_of_zero_is_the_largest_element_of_the_row() -> None:
    sums = sums_of("cross_entropy", "gradient:logits", **LABELS)
    gradient = right("cross_entropy", "gradient:logits", **LABELS)
    gradient[0, 1] *= 1.5
    assert sums.judge([gradient])[0].judgement == "broken"
    assert sums.ulp == np.spacing(np.float32(-gradient[0, 1] / 1.5))


def test_an_ignored_row_and_a_row_without_a_value_say_nothing() -> None:
    gradient = right("cross_entropy", "gradient:logits", **LABELS)
    gradient[1] = np.nan
    assert not sums_of("cross_entropy", "gradient:logits", **LABELS).judge([gradient])[0].beyond
    infinite = np.array([[np.inf, np.inf, 0.0], [0.0, 1.0, 2.0]])
    assert sums_of("softmax", "value", x=infinite).rows.tolist() == [1]


def test_a_number_that_is_not_finite_breaks_the_sum() -> None:
    found = sums_of("softmax", "value", x=X).judge([np.full((2, 3), np.nan)])[0]
    assert found.judgement == "broken"
    assert found.largest == np.inf


def test_a_run_judges_them(tmp_path: Path) -> None:
    file = tmp_path / "sums.yaml"
    file.write_text(
        "source: here\ncases:\n"
        "  - {id: sums, operation: log_softmax, inputs: {x: [[1.0, 2.0, 4.0]]}, dtypes: [float32]}\n"
    )
    run = session.run(subjects=["numpy"], paths=[str(file)])
    rows = run.relations()
    rows = rows[rows["relation"] == "gradient rows sum to zero"]
    assert list(rows["left"]) == ["functional"]
    assert list(rows["right"]) == ["0"]
    assert set(rows["judgement"]) <= {"identical", "within bounds"}
