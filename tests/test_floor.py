"""The floors do the checks that they are measured against: every result has the run's bits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import conformance

FLOOR = Path(__file__).parents[1] / "benchmarks" / "floor"
#: Subject -> its script.
SCRIPTS = {"torch": "torch_eager.py", "tensorflow": "tensorflow_eager.py", "jax": "jax_jit.py"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the three frameworks, and its calls."""
    base = tmp_path_factory.mktemp("floor")
    conformance.run(
        operations=["sigmoid", "one_hot"],
        dtypes=["bfloat16", "float64"],
        subjects=list(SCRIPTS),
        output=str(base / "run"),
    )
    script("of_run.py", base / "run", base / "calls")
    return base


def script(name: str, *words: object) -> str:
    """What a script of the floors prints last."""
    argv = [sys.executable, str(FLOOR / name), *map(str, words)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("subject", SCRIPTS)
def test_a_floor_returns_what_the_run_observed(base: Path, subject: str) -> None:
    results = base / f"{subject}.npz"
    words = ["--cache", base / "cache", "--executables"] if subject == "jax" else []
    figures = json.loads(script(SCRIPTS[subject], base / "calls" / subject, "--results", results, *words))
    frame = conformance.load(base / "run").frame
    observed = frame[frame["subject"].eq(subject) & frame["observed"].ne("")]
    assert len(observed) > 50 < figures["results"]
    said = script("of_run.py", base / "run", base / "calls", subject, "--compare", results)
    counted = json.loads(said.partition(": ")[2].replace("'", '"'))
    assert set(counted) <= {"same bits", "raised in both"}
    assert counted["same bits"] == figures["results"]


def test_the_review_quotes_the_lines_that_there_are() -> None:
    page = (FLOOR.parents[1] / "docs" / "floor.md").read_text(encoding="utf-8")
    sections = re.split(r"^`benchmarks/floor/(\w+\.py)`:$", page, flags=re.MULTILINE)
    reviewed = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert set(reviewed) == {"calls.py", *SCRIPTS.values()}
    for name, text in reviewed.items():
        source = (FLOOR / name).read_text(encoding="utf-8")
        quoted = re.findall(r"^\| `(.+?)` (?:\(.*?\) )?\| [A-Z0-9]", text, flags=re.MULTILINE)
        assert len(quoted) >= 6
        assert [line for line in quoted if line not in source] == []


def test_a_run_is_measured_beside_its_floor() -> None:
    """Its clocks lie on parts of the suite by their names, which may change."""
    argv = [sys.executable, str(FLOOR.parent / "speed.py")]
    options = ["--operation", "one_hot", "--subject", "torch", "--cold"]
    done = subprocess.run([*argv, *options], stdout=subprocess.PIPE, text=True, check=True)
    assert re.search(r"processor, s +\S+ [\d.]+ +\S+ [\d.]+ +\S+ [\d.]+", done.stdout)
    assert "judging" in done.stdout
