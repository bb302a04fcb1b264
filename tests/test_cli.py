"""The command line's own manners: where its messages go, and that editors can follow them."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from measured import measured
from runs import check, run

from conformance import api, report
from conformance.cli import cli
from conformance.results.run import Run

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
    positions = [re.match(r"wrong\.yaml:(\d+):(\d+): \S", line) for line in lines]
    assert all(positions), done.stderr
    assert [int(position[1]) for position in positions if position] == [4, 9]


def test_a_fault_of_the_call_names_the_program(tmp_path: Path) -> None:
    """What belongs to no file begins with the program's name, on one line."""
    done = call("diff", "nowhere", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("conformance: nowhere: no run here")
    assert len(done.stderr.splitlines()) == 1


DEVIATES = """\
source: a test
cases:
  - id: two-logits
    operation: softmax
    inputs: {x: [1, 2]}
    dtypes: [float32]
    formulations: [functional]
    expect: error
    why: a value where the case expects an error is a discrepancy
"""


BOTH = """\
source: a test
cases:
  - {id: a, operation: sigmoid, inputs: {x: [1, 2]}, dtypes: [float32], why: a}
  - {id: b, operation: softmax, inputs: {x: [1, 2]}, dtypes: [float32], why: b}
"""


class TestLastLine:
    """Each command that writes a report says where it lies, and how long it took."""

    def test_names_the_pages_and_the_seconds(self, tmp_path: Path) -> None:
        (tmp_path / "both.yaml").write_text(BOTH)
        ran = call("run", "both.yaml", "--subject", "numpy", "--output", "out", cwd=tmp_path)
        assert self.pages(ran) == "out/report.html"
        assert re.match(r"This stack conforms: numpy \S+ stays within the derived bounds", ran.stdout)
        assert self.pages(call("diff", "out", "out", "--output", "d", cwd=tmp_path)) == "d/diff.html"
        words = ("run", "both.yaml", "--subject", "numpy", "--output", "again", "--baseline", "out")
        assert self.pages(call(*words, cwd=tmp_path)) == "again/diff.html and again/report.html"

    def pages(self, done: subprocess.CompletedProcess[str]) -> str:
        line = re.fullmatch(r"Report: (.*), after \d+(\.\d)? s", done.stdout.splitlines()[-1])
        assert line is not None, done.stdout
        return line[1]


class TestJson:
    """`--json`: one object on standard output; `--quiet`: nothing."""

    KEYS = ("command", "exit_code", "whole", "headline", "counts", "discrepancies", "discrepancies_total")

    def test_run_and_diff(self, tmp_path: Path) -> None:
        (tmp_path / "f.yaml").write_text(DEVIATES)
        words = ("run", "f.yaml", "--subject", "numpy", "--output")
        done = call(*words, "out", "--json", cwd=tmp_path)
        ran = json.loads(done.stdout)
        assert (*self.KEYS, "files", "seconds") == tuple(ran)
        assert done.returncode == ran["exit_code"] == 1
        assert ran["headline"] == "This stack does not conform: 1 discrepancy, in numpy (1)."
        counts = ran["counts"]
        assert counts["discrepancies"] == ran["discrepancies_total"] == len(ran["discrepancies"]) == 1
        assert counts["checks"] == sum(number for name, number in counts.items() if name != "checks")
        failure = ran["discrepancies"][0]
        assert (failure["case"], failure["verdict"], failure["line"]) == ("two-logits", "wrong", 3)
        assert failure["ulp_error"] is None
        assert ran["files"]["report.html"] == "out/report.html"
        assert all((tmp_path / path).is_file() for path in ran["files"].values())
        compared = json.loads(call("diff", "out", "out", "--output", "d", "--json", cwd=tmp_path).stdout)
        assert (compared["command"], compared["exit_code"]) == ("diff", 0)
        assert compared["changes"]["check"]["unchanged"] == counts["checks"]
        assert list(compared["files"]) == ["diff.html", "diff.md", "diff.csv"]
        gated = json.loads(call(*words, "again", "--baseline", "out", "--json", cwd=tmp_path).stdout)
        assert gated["headline"] == "Nothing regressed."
        assert {"diff.html", "report.html"} <= set(gated["files"])

    def test_check_counts_the_functions_own(self, tmp_path: Path) -> None:
        (tmp_path / "f.yaml").write_text(BOTH)
        (tmp_path / "mine.py").write_text("def mine(x):\n    return x * 0\n")
        words = ("check", "mine.py:mine", "-o", "sigmoid", "--path", "f.yaml", "--output", "out", "--json")
        done = call(*words, cwd=tmp_path)
        checked = json.loads(done.stdout)
        assert (done.returncode, checked["exit_code"], checked["command"]) == (1, 1, "check")
        assert checked["headline"].startswith("mine.mine is wrong")
        assert {row["subject"] for row in checked["discrepancies"]} == {"mine.mine"}
        assert checked["counts"]["discrepancies"] == checked["discrepancies_total"]
        assert checked["verdict"]["causes"] == ["it returns 0: 1 check"]
        assert checked["verdict"]["sentence"] == checked["headline"]
        assert checked["verdict"] == json.loads((tmp_path / "out" / "run.json").read_text())["verdict"]

    def test_no_more_than_100_discrepancies(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ends_with(run([check("wrong", math.inf, case=str(number)) for number in range(101)]), monkeypatch)
        done = CliRunner().invoke(cli, ["run", "--json", "--output", str(tmp_path)])
        ran = json.loads(done.stdout)
        assert (len(ran["discrepancies"]), ran["discrepancies_total"]) == (100, 101)
        assert ran["discrepancies"][0]["ulp_error"] is None

    def test_a_faulty_call_leaves_standard_output_empty(self, tmp_path: Path) -> None:
        (tmp_path / "wrong.yaml").write_text(WRONG)
        done = call("run", "wrong.yaml", "--json", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")

    def test_quiet_prints_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "f.yaml").write_text(DEVIATES)
        words = ("run", "f.yaml", "--subject", "numpy", "--output", "out", "--quiet")
        done = call(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
        assert json.loads(call(*words, "--json", cwd=tmp_path).stdout)["exit_code"] == 1


@pytest.mark.parametrize(
    ("operations", "line"), [("softmax", "1 case is valid"), ("both", "2 cases are valid")]
)
def test_the_valid_cases_are_counted(operations: str, line: str, tmp_path: Path) -> None:
    entries = BOTH.splitlines(keepends=True)
    (tmp_path / "f.yaml").write_text("".join(entries if operations == "both" else entries[:-1]))
    assert call("validate", "f.yaml", cwd=tmp_path).stdout == f"{line}\n"


class TestBaseline:
    """A gate whose selection shrinks does not stay green."""

    def test_checks_that_are_gone_fail_unless_they_are_allowed(self, tmp_path: Path) -> None:
        (tmp_path / "both.yaml").write_text(BOTH)
        words = ("run", "both.yaml", "--subject", "numpy", "--output")
        assert call(*words, "baseline", cwd=tmp_path).returncode == 0
        words = (*words, "out", "--baseline", "baseline")
        assert call(*words, cwd=tmp_path).returncode == 0
        fewer = call(*words, "--operation", "softmax", cwd=tmp_path)
        assert fewer.returncode == 1
        assert "checks of the baseline have no verdict now." in fewer.stdout
        assert "warning: different settings: operations default, then softmax" in fewer.stdout
        allowed = call(*words, "--operation", "softmax", "--allow-removed", cwd=tmp_path)
        assert allowed.returncode == 0
        assert "Nothing regressed." in allowed.stdout

    def test_without_a_baseline_there_is_nothing_to_allow(self, tmp_path: Path) -> None:
        done = call("run", "--allow-removed", cwd=tmp_path)
        assert done.returncode == 2
        assert "name its --baseline" in done.stderr


def ends_with(result: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `conformance run` run nothing, and find this."""
    monkeypatch.setattr(api, "run", lambda *_, **__: result)
    monkeypatch.setattr(report, "terminal", lambda *_: None)


class TestExitZero:
    """`run --exit-zero`: 0 whatever was found, and never for what was not sought."""

    def test_discrepancies_are_reported_and_end_with_0(self, tmp_path: Path) -> None:
        (tmp_path / "deviates.yaml").write_text(DEVIATES)
        words = ("run", "deviates.yaml", "--subject", "numpy", "--output", "out")
        plain = call(*words, cwd=tmp_path)
        assert plain.returncode == 1
        forgiven = call(*words, "--exit-zero", cwd=tmp_path)
        assert forgiven.returncode == 0
        for done in (plain, forgiven):
            assert done.stdout.startswith("This stack does not conform: 1 discrepancy, in numpy (1).")

    def test_a_faulty_call_ends_with_2(self, tmp_path: Path) -> None:
        (tmp_path / "wrong.yaml").write_text(WRONG)
        assert call("run", "wrong.yaml", "--exit-zero", cwd=tmp_path).returncode == 2

    @pytest.mark.parametrize(
        ("result", "code"),
        [
            (run([check("wrong", 1e9)]), 0),
            (run([check()], complete=False), 1),
            (run([check(), check("not run", None, case="two")]), 1),
        ],
        ids=["discrepancy", "incomplete", "given up"],
    )
    @pytest.mark.parametrize("gate", ["run", "baseline", "strict"])
    def test_only_a_whole_run_ends_with_0(
        self, result: Run, code: int, gate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ends_with(result, monkeypatch)
        run([check()]).save(tmp_path / "baseline")
        more = {"run": [], "baseline": ["--baseline", str(tmp_path / "baseline")], "strict": ["--strict"]}[
            gate
        ]
        words = ["run", "--exit-zero", "--output", str(tmp_path / "out"), *more]
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, SystemExit) or not done.exception
        assert done.exit_code == code

    def test_an_interrupted_run_ends_as_ever(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        interrupted = run([check()], complete=False)
        interrupted.environment["interrupted"] = "SIGTERM"
        ends_with(interrupted, monkeypatch)
        words = ["run", "--exit-zero", "--output", str(tmp_path)]
        assert CliRunner().invoke(cli, words).exit_code == 143


def test_an_interruption_before_the_first_answer_is_said(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "conformance", "run", "--subject", "numpy", "--output", "out"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env=measured({"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}),
    )
    while process.poll() is None and not (tmp_path / "out" / "journal.bin").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("interrupted")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "-o", "crossentropy"], "did you mean cross_entropy?"),
        (["run", "-o", "cross-entropy"], "did you mean cross_entropy?"),
        (["check", "mine.py:mine", "-o", "crossentropy"], "did you mean cross_entropy?"),
        (["run", "both.yaml", "-t", "exterme"], "did you mean --tag extreme?"),
    ],
)
def test_a_misspelt_selection_is_told_what_was_meant(words: list[str], meant: str, tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text(BOTH.replace("cases:", "tags: [extreme]\ncases:"))
    (tmp_path / "mine.py").write_text("def mine(x):\n    return x\n")
    done = call(*words, *(["-s", "numpy"] if words[0] == "run" else []), cwd=tmp_path)
    assert done.returncode == 2
    assert meant in done.stderr


@pytest.mark.parametrize(
    ("command", "words", "text", "completed"),
    [
        ("run", ["-o"], "cross", "cross_entropy"),
        ("run", ["-s"], "num", "numpy"),
        ("list", ["-o"], "log_s", "log_sigmoid"),
        ("explain", [], "notes-2019-cross", "notes-2019-cross-entropy"),
    ],
)
def test_a_shell_completes(command: str, words: list[str], text: str, completed: str) -> None:
    complete = ShellComplete(cli, {}, "conformance", "_CONFORMANCE_COMPLETE")
    assert completed in [item.value for item in complete.get_completions([command, *words], text)]
