"""Case files as pytest items: a verdict is an outcome, and what fails says everything on one screen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def run_pytest(
    folder: Path, *options: str, subject: tuple[str, ...] = ("--subject", "numpy")
) -> subprocess.CompletedProcess[str]:
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
    argv += ["--rootdir", str(folder), "f.yaml", *subject, *options]
    environment = measured(
        {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), "COLUMNS": "160"}
    )
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
        "FAILED f.yaml::wrong[numpy-float32-functional-value] - Failed: wrong: returned a value",
        "XFAIL f.yaml::known[numpy-float32-functional-value] - known: it returns (these tests)",
        "XFAIL f.yaml::lesson[numpy-float32-naive-value] - textbook formulation: wrong",
        "1 failed, 1 passed, 2 xfailed",
    ],
)
def test_a_verdict_is_an_outcome(done: subprocess.CompletedProcess[str], line: str) -> None:
    """Large cases are no items unless they are asked for."""
    assert done.returncode == 1
    assert line in done.stdout, done.stdout


def test_unsupported_checks_are_absent_and_counted(done: subprocess.CompletedProcess[str]) -> None:
    """Below what was collected, and at the end; a selection without them counts none."""
    assert done.stdout.count("conformance: 1 unsupported check is left out") == 2
    assert "absent" not in done.stdout
    assert "collected 5 items" in done.stdout


def test_the_header_names_the_versions(done: subprocess.CompletedProcess[str]) -> None:
    assert f"conformance: numpy {np.__version__}\n" in done.stdout


def test_tags_are_markers(tmp_path: Path) -> None:
    """Registered as they are met: `--strict-markers` has nothing to say, and `-m` selects."""
    (tmp_path / "f.yaml").write_text(CASES)
    done = run_pytest(tmp_path, "--large", "-m", "large and conformance", "--strict-markers")
    assert done.returncode == 0, done.stdout
    assert "deselected" in done.stdout
    assert "::right[" not in done.stdout
    assert "::great[" in done.stdout
    assert "@pytest.mark.large:" in run_pytest(tmp_path, "--markers").stdout


class TestConfiguration:
    """The keys of a configuration file, and the options that stand over them."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A project that sets every key."""
        keys = ["conformance_subjects = numpy", "conformance_dtypes = float32 float64"]
        (tmp_path / "pytest.ini").write_text(
            "\n".join(["[pytest]", *keys, "conformance_known = more/mine.yaml", ""])
        )
        (tmp_path / "f.yaml").write_text(CASES)
        entry = "{id: a, operation: softmax, cases: [wrong], subject: numpy, reason: ours, source: us}"
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "mine.yaml").write_text(f"known:\n- {entry}\n")
        return tmp_path

    def test_keys_hold_without_options(self, folder: Path) -> None:
        done = run_pytest(folder, "--large", subject=())
        assert "XFAIL f.yaml::wrong[numpy-float32-functional-value] - known: ours (us)" in done.stdout
        assert "torch" not in done.stdout
        assert {"great[numpy-float32-functional-value]", "great[numpy-float64-functional-value]"} <= set(
            re.findall(r"PASSED f\.yaml::(\S+)", done.stdout)
        )
        assert "float16" not in done.stdout

    def test_an_option_replaces_its_key(self, folder: Path) -> None:
        done = run_pytest(folder, "--large", "--dtype", "float16")
        assert "PASSED f.yaml::great[numpy-float16-functional-value]" in done.stdout
        assert "float32" not in done.stdout

    def test_a_dtype_that_does_not_exist_is_a_fault_of_the_call(self, folder: Path) -> None:
        (folder / "pytest.ini").write_text("[pytest]\nconformance_dtypes = float8\n")
        done = run_pytest(folder)
        assert done.returncode == 4
        assert "conformance_dtypes: no dtype 'float8'" in done.stderr


def test_xdist_counts_what_its_workers_leave_out(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(CASES)
    done = run_pytest(tmp_path, "-p", "xdist", "-n", "2")
    assert "1 failed, 1 passed, 2 xfailed" in done.stdout, done.stdout
    assert "conformance: 1 unsupported check is left out" in done.stdout
    assert "- Failed: wrong: returned a value where an error" in done.stdout


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
