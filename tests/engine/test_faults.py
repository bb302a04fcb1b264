"""A subject may die, hang or lie: it costs the check that it did so on, and no other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from conformance import engine
from conformance.results import Run
from conformance.subject import Subject

HOSTILE = Path(__file__).with_name("hostile.py")
CASES = """
source: tests
cases:
"""
CASE = """
  - id: case-{number}
    operation: softmax
    inputs: {{x: [{first}, 1.0, 2.0]}}
    dtypes: [float32]
    formulations: [functional]
    quantities: [value]
    why: one of several
"""
#: Where the fault strikes: cases 0 .. 5 run in order, the third is the culprit.
CULPRIT = 2


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Six cases, of which one triggers the fault."""
    file = tmp_path / "cases.yaml"
    firsts = [666.0 if number == CULPRIT else float(number) for number in range(6)]
    file.write_text(CASES + "".join(CASE.format(number=n, first=first) for n, first in enumerate(firsts)))
    return file


def run(cases: Path, fault: str, **options: Any) -> Run:
    """The cases through a subject with that fault."""
    there = {"PYTHONPATH": str(HOSTILE.parents[2])}
    subject = Subject("numpy", "numpy", command=(sys.executable, str(HOSTILE), fault), environment=there)
    return engine.run([cases], under_test=[subject], **options)


@pytest.mark.parametrize(
    ("fault", "verdict", "said"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        ("killed", "crashed", "SIGKILL"),
        ("exit", "crashed", "exit code 0"),
        ("exit 3", "crashed", "the last words"),
        ("garbage", "crashed", "no frame"),
        ("half a frame", "crashed", "ends inside a frame"),
        ("gigabytes", "crashed", "above the limit"),
        ("wrong id", "crashed", "answers no open request"),
        ("no outcomes", "crashed", "without an outcome"),
        ("hang", "timed out", "no answer within 1 s"),
        ("closes stdout", "crashed", "closed its output"),
        ("wrong shape", "wrong", "shape [2]"),
        ("wrong dtype", "wrong", "dtype float64"),
        ("integers", "wrong", "dtype int32"),
    ],
)
def test_a_fault_costs_its_check_alone(cases: Path, fault: str, verdict: str, said: str) -> None:
    """The culprit gets the verdict and the cause; every other check conforms."""
    result = run(cases, fault, limit=1.0 if fault == "hang" else 20.0)
    rows = {row["case"]: row for row in result.frame.to_dict("records")}
    assert len(rows) == 6
    culprit = rows.pop(f"case-{CULPRIT}")
    assert culprit["verdict"] == verdict
    assert said in culprit["message"]
    assert culprit["conforms"] is False
    assert [row["conforms"] for row in rows.values()] == [True] * 5
    assert result.complete
    assert result.exit_code == 1


def test_a_death_that_does_not_repeat_costs_nothing(cases: Path, tmp_path: Path) -> None:
    """A process that dies once, as one killed for memory by a neighbour's need, gets another try."""
    result = run(cases, f"killed:once:{tmp_path / 'died'}")
    assert (tmp_path / "died").exists()
    assert list(result.frame["conforms"]) == [True] * 6


def test_a_subject_that_cannot_start(cases: Path) -> None:
    """Its first check says why, the others that they have not been run; nothing hangs."""
    result = run(cases, "cannot start")
    assert list(result.frame["verdict"]) == ["crashed"] + ["not run"] * 5
    assert "no such framework here" in result.frame["message"][0]
    assert result.exit_code == 1


def test_a_command_that_does_not_exist(cases: Path) -> None:
    """The operating system's word is the message."""
    subject = Subject("numpy", "numpy", command=("/nonexistent/python",))
    result = engine.run([cases], under_test=[subject])
    assert "cannot start" in result.frame["message"][0]
