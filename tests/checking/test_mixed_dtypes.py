"""A function that loses the digits of the wider dtype fails, and the first line says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("in_the_logits_dtype", 1, "where the target has another dtype than the scores"),
        ("promotes", 0, "promotes is right"),
    ],
)
def test_first_line(name: str, code: int, words: str, tmp_path: Path) -> None:
    where, cases = f"{HERE / 'mixed_losses.py'}:{name}", str(HERE / "mixed_cases.yaml")
    line = [sys.executable, "-m", "conformance", "check", where, "--operation", "cross_entropy"]
    ran = subprocess.run(
        [*line, "--path", cases, "--strict", "--output", str(tmp_path)],  # torch's own has the fault, too
        capture_output=True,
        text=True,
        cwd=HERE.parents[1],
        timeout=600,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert words in ran.stdout.splitlines()[0]
