"""A function that is wrong in one memory layout alone fails, and the first line says the layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOSSES = ROOT / "tests" / "checking" / "strided_losses.py"
CASES = [ROOT / "tests" / "few_cases.yaml", ROOT / "cases" / "shapes" / "layout_products.yaml"]


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("last_stride_alone", "a tensor's axes lie in another order in memory"),
        ("third_class_of_padded", "a tensor's rows lie in a wider buffer (its layout is padded)"),
        ("narrow_offsets", "a tensor's rows lie 2^30 elements apart in memory"),
    ],
)
def test_first_line_says_the_layout(name: str, cause: str, tmp_path: Path) -> None:
    paths = [argument for path in CASES for argument in ("--path", str(path))]
    where = f"{LOSSES}:{name}"
    line = [sys.executable, "-m", "conformance", "check", where, "--operation", "cross_entropy", *paths]
    ran = subprocess.run(
        [*line, "--output", str(tmp_path)], capture_output=True, text=True, cwd=ROOT, timeout=600
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert cause in ran.stdout.splitlines()[0]
