"""`conformance reproduce`: a program of the framework alone that shows what the suite observed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.checking.reproduce import reproduction
from conformance.errors import RunError

CASES = """
source: a test
cases:
  - {id: rows, operation: softmax, inputs: {x: [[1, 2], [3, 900]]}, formulations: [functional], why: a}
  - {id: naive, operation: log_softmax, inputs: {x: [[0, 1], [0, 200]]}, formulations: [naive],
     quantities: [value], dtypes: [float32], why: the second row overflows}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Two cases."""
    (tmp_path / "f.yaml").write_text(CASES)
    return str(tmp_path / "f.yaml")


def test_the_program_runs_without_the_suite_and_prints_what_was_observed(file: str) -> None:
    program = reproduction("naive", "numpy", dtype="float32", quantity="value", paths=[file])
    assert "conformance" not in "".join(line for line in program.splitlines() if "import" in line)
    argv = [sys.executable, "-W", "ignore", "-I", "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "inf" in done.stdout


def test_the_smallest_is_the_row_that_deviates(file: str) -> None:
    whole = reproduction("naive", "numpy", paths=[file])
    row = reproduction("naive", "numpy", smallest=True, paths=[file])
    assert "[0.0, 1.0]" in whole
    assert "[0.0, 1.0]" not in row
    assert "[0.0, 200.0]" in row


@pytest.mark.parametrize(
    ("case", "options", "words"),
    [
        ("row", {}, "did you mean rows?"),
        ("naive", {"dtype": "float64"}, "naive has float32"),
        ("rows", {"quantity": "gradient:y"}, "rows has value"),
    ],
)
def test_what_is_not_there_is_told(case: str, options: dict[str, str], words: str, file: str) -> None:
    with pytest.raises(RunError) as told:
        reproduction(case, "numpy", paths=[file], **options)
    assert words in str(told.value)
