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


def test_a_users_function_is_imported_and_called(file: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\n\ndef tenth_off(x, axis=-1):\n"
        "    e = np.exp(x - x.max(axis, keepdims=True))\n"
        "    return (1.1 * e / e.sum(axis, keepdims=True)).astype(x.dtype), 0\n"
    )
    program = reproduction(
        "rows", function=f"{tmp_path / 'mine.py'}:tenth_off", returns="0", dtype="float64", paths=[file]
    )
    assert "from mine import tenth_off" in program
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True)
    returned = next(line for line in program.splitlines() if line.startswith("# returned"))
    assert float(done.stdout.split()[0]) == float(returned.split()[-1]), done.stderr


def test_functional_comes_before_textbook_formulations(tmp_path: Path) -> None:
    """Which break here, while `functional` does not; they have to be asked for."""
    (tmp_path / "f.yaml").write_text(
        CASES.replace("formulations: [naive],", "formulations: [naive, functional],")
    )
    paths = [str(tmp_path / "f.yaml")]
    assert "log_softmax, functional, float32" in reproduction("naive", "numpy", paths=paths)
    assert "log_softmax, naive, float32" in reproduction("naive", "numpy", formulation="naive", paths=paths)
    with pytest.raises(RunError, match="--formulation composed: naive has functional, naive"):
        reproduction("naive", "numpy", formulation="composed", paths=paths)


def test_a_subject_or_a_function_is_needed(file: str) -> None:
    with pytest.raises(RunError, match="say by --subject S or by --function"):
        reproduction("rows", paths=[file])
