"""The words for what a function does wrong name the quantity that is wrong there."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cases.loader import load_cases
from conformance.checking.root_cause import diagnose


def judged(case: str, quantity: str, conforms: bool, verdict: str = "wrong") -> dict[str, Any]:
    return {
        "case": case,
        "dtype": "float32",
        "quantity": quantity,
        "conforms": conforms,
        "verdict": "exact" if conforms else verdict,
        "message": None,
        "observed": "",
        "exact": "",
        "worst_index": "",
        "elements": 1,
    }


@pytest.mark.parametrize(
    ("also", "verdict", "does"),
    [
        (["value"], "wrong", "its value is wrong"),
        (["value"], "lossy", "its value is wrong"),
        ([], "wrong", "its gradient is wrong nearly everywhere"),
        ([], "lossy", "its gradient loses accuracy nearly everywhere"),
    ],
)
def test_what_is_wrong_is_named_where_it_is(also: list[str], verdict: str, does: str) -> None:
    """All gradients fail, and one value in another place."""
    cases = {case.id: case for case in load_cases() if case.operation == "softmax" and case.expect != "error"}
    names = sorted(cases)[:40]
    rows = [judged(name, "value", name != names[0] or not also) for name in names]
    rows += [judged(name, "gradient:x", False, verdict) for name in names]
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert diagnosis.causes[0].does == does


def test_a_second_derivative_is_no_value() -> None:
    cases = {case.id: case for case in load_cases() if case.id.startswith("softmax-")}
    names = sorted(cases)[:12]
    rows = [
        judged(name, quantity, quantity == "value") for name in names for quantity in ("value", "second:x")
    ]
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert diagnosis.causes[0].does == "its second derivative is wrong nearly everywhere"
