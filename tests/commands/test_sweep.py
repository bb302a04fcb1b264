"""`conformance sweep` from the command line, on ranges that take a moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet

from conformance.sweeping import result_files
from conformance.sweeping.sweep import Request, sweep

#: A sigmoid that is wrong at one input of float32 alone: 0x3fc00123.
SEEDED = """
import numpy as np

def sigmoid(x):
    result = 1 / (1 + np.exp(-x.astype(np.float64)))
    result = np.where(x.view(np.uint32) == 0x3FC00123, result * (1 + 2.0**-20), result)
    return result.astype(x.dtype)
"""
#: A log-sigmoid that is 2**-18 too large wherever it is finite.
SLANTED = """
import numpy as np

def log_sigmoid(x):
    return -np.log1p(np.exp(-x)) * np.float32(1 + 2.0**-18)
"""


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance", "sweep", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_deviation_at_one_single_input_is_found_and_named(tmp_path: Path) -> None:
    (tmp_path / "loss.py").write_text(SEEDED)
    ran = command(
        "sigmoid", "--subject", f"{tmp_path / 'loss.py'}:sigmoid", "--dtype", "float32",
        "--quantity", "value", "--first", "0x3fb00000", "--last", "0x3fd00000", "--workers", "1",
        "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    assert "1 input from 1.50003469 to 1.50003469 lossy; at 1.50003469 (0x3fc00123)" in ran.stdout
    rows = parquet.read_table(tmp_path / "out" / "sweep.parquet").to_pylist()
    assert [(row["first_bits"], row["last_bits"]) for row in rows if row["kind"] == "region"] == [
        (0x3FC00123, 0x3FC00123)
    ]
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["counts"]["lossy"] == 1
    assert sum(about["counts"].values()) == sum(about["decided"].values()) == 0x200001


def test_json_and_exit_zero(tmp_path: Path) -> None:
    ran = command(
        "binary_cross_entropy", "--subject", "numpy", "--dtype", "float16", "--quantity", "second",
        "--workers", "1", "--output", str(tmp_path / "out"), "--exit-zero", "--json",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert sum(shown["counts"].values()) == 3 * 0x3C01  # the probabilities of float16, and three targets
    assert shown["command"] == "sweep"


def test_bad_calls_end_with_2() -> None:
    for arguments, text in (
        (["logsumexp"], "sweep logsumexp: no function of one number; a sweep takes sigmoid, log_sigmoid"),
        (["sigmoyd"], "sweep sigmoyd: "),
        (
            ["sigmoid", "--subject", "numpy", "--quantity", "hessian"],
            "--quantity hessian: a sweep of sigmoid",
        ),
        (["sigmoid", "--subject", "numpy", "--first", "9", "--last", "8"], "--first 0x9 --last 0x8: bits of"),
        (
            ["sigmoid", "--subject", "torch==1.10.0"],
            "a sweep calls the framework that its own interpreter has",
        ),
        (["sigmoid", "--only-merge"], "name the stored sweeps with --merge"),
        (["sigmoid", "--only-merge", "--merge", "nowhere"], "nowhere: no sweep"),
    ):
        ran = command(*arguments)
        assert ran.returncode == 2, (arguments, ran.stderr)
        assert text in ran.stderr, ran.stderr


def test_two_halves_give_the_whole_byte_for_byte(tmp_path: Path) -> None:
    """Cut inside a binade, inside a block and inside a region that does not conform."""
    (tmp_path / "loss.py").write_text(SLANTED)
    name = f"{tmp_path / 'loss.py'}:log_sigmoid"
    cut, last = 0x3F7FF123, 0x3F9FFFFF

    def swept(first: int, end: int) -> Path:
        request = Request("log_sigmoid", (name,), ("float32",), ("value",), first, end)
        directory = tmp_path / f"{first:x}"
        result_files.write(sweep(request, workers=1), directory, {})
        return directory

    whole = swept(0x3F5FFFFF, last)
    expected = (whole / "sweep.parquet").read_bytes()
    halves = [result_files.load(directory) for directory in (swept(cut, last), swept(0x3F5FFFFF, cut - 1))]
    merged = halves[0]
    merged.merge(halves[1])
    result_files.write(merged, tmp_path / "merged", {})
    assert (tmp_path / "merged" / "sweep.parquet").read_bytes() == expected
    assert any(region.first < cut <= region.last for _, region in merged.regions())
