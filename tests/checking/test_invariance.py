"""Bitwise invariance: what depends on the batch, on threads or on other calls fails, or is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import conformance
from conformance.checking.check_run import CheckRun
from conformance.checking.report import details, sentence

FUNCTIONS = Path(__file__).with_name("dependent_sigmoids.py")
CASES = Path(__file__).parents[2] / "cases" / "invariance" / "elementwise.yaml"


def checked(name: str, strict: bool = False) -> CheckRun:
    """A sigmoid under the cases of invariance."""
    function = f"{FUNCTIONS}:{name}"
    return conformance.check(function, "sigmoid", paths=[CASES], dtypes=["float32"], strict=strict)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("by_batch", "its result for a row depends on the batch"),
        ("by_threads", "its result depends on the number of threads"),
        ("by_call", "its result changes when it is called a second time"),
        ("by_other_calls", "its result changes when two calls run at once"),
    ],
)
def test_what_depends_on_the_circumstances_fails_and_the_first_line_says_so(name: str, words: str) -> None:
    run = checked(name)
    assert run.exit_code == 1
    assert sentence(run) == f"dependent_sigmoids.{name} is wrong: {words}."


def test_bits_that_change_within_bounds_are_told_and_count_with_strict_alone() -> None:
    told = "its bits depend on the batch around a row, within bounds: "
    run, strict = checked("by_batch_within_bounds"), checked("by_batch_within_bounds", strict=True)
    assert (run.exit_code, strict.exit_code) == (0, 1)
    assert "is right: " in sentence(run)
    assert told in details(run)
    assert told in sentence(strict)


def test_a_function_that_depends_on_nothing_is_right() -> None:
    run = checked("right", strict=True)
    assert (run.exit_code, run.bits) == (0, "")
    frame = run.invariance()
    own = frame[frame["subject"] == run.subject]
    assert set(own["verdict"]) == {"bitwise"}
    assert set(own["kind"]) == {"batch", "position", "layout", "repeat", "threads", "concurrency"}
