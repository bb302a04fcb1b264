"""One line in a user's test file makes one test of every check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measured import measured

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "few_cases.yaml"


def run_pytest(folder: Path, name: str) -> str:
    """The outcome of a user's test file that has the one line."""
    file = folder / "test_mine.py"
    where = f"{ROOT / 'tests' / 'miniatures' / 'fused.py'}:{name}"
    file.write_text(
        "import conformance.testing\n\n"
        f"test_mine = conformance.testing.checks({where!r}, operation='cross_entropy',\n"
        f"    paths=[{str(CASES)!r}], dtypes=['float32'])\n"
    )
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "conformance.pytest_plugin",
        "--rootdir",
        str(folder),
        str(file),
    ]
    environment = measured({"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})
    return subprocess.run(line, capture_output=True, text=True, cwd=folder, env=environment).stdout


def test_right_loss_passes_without_what_it_refuses(tmp_path: Path) -> None:
    shown = run_pytest(tmp_path, "fused")
    assert "18 passed in" in shown, shown
    assert "conformance: 3 unsupported checks are left out" in shown


def test_wrong_loss_fails_with_what_is_right(tmp_path: Path) -> None:
    shown = run_pytest(tmp_path, "fused_forgets_weighted_denominator")
    assert "2 failed" in shown, shown
    assert "test_mine[few-weights-float32-value]" in shown
    assert "the weighted mean divides by the sum of the weights" in shown
