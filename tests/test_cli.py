"""The command line's own manners: where its messages go, and that editors can follow them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from measured import measured

WRONG = """\
source: a test
cases:
  - id: one
    operation: sofmax
    inputs: {x: [1, 2]}
  - id: two
    operation: softmax
    inputs: {x: [1, 2]}
    dtype: float32
"""


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`conformance` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env=measured(
            {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
        ),
    )


@pytest.mark.parametrize("command", ["validate", "run"])
def test_each_fault_of_a_case_file_begins_with_its_place(tmp_path: Path, command: str) -> None:
    """`file:line:column: ` opens every line, the first one too: what editors and CI parse."""
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = call(command, "wrong.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    places = [re.match(r"wrong\.yaml:(\d+):(\d+): \S", line) for line in lines]
    assert all(places), done.stderr
    assert [int(place[1]) for place in places if place] == [4, 9]


def test_a_fault_of_the_call_names_the_program(tmp_path: Path) -> None:
    """What belongs to no file begins with the program's name, on one line."""
    done = call("diff", "nowhere", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("conformance: nowhere: no run here")
    assert len(done.stderr.splitlines()) == 1
