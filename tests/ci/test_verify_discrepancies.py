"""Continuous integration tells a find, which the framework alone shows, from a fault of the suite."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import conformance

HERE = Path(__file__).parent
BCE = """
source: https://github.com/pytorch/pytorch/issues/195529
cases:
  - id: cancels
    operation: binary_cross_entropy_with_logits
    inputs: {logits: [-24.0, 1.0], target: [0.0, 1.0]}
    parameters: {reduction: none}
    dtypes: [float32]
    formulations: [functional]
    quantities: [value]
"""
SOFTMAX = """
source: a test
cases:
  - id: plain
    operation: softmax
    inputs: {x: [[1.0, 2.0, 3.0]]}
    dtypes: [float32]
    formulations: [functional]
    quantities: [value]
"""


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "verify_discrepancies", HERE.parents[1] / ".ci" / "verify_discrepancies.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


VERIFY = _module()


def stored(folder: Path, text: str, **options: object) -> Path:
    """The directory of a run over the cases of a text."""
    file = folder / "cases.yaml"
    file.write_text(text)
    conformance.run([file], output=folder / "out", **options)
    return folder / "out"


def test_what_the_framework_alone_shows_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = stored(tmp_path, BCE, subjects=["torch"])
    assert len(conformance.load(out).discrepancies()) == 1
    assert VERIFY.main([str(out)]) == 0
    printed = capsys.readouterr().out
    assert "find: torch cancels functional value float32: wrong: 0.0, exact 3.77" in printed
    assert "1 discrepancy that the framework alone shows, 0 faults of the suite" in printed


def test_what_an_adapter_invents_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subjects = tmp_path / "subjects.yaml"
    command = [sys.executable, str(HERE / "altered_torch.py")]
    subjects.write_text(json.dumps({"subjects": [{"subject": "torch", "command": command}]}))
    out = stored(tmp_path, SOFTMAX, subjects_file=subjects)
    assert VERIFY.main([str(out)]) == 1
    printed = capsys.readouterr().out
    assert "FAULT: torch plain functional value float32: wrong" in printed
    assert "0 discrepancies that the framework alone shows, 1 fault of the suite" in printed


def test_a_reference_that_deviates_and_an_incomplete_run_fail(tmp_path: Path) -> None:
    run = conformance.load(stored(tmp_path, SOFTMAX, subjects=["numpy"]))
    assert list(VERIFY.faults_of_the_run(run)) == []
    run.frame["conforms"], run.environment["complete"] = False, False
    incomplete, deviates = VERIFY.faults_of_the_run(run)
    assert incomplete == "the run is not complete"
    assert deviates.startswith("the NumPy reference deviates: numpy plain functional value float32")


def test_a_directory_without_a_run_is_a_bad_call(tmp_path: Path) -> None:
    assert VERIFY.main([str(tmp_path)]) == 2


CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGABRT)"


def test_a_program_that_dies_costs_no_other_its_outcome() -> None:
    first, dead, last = VERIFY.run_programs(["result = 1\nprint(result)", CRASH, "raise KeyError(1)"])
    assert (first.printed, dead.signal, last.error) == ("1", "SIGABRT", "KeyError")


@pytest.mark.parametrize(
    ("row", "outcome", "shows"),
    [
        ({"verdict": "crashed", "message": "killed by SIGABRT | LLVM"}, {"signal": "SIGABRT"}, True),
        ({"verdict": "crashed", "message": "killed by SIGSEGV"}, {"signal": "SIGABRT"}, False),
        ({"verdict": "crashed", "message": "killed by SIGABRT"}, {"printed": "1.0"}, False),
        ({"verdict": "timed out", "message": ""}, {"hung": True}, True),
        ({"verdict": "raised", "message": "ValueError: no"}, {"error": "ValueError"}, True),
        ({"verdict": "raised", "message": "ValueError: no"}, {"error": "TypeError"}, False),
        ({"verdict": "wrong", "message": "outside the bound", "observed": "nan"}, {"printed": "nan"}, True),
        ({"verdict": "wrong", "message": "outside the bound", "observed": "0.0"}, {"printed": "-0.0"}, False),
        ({"verdict": "lossy", "message": "outside", "observed": "0.1"}, {"printed": "0.10000001"}, False),
        ({"verdict": "lossy", "message": "outside", "observed": "0.1"}, {"error": "ValueError"}, False),
        (
            {"verdict": "wrong", "message": "returned a value where an error is right"},
            {"printed": "[1.0]"},
            True,
        ),
        (
            {"verdict": "wrong", "message": "returned shape [0] where [] is right"},
            {"printed": "[]", "facts": "[0] torch.float32"},
            True,
        ),
        (
            {"verdict": "wrong", "message": "returned shape [0] where [] is right"},
            {"printed": "1.0", "facts": "[] torch.float32"},
            False,
        ),
    ],
)
def test_a_program_shows_what_the_report_says_or_does_not(
    row: dict[str, str], outcome: dict[str, object], shows: bool
) -> None:
    whole = {"observed": "", "dtype": "float32", **row}
    assert VERIFY._shows(whole, VERIFY.Outcome(**outcome)) is shows
