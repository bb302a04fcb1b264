"""Losses and scores that subtract no maximum on one single path fail, and the first line names the path."""

from __future__ import annotations

import pytest
import score
import table

from conformance.cases.loader import load_cases

INTERACTIONS = score.ROOT / "cases" / "interactions"
FILES = {"cross_entropy": "cross_entropy", "softmax": "softmax", "logsumexp": "softmax"}
SHIFTLESS = [one for one in table.load_all(table.modules_of("torch")) if one.file == "paths/shiftless.py"]


def test_there_are_forty() -> None:
    assert len(SHIFTLESS) == 40


@pytest.mark.parametrize("operation", list(FILES))
def test_no_shift_on_one_path_fails_and_the_path_is_named(operation: str) -> None:
    alike = [one for one in SHIFTLESS if one.operation == operation]
    cases = load_cases([INTERACTIONS / f"{FILES[operation]}.yaml"])
    results = [
        result for some in score.together(alike) for result in score.run_framework("torch", some, cases)
    ]
    assert len(results) == len(alike)
    assert [result.miniature.name for result in results if not result.caught] == []
    assert [(result.miniature.name, result.sentence) for result in results if not result.names_cause] == []
