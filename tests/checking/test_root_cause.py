"""The words for what a function does wrong name the quantity that is wrong there."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.fault_words import LOSSY, WRONG
from conformance.checking.features.feature_phrases import PHRASES
from conformance.checking.features.input_features import of_case
from conformance.checking.root_cause import Cause, diagnose
from conformance.checking.untried import untried


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


def test_of_two_causes_as_harmful_the_words_decide() -> None:
    """Checks of which some are wrong and most lossy come behind those of which most are wrong."""
    lossy = Cause("it loses accuracy", "the dtype is float64", 122, 200, WRONG, harm_in_words=LOSSY)
    wrong = Cause("its value is wrong", "there is a weight", 75, 100, WRONG)
    mild = Cause("it loses accuracy", "", 300, 300, LOSSY)
    assert sorted([mild, lossy, wrong], key=lambda cause: cause.rank) == [wrong, lossy, mild]


def in_both_dtypes(operation: str) -> dict[str, Case]:
    """An operation's cases that are asked in float32 and in float64."""
    asked = [case for case in load_cases() if case.operation == operation and case.expect != "error"]
    return {case.id: case for case in asked if {"float32", "float64"} <= set(case.dtypes)}


def test_leftover_without_words_for_where_comes_after_a_cause_that_has_them() -> None:
    leftover = Cause("it returns 0", "", 1, 200, WRONG, harm_in_words=WRONG)
    explained = Cause("it loses accuracy", "scores are large", 61, 68, WRONG, harm_in_words=LOSSY)
    everywhere = Cause("its value is wrong", "", 190, 200, WRONG, harm_in_words=WRONG)
    milder = Cause("its gradient is wrong", "scores are large", 190, 200, WRONG + 1)
    ranked = sorted([milder, leftover, explained, everywhere], key=lambda cause: cause.rank)
    assert ranked == [everywhere, explained, leftover, milder]


@pytest.mark.parametrize(("message", "named"), [("nan where a number is right", True), ("", False)])
def test_overflow_is_no_cause_of_a_number_that_is_merely_wrong(message: str, named: bool) -> None:
    """Where it tells as much as scores that lie far apart, and one of the two is to be named."""
    cases = {case.id: case for case in load_cases() if case.operation == "softmax" and case.expect != "error"}
    apart = {name for name in cases if {"overflow", "gap above 30"} <= of_case(cases[name], "float32")}
    others = {name for name in cases if not {"overflow", "gap above 30"} & of_case(cases[name], "float32")}
    rows = [judged(name, "value", name in others) | {"message": message} for name in sorted(apart | others)]
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert ("overflow" in diagnosis.causes[0].features) is named


def test_an_error_of_one_size_is_named_by_where_it_is_plain() -> None:
    """As an epsilon's: digits are lost all over float64, all of them where probabilities are small."""
    cases = in_both_dtypes("softmax")
    rows = []
    for name, case in cases.items():
        for dtype in ("float32", "float64"):
            small = "gap above 30" in of_case(case, dtype)
            verdict = "wrong" if small else "lossy"
            conforms = dtype == "float32" and not small
            rows.append(judged(name, "value", conforms, verdict) | {"dtype": dtype})
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert diagnosis.sentence == f"its value is wrong where {PHRASES['gap above 30']}"
    assert diagnosis.causes[1].sentence == "it loses accuracy where the dtype is float64"


def test_a_dtype_s_lost_digits_are_one_cause_with_its_gradient() -> None:
    """Where values lose digits in float64 alone, gradients that are wrong there are no other news."""
    cases = in_both_dtypes("softmax")
    rows = [
        judged(name, quantity, dtype == "float32", verdict) | {"dtype": dtype}
        for name in cases
        for dtype in ("float32", "float64")
        for quantity, verdict in (("value", "lossy"), ("gradient:x", "wrong"))
    ]
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert [cause.sentence for cause in diagnosis.causes] == ["it loses accuracy where the dtype is float64"]


def test_what_was_never_tried_begins_with_what_matters() -> None:
    """Narrower integers are one word, and the last."""
    cases = {case.id: case for case in load_cases() if case.operation == "cross_entropy"}
    rows = []
    for case in cases.values():
        floating = case.expect != "error" and case.arguments("float32")["target"].dtype.kind == "f"
        # where an error is right, one for labels of probabilities is right, too
        lacks = case.label_dtype != "int64" or "label_smoothing" in case.parameters or floating
        row = judged(case.id, "value", not lacks)
        rows.append(row | {"conforms": None if lacks else True, "formulation": "functional"})
    names = untried(rows, cases)
    assert names[-1] == "labels in narrower integers"
    assert {"label smoothing", "class probabilities"} <= set(names)
    assert not [name for name in names if "int8" in name]


@pytest.mark.parametrize(
    ("gradients", "does"),
    [(True, "its value loses accuracy, its gradient does not"), (None, "it loses accuracy")],
)
def test_digits_that_the_value_alone_loses_are_the_value_s(gradients: bool | None, does: str) -> None:
    """Gradients of the same cases conform, or are not asked."""
    cases = in_both_dtypes("softmax")
    rows = []
    for name, case in cases.items():
        spread = "gap above 30" in of_case(case, "float32")
        rows.append(judged(name, "value", not spread, "lossy"))
        rows += [] if gradients is None else [judged(name, "gradient:x", gradients)]
    diagnosis = diagnose(rows, cases)
    assert diagnosis is not None
    assert diagnosis.sentence == f"{does} where {PHRASES['gap above 30']}"
