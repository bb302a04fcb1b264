"""Verdicts: numbers apart from invalid calls, the most harmful cause first, nondeterminism before all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.checking import check, control, report
from conformance.errors import RunError
from conformance.results.loading import load

LOSSES = Path(__file__).with_name("user_losses.py")
CASES = Path(__file__).parents[1] / "verdict_cases.yaml"


def checked(name: str, **options: Any) -> check.CheckRun:
    """The check of one of the losses, in float32."""
    return check.check(f"{LOSSES}:{name}", "cross_entropy", paths=[CASES], dtypes=["float32"], **options)


def test_right_numbers_are_right_whatever_calls_are_answered(tmp_path: Path) -> None:
    run = checked("careless", output=tmp_path)
    assert run.exit_code == 0
    assert report.sentence(run).startswith("user_losses.careless is right: ")
    assert 'reduction="average"' in report.invalid_sentence(run)
    assert load(tmp_path).exit_code == 0
    stated = load(tmp_path).environment["verdict"]
    assert stated["sentence"] == report.sentence(run)
    assert stated["invalid_calls"] == run.invalid_calls
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.index("user_losses.careless is right") < page.index('id="checks"')


def test_invalid_calls_count_where_that_is_asked_for() -> None:
    run = checked("careless", invalid="fail")
    assert run.exit_code == 1
    assert report.sentence(run).startswith("user_losses.careless is wrong: it answers invalid calls")
    with pytest.raises(RunError, match="--invalid never: it is report or fail"):
        checked("careless", invalid="never")


def test_a_number_for_a_label_out_of_range_always_counts() -> None:
    run = checked("clamps_labels")
    assert run.exit_code == 1
    assert "it returns a number where a label lies beyond the last class" in report.sentence(run)


def test_a_nan_gradient_is_named_before_harmless_faults() -> None:
    run = checked("nan_behind_harmless_faults")
    first = report.sentence(run)
    assert "its gradient is nan where every row is ignored" in first
    assert run.diagnosis is not None
    assert len(run.diagnosis.causes) == 1
    for call in ('reduction="average"', "label_smoothing=1.5", "a target of the shape [1]"):
        assert call in report.invalid_sentence(run)


def test_answers_that_differ_from_call_to_call_are_told_first() -> None:
    run = checked("unsteady")
    assert run.exit_code == 1
    assert "is wrong: its answers differ from call to call (about 1 of" in report.sentence(run)
    assert len(report.cause_lines(run)) == 1


def test_a_hidden_signature_is_not_blamed_for_what_it_lacks() -> None:
    run = checked("hidden")
    assert run.exit_code == 0, report.cause_lines(run)
    assert "label smoothing and weight never tried" in report.sentence(run)


def test_legacy_calls_are_asked_of_nobody() -> None:
    cases = check.pick(check.load_cases(), "cross_entropy", "torch", ())
    assert not [case.id for case in cases if control.is_legacy(case)]
    assert [case.id for case in check.load_cases() if control.is_legacy(case)]


@pytest.mark.parametrize(
    ("end", "known"), [("killed by SIGABRT | x", True), ("killed by SIGSEGV | x", False)]
)
def test_only_the_same_crash_is_inherited(end: str, known: bool) -> None:
    row = {"case": "a", "dtype": "float32", "quantity": "value", "formulation": "functional", "known": ""}
    row |= {"verdict": "crashed", "conforms": False, "ulp_error": None, "message": "killed by SIGABRT | y"}
    control.inherit([row], {("a", "float32", "value"): {**row, "message": end}}, "torch")
    assert bool(row["known"]) == known
