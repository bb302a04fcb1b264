"""Cases that leave a convention open: either decision is right, any other answer is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.judging.either_convention import judged_by_convention
from conformance.judging.observation import Observation
from conformance.judging.references import References
from conformance.plan.groups import Group
from conformance.plan.requests import Request

CASE = """
source: a test
cases:
  - id: open
    operation: softmax
    inputs: {x: [[0, 0], [1, 2]]}
    parameters: {where: [[1, 1], [0, 0]]}
    dtypes: [float32]
    quantities: [value]
"""


def group_of(directory: Path, more: str = "") -> Group:
    path = directory / "open.yaml"
    path.write_text(CASE + more, encoding="utf-8")
    (case,) = load_cases([path])
    return Group(0, case, "float32")


def verdicts_of(group: Group, answers: dict[str, list[list[float]]], directory: Path) -> dict[str, str]:
    request = Request(0, group, "functional", ("value",))
    observations = [
        Observation(name, request, {"status": "returned"}, "float32", (2, 2), np.array(values), name)
        for name, values in answers.items()
    ]
    references = References(directory / "cache", [group])
    own = references.get(group, "value", "float32")
    decided = list(judged_by_convention(group, "value", "float32", observations, own, references.get))
    assert sorted(each.subject for _, members in decided for each in members) == sorted(answers)
    return {each.subject: each.judgement.verdict for each in observations if each.judgement}


NAN = float("nan")
ANSWERS = {
    "nan": [[0.5, 0.5], [NAN, NAN]],
    "zero": [[0.5, 0.5], [0.0, 0.0]],
    "uniform": [[0.5, 0.5], [0.5, 0.5]],
    "neither": [[0.25, 0.75], [0.0, 0.0]],
}


def test_either_decision_is_right_and_nothing_else(tmp_path: Path) -> None:
    verdicts = verdicts_of(group_of(tmp_path, "    convention: masked_row\n"), ANSWERS, tmp_path)
    assert verdicts == {"nan": "exact", "zero": "exact", "uniform": "wrong", "neither": "wrong"}


def test_without_the_key_the_suite_s_own_is_right_alone(tmp_path: Path) -> None:
    verdicts = verdicts_of(group_of(tmp_path), ANSWERS, tmp_path)
    assert verdicts == {"nan": "exact", "zero": "wrong", "uniform": "wrong", "neither": "wrong"}


def test_a_convention_that_decides_nothing_is_a_fault_of_the_case(tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(CASE.replace("[0, 0]]}", "[0, 1]]}") + "    convention: masked_row\n", encoding="utf-8")
    with pytest.raises(CaseError, match=r"open\.yaml:10:.*masked_row.*does not depend on it"):
        load_cases([path])
