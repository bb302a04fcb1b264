"""Identities between two cases: what is compared, and what breaks them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import conformance
from conformance.cases.discovery import corpus
from conformance.cases.loader import load_cases
from conformance.cases.models import Equals
from conformance.errors import CaseError
from conformance.judging.case_identities import changed, distance

Floats = npt.NDArray[np.float64]
BASE = np.array([[1.0, 2, 3], [4, 5, 6]])


def equals(**keys: Any) -> Equals:
    return Equals(case="other", relation="an identity", **keys)


@pytest.mark.parametrize(
    ("keys", "change", "expected"),
    [
        ({}, "same", BASE),
        ({}, "negated", -BASE),
        ({}, "complement", 1 - BASE),
        ({"rows": [1, 0]}, "same", BASE[[1, 0]]),
        ({"classes": [2, 0, 1]}, "same", BASE[:, [2, 0, 1]]),
        ({"rows": [1], "over": 2}, "negated", -BASE[[1]] / 2),
    ],
)
def test_what_is_done_to_the_other_result(keys: dict[str, Any], change: str, expected: Floats) -> None:
    np.testing.assert_array_equal(changed(BASE, equals(**keys), change, BASE.shape), expected)


def test_classes_of_a_result_that_has_none_stay_as_they_are() -> None:
    rows = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(changed(rows, equals(classes=[2, 0, 1]), "same", (3, 3)), rows)


def test_a_distance_within_both_bounds_is_no_break() -> None:
    left, ulp = np.array([1.0, 2.0]), np.array([0.5, 0.5])
    within = distance(left, left + [0.0, 0.5], np.array([0.5, 0.5]), ulp)
    assert (within.judgement, within.largest, within.allowed) == ("within bounds", 1.0, 1.0)
    beyond = distance(left, left + [0.0, 0.75], np.array([0.5, 0.5]), ulp)
    assert (beyond.judgement, beyond.largest) == ("broken", 1.5)
    assert distance(left, left, np.zeros(2), ulp).judgement == "identical"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_special_value_on_one_side_alone_breaks_an_identity(value: float) -> None:
    measured = distance(np.array([1.0]), np.array([value]), np.array([9.0]), np.array([1.0]))
    assert measured.judgement == "broken"
    both = distance(np.array([value]), np.array([value]), np.array([9.0]), np.array([1.0]))
    assert both.judgement == "identical"


FILE = """
source: a test
cases:
  - id: base
    operation: softmax
    inputs: {x: [[0, 1, 2]]}
    dtypes: [float32]
    formulations: [functional, manual]
  - id: shifted
    operation: softmax
    inputs: {x: [[100, 101, 102]]}
    dtypes: [float32]
    formulations: [functional, manual]
    equals: {case: OTHER, relation: "softmax(x + c) = softmax(x)"}
"""


def write(folder: Path, other: str) -> Path:
    path = folder / "cases.yaml"
    path.write_text(dedent(FILE).replace("OTHER", other))
    return path


def test_a_run_judges_identities_between_its_cases(tmp_path: Path) -> None:
    path = write(tmp_path, "base")
    run = conformance.run([path], subjects=["numpy"], output=tmp_path / "out")
    relations = run.relations()
    shifted = relations[relations["relation"] == "softmax(x + c) = softmax(x)"]
    judged = {(row.quantity, row.left): row.judgement for row in shifted.itertuples()}
    # exp(100) overflows float32: the sum of exponentials by hand is no shift-invariant softmax.
    assert judged == {
        ("value", "functional"): "identical",
        ("gradient:x", "functional"): "identical",
        ("value", "manual"): "broken",
    }
    assert set(shifted["message"]) == {"with base"}
    assert set(shifted["case"]) == {"shifted"}


def test_an_identity_with_a_case_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "bass")
    with pytest.raises(CaseError, match=r"cases.yaml:14:20: equals: no case 'bass' in this file.*base"):
        load_cases([path])


def test_an_identity_between_operations_is_that_of_the_stating_case() -> None:
    """Whichever of the two cases is judged last: here the other one."""
    run = conformance.run([corpus() / "identities" / "losses.yaml"], subjects=["numpy"])
    relations = run.relations()
    binary = relations[relations["relation"] == "two-class cross_entropy = BCE of the difference"]
    assert set(binary["case"]) == {"cross-entropy-as-binary"}
    assert set(binary["operation"]) == {"cross_entropy"}
