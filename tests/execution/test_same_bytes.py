"""Killed or not, and in whatever way it was started: a run's tables are the same bytes. In short."""

from __future__ import annotations

import json
import random
import sys
import threading
from pathlib import Path

import pytest
from execution import kill_anywhere, run_many_ways
from execution.command_line import conformance

from conformance.execution.scheduling import WorkerSlots

CASES = Path(__file__).parents[1] / "few_cases.yaml"
HOSTILE = Path(__file__).with_name("hostile.py")


def test_killed_runs_end_in_the_same_bytes_and_leave_nothing(tmp_path: Path) -> None:
    """`kill_anywhere.py` does so fifty times, with PyTorch; here at a random moment, and at the first."""
    killer = kill_anywhere.Killer([str(CASES), "-s", "numpy", "-d", "float32"], tmp_path, seed=6)
    assert killer.trial(0) == ""
    killer.seconds = 0.0
    assert killer.trial(1) == ""
    assert killer.counts["kills"] >= 1
    assert killer.counts["kills before the first answer"] >= 1
    assert killer.counts["processes left"] == 0


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two case files, and two subjects that note when they begin and end."""
    folder = tmp_path_factory.mktemp("two")
    template = (
        "source: s\ncases: [{{id: {0}, operation: softmax, inputs: {{x: [{1}, 2, 3]}}, quantities: [value],"
    )
    template += " dtypes: [float32], formulations: [functional], why: {0}}}]\n"
    for name, first in (("a", 0), ("b", 1)):
        (folder / f"{name}.yaml").write_text(template.format(name, first))
    noted = f'echo + >> {folder}/log; "$@"; echo - >> {folder}/log'
    command = json.dumps(["sh", "-c", noted, "sh", sys.executable, str(HOSTILE), "none", str(folder / "x")])
    environment = json.dumps({"PYTHONPATH": str(HOSTILE.parents[2]), "OMP_NUM_THREADS": "1"})
    entry = "  - {{name: {}, subject: numpy, command: {}, environment: {}}}\n"
    listed = "".join(entry.format(name, command, environment) for name in ("left", "right"))
    (folder / "subjects.yaml").write_text("subjects:\n" + listed)
    return folder


def test_every_way_gives_the_same_bytes(two: Path) -> None:
    """`run_many_ways.py` does the same ten times, with the frameworks."""
    draw, digests = random.Random(1), set()
    paths = [str(two / "a.yaml"), str(two / "b.yaml")]
    for number in range(3):
        words, environment = run_many_ways.way(draw, paths, ["left", "right"])
        words += ["--subjects", str(two / "subjects.yaml")]
        (two / str(number)).mkdir()
        digests.add(tuple(run_many_ways.digests(words, environment, two / str(number)).values()))
    assert len(digests) == 1


@pytest.mark.parametrize(("workers", "together"), [("1", 1), ("2", 2)])
def test_so_many_workers_run_at_a_time(two: Path, tmp_path: Path, workers: str, together: int) -> None:
    """With one, the second subject starts when the first has ended, and nothing is missing."""
    (two / "log").unlink(missing_ok=True)
    words = ["run", two / "a.yaml", "--subjects", two / "subjects.yaml", "--workers", workers]
    done = conformance(*words, "--output", "out", folder=tmp_path)
    assert done.code == 0, done.complained
    assert sum(json.loads((tmp_path / "out" / "run.json").read_text())["counts"].values()) == 2
    most = now = 0
    for sign in (two / "log").read_text().split():
        now += 1 if sign == "+" else -1
        most = max(most, now)
    assert most == together


class TestSlots:
    def test_one_that_is_given_up_takes_none(self) -> None:
        slots = WorkerSlots(1)
        with slots.taken(lambda: False), slots.taken(lambda: True):
            assert not slots.wanted
        with slots.taken(lambda: False):
            pass

    def test_one_that_waits_is_seen_and_gets_its_turn(self) -> None:
        slots, has = WorkerSlots(1), threading.Event()

        def other() -> None:
            with slots.taken(lambda: False):
                has.set()

        with slots.taken(lambda: False):
            waiting = threading.Thread(target=other)
            waiting.start()
            while not slots.wanted:
                pass
            assert not has.is_set()
        assert has.wait(10)
        waiting.join()

    def test_without_a_limit_nobody_waits(self) -> None:
        slots = WorkerSlots(None)
        with slots.taken(lambda: False), slots.taken(lambda: False):
            assert not slots.wanted
