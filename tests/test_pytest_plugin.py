"""Case files as pytest items: a verdict is an outcome, and what fails says everything on one screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from measured import measured

ROOT = Path(__file__).parents[1]
CASES = """
source: a source
cases:
  - {id: right, operation: softmax, inputs: {x: [1, 2]}, formulations: [functional], why: a, MORE}
  - {id: wrong, operation: softmax, inputs: {x: [1, 3]}, formulations: [functional], why: b, ERROR}
  - id: known
    operation: softmax
    inputs: {x: [1, 4]}
    dtypes: [float32]
    formulations: [functional]
    expect: error
    known: [{subject: numpy, reason: it returns, source: these tests}]
    why: c
  - {id: absent, operation: softmax, inputs: {x: [1, 5]}, formulations: [module], why: d, MORE}
  - {id: lesson, operation: log_softmax, inputs: {x: [0, 200]}, formulations: [naive], why: e, MORE}
  - {id: great, operation: softmax, inputs: {x: [1, 6]}, tags: [large], why: f}
""".replace("ERROR", "expect: error, dtypes: [float32]").replace(
    "MORE", "quantities: [value], dtypes: [float32]"
)


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`pytest f.yaml` in a user's folder."""
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "conformance.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "-rA",
    ]
    argv += ["--rootdir", str(folder), "f.yaml", "--subject", "numpy", *options]
    environment = measured({"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)})
    return subprocess.run(argv, capture_output=True, text=True, cwd=folder, env=environment, check=False)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A file with one case of each outcome, in float32."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "f.yaml").write_text(CASES)
    return run_pytest(folder)


@pytest.mark.parametrize(
    "line",
    [
        "PASSED f.yaml::right[numpy-float32-functional-value]",
        "FAILED f.yaml::wrong[numpy-float32-functional-value]",
        "XFAIL f.yaml::known[numpy-float32-functional-value] - known: it returns (these tests)",
        "XFAIL f.yaml::lesson[numpy-float32-naive-value] - textbook formulation: wrong",
        "SKIPPED [1] f.yaml:14: numpy has no formulation module of softmax",
        "1 failed, 1 passed, 1 skipped, 2 xfailed",
    ],
)
def test_a_verdict_is_an_outcome(done: subprocess.CompletedProcess[str], line: str) -> None:
    """Large cases are no items unless they are asked for."""
    assert done.returncode == 1
    assert line in done.stdout, done.stdout


def test_what_fails_says_everything(done: subprocess.CompletedProcess[str]) -> None:
    shown = done.stdout
    assert "wrong: returned a value where an error is right" in shown
    for line in (
        "  case      wrong  (f.yaml:5; a source)",
        "  check     softmax functional value float32 on numpy",
        "  error     - ulp of float32",
    ):
        assert line in shown, shown


def test_faults_of_a_file_are_told_where_it_is_collected(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(CASES.replace("[1, 2]", "[1, [2]]"))
    done = run_pytest(tmp_path, "--large")
    assert done.returncode == 2
    assert "f.yaml:4:" in done.stdout
    assert "lists of one length at each level" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_file_without_cases_is_no_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("services: [web]\n")
    assert "no tests ran" in run_pytest(tmp_path).stdout


def test_deviations_of_a_file_of_the_users_are_known(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(CASES)
    entry = "{id: a, operation: softmax, cases: [wrong], subject: numpy, reason: ours, source: these tests}"
    (tmp_path / "mine.yaml").write_text(f"known:\n- {entry}\n")
    done = run_pytest(tmp_path, "--known", "mine.yaml")
    assert done.returncode == 0, done.stdout
    assert "XFAIL f.yaml::wrong[numpy-float32-functional-value] - known: ours (these tests)" in done.stdout
