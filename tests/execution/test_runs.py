"""Runs as users start them: files, interruption, resumption, sameness, refusals."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from execution.command_line import Call
from execution.command_line import conformance as conformance_call
from execution.kill_anywhere import children, left_after, tables

import conformance
from conformance.adapters import protocol
from conformance.plan.events import Hello
from conformance.results.journal import RunDirectory

CASES = """
source: tests
cases:
  - id: first
    operation: softmax
    inputs: {x: {normal: {shape: [4, 8], scale: 3, seed: 1}}}
    why: a plain softmax
  - id: second
    operation: cross_entropy
    inputs: {logits: {normal: {shape: [4, 8], scale: 3, seed: 2}}, target: [0, 1, 2, 3]}
    why: a plain loss
  - id: third
    operation: log_softmax
    inputs: {x: {normal: {shape: [4, 8], scale: 3, seed: 3}}}
    why: a plain log-softmax
"""
FILES = {"results.csv", "relations.csv", "equivalence.csv", "results.parquet", "report.html", "summary.md"}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A file of three cases."""
    (tmp_path / "cases.yaml").write_text(CASES)
    return tmp_path / "cases.yaml"


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    argv = [sys.executable, "-m", "conformance", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_a_run_writes_its_files_and_loads_again(cases: Path, tmp_path: Path) -> None:
    """Exit code 0, every file, and the frame that `load` reads is the one that was written."""
    done = command("run", cases, "--subject", "numpy", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES | {"run.json", "observations.bin"}
    loaded = conformance.load(tmp_path / "out")
    assert loaded.complete
    assert set(loaded.frame["case"]) == {"first", "second", "third"}
    loaded.save(tmp_path / "again")
    for name in ("results.csv", "relations.csv", "equivalence.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_two_runs_are_the_same_bytes(cases: Path, tmp_path: Path) -> None:
    """Whatever the hash seed, locale and time zone."""
    for name, seed, zone in (("a", "1", "UTC"), ("b", "2", "Asia/Tokyo")):
        argv = [
            sys.executable,
            "-m",
            "conformance",
            "run",
            str(cases),
            "-s",
            "numpy",
            "--output",
            str(tmp_path / name),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"}
        subprocess.run(argv, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    for name in ("results.csv", "relations.csv", "equivalence.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_killed_run_is_resumed_to_the_same_result(cases: Path, tmp_path: Path) -> None:
    """A journal cut anywhere, even inside a frame, is finished to the bytes of an undisturbed run."""
    assert command("run", cases, "-s", "numpy", "--output", tmp_path / "whole").returncode == 0
    journal = (tmp_path / "whole" / "observations.bin").read_bytes()
    for cut in (len(journal) // 3, len(journal) - 7):
        out = tmp_path / f"cut-{cut}"
        out.mkdir()
        (out / "journal.bin").write_bytes(journal[:cut])
        done = command("run", "--resume", "--output", out)
        assert done.returncode == 0, done.stderr
        assert (out / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()
        assert (out / "relations.csv").read_bytes() == (tmp_path / "whole" / "relations.csv").read_bytes()


def test_nothing_to_resume_is_one_line(tmp_path: Path) -> None:
    """Exit code 2 and what is missing."""
    done = command("run", "--resume", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "no interrupted run to resume" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_its_workers(tmp_path: Path, number: int, code: int) -> None:
    """What was done is kept and marked incomplete; no worker outlives the run."""
    slow = tmp_path / "slow.yaml"
    entry = (
        "  - id: n{}\n    operation: softmax\n    why: slow\n"
        "    inputs: {{x: {{normal: {{shape: [60, 60], scale: 3, seed: {}}}}}}}\n"
    )
    slow.write_text("source: tests\ncases:\n" + "".join(entry.format(n, n) for n in range(300)))
    argv = [
        sys.executable,
        "-m",
        "conformance",
        "run",
        str(slow),
        "-s",
        "numpy",
        "--output",
        str(tmp_path / "out"),
    ]
    running = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    journal = tmp_path / "out" / "journal.bin"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not journal.exists() or journal.stat().st_size < 10_000):
        time.sleep(0.05)
    second = conformance_call("run", slow, "-s", "numpy", "--output", tmp_path / "out", folder=tmp_path)
    assert second.code == 2
    assert f"run {(tmp_path / 'out' / '.lock').read_text()} is writing here" in second.complained
    workers = children(running.pid)
    assert workers
    running.send_signal(number)
    assert left_after(workers, 5.0) == []
    _, errors = running.communicate(timeout=60)
    assert running.returncode == code, errors
    assert not conformance.load(tmp_path / "out").complete
    with journal.open("rb") as stream:
        assert protocol.read_frame(stream) is not None


def test_two_runs_into_one_directory(cases: Path, tmp_path: Path) -> None:
    """The second is refused with the first's id."""
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as lock:
        lock.write("the-first")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = command("run", cases, "-s", "numpy", "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "run the-first is writing here" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--subject", "tourch"], "did you mean torch?"),
        (["--subject", "torch:fast"], "torch has the modes eager, compile"),
        (["--operation", "softmix"], "no such operation"),
        (["--tag", "nothing-has-this"], "no case is left"),
        (["--time-limit", "nan"], "nan is no limit: a number above 0"),
        (["--start-limit", "-1"], "-1 is no limit: a number above 0"),
        (["--memory-limit", "0"], "0 is not in the range x>=1"),
        (["--subjects", "/dev/null"], "/dev/null:1:1: the file holds no mapping: the key `subjects`"),
    ],
)
def test_a_call_at_fault(cases: Path, tmp_path: Path, words: list[str], message: str) -> None:
    """Exit code 2, one clear line, and no traceback."""
    done = command("run", cases, *words, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output", ["a-file", "a-file/below", "/proc/out"])
def test_an_output_that_cannot_be_written(cases: Path, tmp_path: Path, output: str) -> None:
    """A file in the directory's place, a place where nobody may write: one line, exit code 2."""
    (tmp_path / "a-file").write_text("a file")
    done = conformance_call("run", cases, "-s", "numpy", "--output", output, folder=tmp_path)
    assert done.code == 2
    assert "cannot be written" in done.complained
    assert len(done.complained.splitlines()) == 1


@pytest.mark.parametrize("bytes_a_file", [1_500, 120_000], ids=["the journal", "the report"])
def test_a_full_disk_leaves_the_previous_report_whole(cases: Path, tmp_path: Path, bytes_a_file: int) -> None:
    """No file may grow beyond so many bytes: one line, and what was written before; then it is resumed."""
    words = ["run", cases, "-s", "numpy", "--output", "out"]
    assert conformance_call(*words, "-d", "float32", folder=tmp_path).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    done = Call(words, tmp_path, file_size=bytes_a_file).done()
    assert done.code == 2, done.complained
    *before_it, last = done.complained.splitlines()
    assert last.endswith("out: cannot be written: File too large; free space or name another --output")
    assert [line for line in before_it if not line.startswith("starting numpy: ")] == []
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {name: after[name] for name in before if name != ".lock"} | {".lock": before[".lock"]} == before
    assert "journal.bin" in after
    assert conformance_call("run", "--resume", "--output", "out", folder=tmp_path).code == 0
    assert conformance_call(*words[:-1], "whole", folder=tmp_path).code == 0
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


class TestWhatAnInterruptedRunLeft:
    """Its journal stays until another run has a plan; a call at fault leaves none of its own."""

    def test_a_call_at_fault_costs_nothing(self, cases: Path, tmp_path: Path) -> None:
        (tmp_path / "journal.bin").write_bytes(b"an interrupted run's")
        done = conformance_call(
            "run", cases, "-s", "numpy", "-t", "no-such", "--output", ".", folder=tmp_path
        )
        assert done.code == 2
        assert (tmp_path / "journal.bin").read_bytes() == b"an interrupted run's"

    def test_a_call_at_fault_leaves_nothing(self, cases: Path, tmp_path: Path) -> None:
        done = conformance_call(
            "run", cases, "-s", "numpy", "-t", "no-such", "--output", ".", folder=tmp_path
        )
        assert done.code == 2
        assert not list(tmp_path.glob("journal*"))


def test_what_says_that_a_run_is_complete_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who finds run.json finds the tables that it speaks of."""
    placed: list[str] = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        placed.append(Path(target).name)
        replace(source, target)

    with RunDirectory(tmp_path, "one") as directory, directory.staged() as beside:
        for name in ("summary.md", "run.json", "results.csv"):
            (beside / name).write_text(name)
        monkeypatch.setattr(os, "replace", noted)
    assert placed == ["results.csv", "summary.md", "run.json"]
    assert {path.name for path in tmp_path.iterdir()} == {*placed, ".lock"}


def test_a_journal_keeps_what_known_deviations_may_be_bound_to(tmp_path: Path) -> None:
    """A run that is resumed with every answer there starts no worker: the kernels come from the journal."""
    about = {"version": "2.0", "hardware": {"flags": ["avx2"]}, "kernels": {"onednn": True, "isa": "AVX512"}}
    with RunDirectory(tmp_path, "one") as directory:
        directory.begin({"settings": {}})
        directory.record_hello(Hello("tensorflow", {**about, "formulations": {}}))
    with RunDirectory(tmp_path, "two") as directory:
        _, (hello,), _ = directory.recorded()
    assert {name: hello.header.get(name) for name in about} == about
