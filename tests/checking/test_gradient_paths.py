"""Losses that are wrong on one path of gradients alone: each fails, and the first line says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.checking import check, report

ROOT = Path(__file__).parents[2]
LOSSES = Path(__file__).with_name("path_losses.py")
GRADIENTS = ROOT / "cases" / "gradients"
CASES = [GRADIENTS / "patterns.yaml", GRADIENTS / "upstreams.yaml", GRADIENTS / "second.yaml"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        (
            "ignores_scalar_upstream",
            "its gradient is wrong (the upstream gradient is left out) where the loss is a scalar "
            "and the upstream gradient is not 1",
        ),
        (
            "reads_upstream_in_a_row",
            "where the upstream gradient is not contiguous in memory",
        ),
        ("overwrites_upstream", "overwrites the upstream gradient in place"),
        ("no_shift_untracked", "where nothing is tracked for gradients (inference)"),
        ("halves_first_tracked", "where the first input alone is tracked for gradients"),
        ("dead_double_backward", "its second derivative"),
        ("doubles_forward", "its forward derivative (jvp) is wrong (2 times what is right)"),
    ],
)
def test_first_line_names_the_path(name: str, first: str) -> None:
    run = check.check(f"{LOSSES}:{name}", "cross_entropy", paths=CASES, dtypes=["float32"])
    assert run.exit_code == 1
    assert first in report.sentence(run)


def test_program_of_an_untracked_check_runs_untracked(tmp_path: Path) -> None:
    run = check.check(
        f"{LOSSES}:no_shift_untracked", "cross_entropy", paths=CASES, dtypes=["float32"], output=tmp_path
    )
    ((_, program), *_) = report.reproductions(run)
    assert program is not None
    assert "with torch.no_grad():" in program
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    returned = next(line for line in program.splitlines() if line.startswith("# returned"))
    assert shown.stdout.split()[0] == returned.split()[-1]


def test_function_without_forward_mode_is_unsupported_there() -> None:
    run = check.check(f"{LOSSES}:dead_double_backward", "cross_entropy", paths=CASES[2:], dtypes=["float32"])
    rows = run.frame[(run.frame["subject"] == run.subject) & (run.frame["quantity"] == "jvp:logits")]
    assert set(rows["verdict"]) == {"unsupported"}


def test_backward_that_writes_into_what_it_keeps_fails_the_second_time() -> None:
    cases = [GRADIENTS / "graphs.yaml", GRADIENTS / "patterns.yaml"]
    run = check.check(f"{LOSSES}:overwrites_saved", "cross_entropy", paths=cases, dtypes=["float32"])
    assert run.exit_code == 1
    assert "where backward goes through the same graph a second time" in report.sentence(run)


def test_backward_that_writes_into_the_logits_spoils_the_other_loss_and_what_made_them() -> None:
    path = f"{LOSSES}:overwrites_logits"
    run = check.check(path, "cross_entropy", paths=[GRADIENTS / "graphs.yaml"], dtypes=["float32"])
    rows = run.frame[(run.frame["subject"] == run.subject) & (run.frame["verdict"] != "unsupported")]
    failed = rows[rows["conforms"] == False]["case"]  # noqa: E712 - a column of True, False and None
    for graph in ("retained", "shared", "result"):
        assert failed.str.startswith(f"cross-entropy-graph[{graph},").any()
