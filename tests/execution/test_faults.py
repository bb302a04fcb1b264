"""A subject may die, hang or lie: it costs the check that it did so on, and no other.

Each fault is a test of its own through the command line. What may differ from a quiet run is the culprit's
row alone: every other check has the same verdict, error and bits.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from execution.command_line import Done, conformance

HOSTILE = Path(__file__).with_name("hostile.py")
CASE = """
  - id: case-{number}
    operation: softmax
    inputs: {{x: [{first}, 1.0, 2.0]}}
    dtypes: [float32]
    formulations: [functional]
    quantities: [value]
    why: one of several
"""
#: Where the fault strikes: cases 0 .. 5 run in order, the third is the culprit.
CULPRIT = "case-2"
FIRSTS = (0.0, 1.0, 666.0, 3.0, 4.0, 5.0)
Rows = dict[str, dict[str, str]]


def written(file: Path, firsts: Sequence[float], formulations: str = "[functional]") -> Path:
    """A case file with a case for each of these first logits."""
    listed = [CASE.format(number=number, first=first) for number, first in enumerate(firsts)]
    file.write_text("source: tests\ncases:\n" + "".join(listed).replace("[functional]", formulations))
    return file


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cases, of which one triggers the fault."""
    return written(tmp_path_factory.mktemp("cases") / "cases.yaml", FIRSTS)


