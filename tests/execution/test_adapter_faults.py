"""Faults of a formulation inside a sound worker, and answers that differ when they are asked for again."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from execution.command_line import Call, Done
from execution.kill_anywhere import children, left_after
from execution.test_faults import CASE, CULPRIT, FIRSTS, Rows

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hostile adapter is installed: a distribution with an entry point of ours."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "hostile_adapter.py").write_text((HERE / "hostile_adapter.py").read_text())
    about = folder / "hostile_adapter-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-adapter\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[conformance.adapters]\nhostile = hostile_adapter:Hostile\n")
    return folder


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cases, of which one triggers the fault."""
    file = tmp_path_factory.mktemp("cases") / "cases.yaml"
    listed = [CASE.format(number=number, first=first) for number, first in enumerate(FIRSTS)]
    file.write_text("source: tests\ncases:\n" + "".join(listed))
    return file


def run(site: Path, cases: Path, folder: Path, mode: str, *options: str) -> tuple[Done, Rows]:
    """`conformance run` with the hostile adapter in a mode: how it ended, and its rows by case."""
    path = {"PYTHONPATH": f"{site}:{HERE.parents[1]}", "OMP_NUM_THREADS": "1"}
    words = ["run", str(cases), "--subject", f"hostile:{mode}", "--output", "out", *options]
    done = Call(words, folder, path).done()
    assert "Traceback" not in done.complained, done.complained
    with (folder / "out" / "results.csv").open(newline="", encoding="utf-8") as stream:
        return done, {row["case"]: row for row in csv.DictReader(stream)}


@pytest.mark.parametrize(
    ("mode", "verdict", "message", "options"),
    [
        ("prints", "exact", "", ()),
        ("takes_the_streams", "exact", "", ()),
        ("makes_warnings_errors", "raised", "DeprecationWarning", ()),
        ("closes_everything", "crashed", "Bad file descriptor", ()),
        ("exits", "crashed", "exit code 0", ()),
        ("is_interrupted", "crashed", "KeyboardInterrupt", ()),
        ("raises_a_base_exception", "crashed", "BaseException: out of the way", ()),
        ("raises_odd_text", "raised", "ValueError: caf\\udce9 \\x1b[2J\\x00", ()),
        ("raises_what_cannot_be_shown", "raised", "Mute: its message cannot be shown", ()),
        ("recurses", "raised", "RecursionError", ()),
        ("returns_none", "raised", "AttributeError", ()),
        ("returns_a_text", "raised", "AttributeError", ()),
        ("returns_objects", "crashed", "arrays of objects do not travel", ()),
        ("returns_ragged_lists", "raised", "AttributeError", ()),
        ("needs_memory", "raised", "Unable to allocate 128. GiB", ("--memory-limit", "4000")),
    ],
)
def test_a_fault_costs_its_check_alone(
    site: Path, cases: Path, tmp_path: Path, mode: str, verdict: str, message: str, options: tuple[str, ...]
) -> None:
    """The checks that follow see nothing of it, nor of what it did to streams and warnings."""
    _, rows = run(site, cases, tmp_path, mode, *options)
    culprit = rows.pop(CULPRIT)
    assert culprit["verdict"] == verdict, culprit["message"]
    assert message in culprit["message"]
    assert [row["conforms"] for row in rows.values()] == ["True"] * 5


def test_a_killed_run_leaves_no_worker_that_spins(site: Path, cases: Path, tmp_path: Path) -> None:
    """It reads no end of its input, and nobody is left to keep its time limit."""
    path = {"PYTHONPATH": f"{site}:{HERE.parents[1]}", "OMP_NUM_THREADS": "1"}
    call = Call(["run", str(cases), "--subject", "hostile:spins", "--output", "out"], tmp_path, path)
    journal, end = tmp_path / "out" / "journal.bin", time.monotonic() + 60
    while time.monotonic() < end and not (journal.exists() and b"case-1" in journal.read_bytes()):
        time.sleep(0.05)
    assert call.process.pid is not None
    workers = children(call.process.pid)
    assert workers
    call.process.kill()
    call.process.join()
    assert left_after(workers, 5.0) == []


class TestRepeats:
    """`--repeat`: what differs between repeats is said, and judged by its worst."""

    def test_bits(self, site: Path, cases: Path, tmp_path: Path) -> None:
        done, rows = run(site, cases, tmp_path, "flickers", "--repeat", "3")
        messages = {row["message"] for row in rows.values()}
        assert messages == {"not deterministic: 2 results in 3 repeats"}
        assert done.code == 0
        assert json.loads((tmp_path / "out" / "run.json").read_text())["unsteady"] == {"hostile:flickers": 6}
        for name in ("summary.md", "report.html"):
            assert "hostile:flickers: 6 checks with other bits" in (tmp_path / "out" / name).read_text()

    def test_the_worst_verdict_stands(self, site: Path, cases: Path, tmp_path: Path) -> None:
        done, rows = run(site, cases, tmp_path, "flickers_into_nan", "--repeat", "3")
        assert {row["verdict"] for row in rows.values()} == {"wrong"}
        assert {row["observed"] for row in rows.values()} == {"nan"}
        assert rows["case-0"]["message"].startswith("not deterministic: 2 results in 3 repeats; returned nan")
        assert done.code == 1

    def test_an_error_is_worse_than_a_value(self, site: Path, cases: Path, tmp_path: Path) -> None:
        _, rows = run(site, cases, tmp_path, "flickers_into_an_error", "--repeat", "2")
        assert {row["verdict"] for row in rows.values()} == {"raised"}
        assert "RuntimeError: out of luck" in rows["case-0"]["message"]

    def test_what_is_steady_is_as_without_repeats(self, site: Path, cases: Path, tmp_path: Path) -> None:
        """Byte for byte, relations and equivalence too."""
        tables = []
        for options in ((), ("--repeat", "3")):
            run(site, cases, tmp_path, "right", *options)
            names = ("results.csv", "relations.csv", "equivalence.csv")
            tables.append([(tmp_path / "out" / name).read_bytes() for name in names])
        assert tables[0] == tables[1]