def run(cases: Path, folder: Path, fault: str, *options: str, program: Path = HOSTILE) -> tuple[Done, Rows]:
    """`conformance run` with a subject of that fault: how it ended, and its rows by case."""
    command = json.dumps([sys.executable, str(program), fault, str(folder / "marker")])
    environment = json.dumps({"PYTHONPATH": str(HOSTILE.parents[2]), "OMP_NUM_THREADS": "1"})
    (folder / "subjects.yaml").write_text(
        f"subjects:\n  - {{name: hostile, subject: numpy, command: {command}, environment: {environment}}}\n"
    )
    words = ["run", str(cases), "--subjects", "subjects.yaml", "--output", "out", *options]
    done = conformance(*words, folder=folder)
    assert "Traceback" not in done.complained, done.complained
    with (folder / "out" / "results.csv").open(newline="", encoding="utf-8") as stream:
        return done, {row["case"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="session")
def quiet(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of a subject without a fault."""
    done, rows = run(cases, tmp_path_factory.mktemp("quiet"), "none")
    assert done.code == 0, done.complained
    assert [row["conforms"] for row in rows.values()] == ["True"] * 6
    return rows


#: fault -> (the culprit's verdict, what its message says, options)
COSTLY: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "segfault": ("crashed", "killed by SIGSEGV", ()),
    "abort": ("crashed", "killed by SIGABRT", ()),
    "killed": ("crashed", "killed by SIGKILL", ()),
    "terminated": ("crashed", "killed by SIGTERM", ()),
    "floating-point exception": ("crashed", "killed by SIGFPE", ()),
    "os._exit(0)": ("crashed", "exit code 0", ()),
    "exit 3": ("crashed", "exit code 3 | the last words", ()),
    "an address": ("crashed", "exit code 1 | the error 0x\N{HORIZONTAL ELLIPSIS} of", ()),
    "megabytes of last words": ("crashed", "exit code 1 | word | word | the very last word", ()),
    "last words in no encoding": ("crashed", "exit code 1 | \ufffd\ufffd caf\ufffd \\x1b[2J", ()),
    "raises": ("crashed", "ZeroDivisionError: division by zero", ()),
    "needs much memory": ("crashed", "MemoryError", ("--memory-limit", "1500")),
    "hang": ("timed out", "no answer within 1 s", ("--time-limit", "1")),
    "spins": ("timed out", "no answer within 1 s", ("--time-limit", "1")),
    "ignores SIGTERM and hangs": ("timed out", "no answer within 1 s", ("--time-limit", "1")),
    "deaf": ("timed out", "no answer within 1 s", ("--time-limit", "1")),
    "half a frame and hangs": ("timed out", "no answer within 1 s", ("--time-limit", "1")),
    "prints to stdout": ("crashed", "bytes that are no frame: b'step 1: ", ()),
    "garbage": ("crashed", "bytes that are no frame: b'Hello, w", ()),
    "half a frame": ("crashed", "ends inside a frame", ()),
    "a header that is no JSON": ("crashed", "does not parse", ()),
    "a header that is no UTF-8": ("crashed", "does not parse", ()),
    "a header that is a list": ("crashed", "does not parse", ()),
    "a deep header": ("crashed", "recursion", ()),
    "gigabytes claimed": ("crashed", "a frame of 1099511627776 bytes, above the limit", ()),
    "closes stdout": ("crashed", "it closed its output, and lived on", ()),
    "wrong id": ("crashed", "answers no open request", ()),
    "an id that is a text": ("crashed", "answers no open request", ()),
    "no outcomes": ("crashed", "without an outcome for each quantity", ()),
    "outcomes that are a list": ("crashed", "without an outcome for each quantity", ()),
    "an extra quantity": ("crashed", "without an outcome for each quantity", ()),
    "another quantity": ("crashed", "without an outcome for each quantity", ()),
    "an outcome that is a text": ("crashed", "without an outcome for each quantity", ()),
    "a status of its own": ("crashed", "without an outcome for each quantity", ()),
    "a verdict for a status": ("crashed", "without an outcome for each quantity", ()),
    "an array is missing": ("crashed", "lacks the array", ()),
    "an array twice": ("crashed", "names an array twice", ()),
    "arrays that are numbers": ("crashed", "does not parse", ()),
    "hello again": ("crashed", "answers no open request", ()),
    "wrong shape": ("wrong", "returned shape [2] where [3] is right", ()),
    "no axes": ("wrong", "returned shape [] where [3] is right", ()),
    "wrong dtype": ("wrong", "returned dtype float64 where float32 is right", ()),
    "integers": ("wrong", "returned dtype int32 where float32 is right", ()),
    "complex numbers": ("wrong", "returned dtype complex64 where float32 is right", ()),
    "texts": ("wrong", "returned dtype str256 where float32 is right", ()),
    "megabytes": ("wrong", "returned shape [3, 4194304] where [3] is right", ()),
    "an array of objects": ("crashed", "objects", ()),
    "an array of a billion": ("crashed", "cut short", ()),
    "an array of less than nothing": ("crashed", "does not parse", ()),
    "an array whose header is code": ("crashed", "does not parse", ()),
    "an array whose header is nested": ("crashed", "", ()),
    "a message in no encoding": ("raised", "E: caf\\udce9 \\x1b[2J\\x00\n,\"'", ()),
    "a message of megabytes": ("raised", "E: mmm", ()),
    "a child holds the pipes": ("crashed", "exit code 7", ()),
    "a child of another session holds the pipes": ("crashed", "exit code 7", ()),
}


@pytest.mark.parametrize("fault", COSTLY)
def test_a_fault_costs_its_check_alone(cases: Path, quiet: Rows, tmp_path: Path, fault: str) -> None:
    """The culprit gets the verdict and the cause; every other check is that of the quiet run."""
    verdict, message, options = COSTLY[fault]
    start = time.monotonic()
    done, rows = run(cases, tmp_path, fault, *options)
    culprit = rows.pop(CULPRIT)
    assert (culprit["verdict"], culprit["conforms"]) == (verdict, "False")
    assert message in culprit["message"]
    assert len(culprit["message"]) < 2100
    assert rows == {case: row for case, row in quiet.items() if case != CULPRIT}
    assert done.code == 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["complete"]
    assert time.monotonic() - start < 30, "a fault must not cost the time limit of a check that has none"
    _leave_nothing(tmp_path)


HARMLESS: dict[str, tuple[str, ...]] = {
    "killed once": (),
    "closes stdin": (),
    "answers twice": (),
    "dies between checks": (),
    "numbers that are none": (),
    "numbers that are texts": (),
    "warnings that are a number": (),
    "megabytes of warnings": (),
    "a hello of odd things": (),
    "a hello of odd hardware": (),
}


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_fault_that_costs_nothing(cases: Path, quiet: Rows, tmp_path: Path, fault: str) -> None:
    """A death that does not repeat, a word too many: every check is that of the quiet run."""
    done, rows = run(cases, tmp_path, fault)
    odd = {"framework_version": ""} if fault == "a hello of odd things" else {}
    assert [row | odd for row in rows.values()] == [row | odd for row in quiet.values()]
    assert done.code == 0


@pytest.mark.parametrize(
    ("fault", "verdict", "message", "options"),
    [
        ("cannot start", "crashed", "exit code 3 | no such framework here", ()),
        ("crashes at the start", "crashed", "exit code 1 | ImportError: libcudart.so.12", ()),
        ("hangs at the start", "timed out", "no start within 1 s", ("--start-limit", "1")),
        ("prints before hello", "crashed", "no frame", ()),
    ],
)
def test_a_subject_that_never_starts(
    cases: Path, tmp_path: Path, fault: str, verdict: str, message: str, options: tuple[str, ...]
) -> None:
    """Its first check says why, the others that they have not been run; each is counted."""
    done, rows = run(cases, tmp_path, fault, *options)
    assert [row["verdict"] for row in rows.values()] == [verdict] + ["not run"] * 5
    assert message in rows["case-0"]["message"]
    assert f"the subject was given up: {rows['case-0']['message']}" == rows["case-5"]["message"]
    assert done.code == 1
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"] == {verdict: 1, "not run": 5}


def test_a_subject_that_always_dies_is_given_up(tmp_path: Path) -> None:
    """After eight deaths in a row: two on the first check, one on each that is the same program."""
    done, rows = run(written(tmp_path / "cases.yaml", range(9)), tmp_path, "dies on every check")
    assert [row["verdict"] for row in rows.values()] == ["crashed"] * 7 + ["not run"] * 2
    assert "never again" in rows["case-8"]["message"]
    assert done.code == 1


def test_a_death_of_what_is_compiled_together_costs_one_formulation(tmp_path: Path) -> None:
    """The others are compiled alone from then on; so is every case of that program."""
    file = written(tmp_path / "cases.yaml", range(4), "[functional, composed, manual]")
    done, _ = run(file, tmp_path, "dies where the composed one is compiled")
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["formulation"] for row in rows if row["verdict"] == "crashed"} == {"composed"}
    assert [row["conforms"] for row in rows] == ["True", "False", "True"] * 4
    assert done.code == 1
    starts = (tmp_path / "marker").read_text()
    assert len(starts) == 1 + 1 + 2 + 3, "a death of all, two of the first composed one, one of each other"


@pytest.mark.parametrize(("processor", "code"), [("avx512f, not avx2", 0), ("avx512f, avx2", 1)])
def test_a_deviation_of_some_processors(cases: Path, tmp_path: Path, processor: str, code: int) -> None:
    """It is known where the subject's own words fit; an interrupted run keeps those words."""
    known = f"    known: [{{subject: '*', reason: 1 is missing, source: tests, processor: '{processor}'}}]\n"
    file = tmp_path / "cases.yaml"
    file.write_text(cases.read_text().replace(f"{CULPRIT}\n", f"{CULPRIT}\n{known}"))
    done, rows = run(file, tmp_path, "wrong on its processor")
    assert done.code == code
    assert rows[CULPRIT]["known"] == ("" if code else "1 is missing (tests)")
    (tmp_path / "out" / "observations.bin").rename(tmp_path / "out" / "journal.bin")
    again = conformance("run", "--resume", "--output", "out", folder=tmp_path)
    assert again.code == code, again.complained


def test_a_subject_that_disappears_between_checks(cases: Path, quiet: Rows, tmp_path: Path) -> None:
    """What it answered before stands, the check at hand has crashed, and the rest is counted as not run."""
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE.read_text())
    done, rows = run(cases, tmp_path, "is uninstalled", program=program)
    assert not program.exists()
    assert [row["verdict"] for row in rows.values()][2:] == ["crashed"] + ["not run"] * 3
    assert [rows[case] for case in ("case-0", "case-1")] == [quiet[case] for case in ("case-0", "case-1")]
    assert "can't open file" in rows[CULPRIT]["message"]
    assert done.code == 1


def test_a_command_that_does_not_exist(cases: Path, tmp_path: Path) -> None:
    """The operating system's word is the message."""
    (tmp_path / "subjects.yaml").write_text("subjects: [{subject: numpy, command: /nonexistent/python}]\n")
    done = conformance("run", cases, "--subjects", "subjects.yaml", "--output", "out", folder=tmp_path)
    assert done.code == 1
    assert "cannot start: [Errno 2] No such file" in (tmp_path / "out" / "results.csv").read_text()


def _leave_nothing(folder: Path) -> None:
    """Ends the child of another session, which no process group reaches."""
    marker = folder / "marker"
    if marker.exists() and marker.read_text().isdigit():
        try:
            os.kill(int(marker.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass  # It went with its group.


def test_a_death_costs_the_quantity_that_it_comes_from(tmp_path: Path) -> None:
    """Value and gradient are asked together, and one by one once that has killed a process twice."""
    file = written(tmp_path / "cases.yaml", range(3), "[functional]")
    file.write_text(file.read_text().replace("quantities: [value]", "quantities: [value, gradient]"))
    run(file, tmp_path, "dies of the gradient")
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    verdicts = {(row["quantity"], row["verdict"]) for row in rows}
    assert {quantity for quantity, verdict in verdicts if verdict == "crashed"} == {"gradient:x"}
    assert len(rows) == 6
    assert {row["conforms"] for row in rows if row["quantity"] == "value"} == {"True"}
