"""A subject's two processes: who has them, and that they answer what one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from conformance.cases.loader import load_cases
from conformance.execution import session, worker_group
from conformance.execution.worker import Worker
from conformance.execution.worker_group import WorkerGroup, compiles
from conformance.plan.groups import Group
from conformance.plan.requests import Request
from conformance.results.run import Run
from conformance.subjects.subject import parse

CASES = Path(__file__).parents[1] / "few_cases.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subject of each process that is started; NumPy is taken for a framework that compiles."""
    names: list[str] = []

    class Seen(Worker):
        def start(self) -> None:
            names.append(self.subject.name)
            super().start()

    monkeypatch.setattr(worker_group, "Worker", Seen)
    monkeypatch.setattr(worker_group, "COMPILING_MODES", {"numpy:eager"})
    monkeypatch.setattr(worker_group, "MIN_SECONDS_TO_SPLIT", -1.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return names


def run(**options: int) -> Run:
    return session.run([CASES], subjects=["numpy"], **options)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("jax", True),
        ("jax:jit", True),
        ("jax:eager", False),
        ("jax@gpu", False),
        ("tensorflow", False),
        ("tensorflow:xla", True),
        ("torch:compile", True),
        ("torch", False),
    ],
)
def test_what_compiles_on_the_processor_is_shared(name: str, shared: bool) -> None:
    assert compiles(parse(name)) is shared


def test_two_processes_answer_what_one_does(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its programs; every check is there, once, with the same bits."""
    shared = run()
    assert started == ["numpy", "numpy"]
    monkeypatch.setattr(worker_group, "MIN_SECONDS_TO_SPLIT", 1e9)
    alone = run()
    assert started == ["numpy"] * 3
    assert shared.complete
    assert set(shared.frame["dtype"]) > {"float32", "float64"}
    pd.testing.assert_frame_equal(shared.frame, alone.frame)


class Paced:
    """A worker of which only its pace is known: a second a request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def start(self) -> None:
        pass

    def watch(self, now: float) -> None:
        pass

    def submit(self, requests: list[Request]) -> None:
        self.requests += requests

    def release(self) -> list[Request]:
        released, self.requests = self.requests, []
        return released

    def seconds_ahead(self) -> float:
        return float(len(self.requests))


def test_the_work_is_shared_by_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process from a minute of work on; then it takes half of what the other has, and so on."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    workers = [Paced(), Paced()]
    made = iter(workers)
    shared = WorkerGroup(lambda: cast(Worker, next(made)), may_split=True)
    case = load_cases([CASES])[0]
    groups = [Group(0, case, dtype) for dtype in ("float32", "float64", "float16", "bfloat16")]
    requests = [Request(index, groups[index % 4], "functional", ("value",)) for index in range(64)]
    shared.submit(requests[:60])
    shared.watch(0.0)
    assert len(shared) == 1
    shared.submit(requests[60:])
    del workers[0].requests[:1]  # float32 has begun: it stays
    shared.watch(0.0)
    assert len(shared) == 2
    assert [dtypes(worker) for worker in workers] == [{"float32", "float16"}, {"float64", "bfloat16"}]
    assert [shared.worker_of(request) for request in requests] == [0, 1] * 32
    workers[0].requests.clear()
    shared.watch(0.0)
    assert [dtypes(worker) for worker in workers] == [{"float64"}, {"bfloat16"}]
    assert [shared.worker_of(request) for request in requests[:4]] == [0, 0, 0, 1]
    del workers[1].requests[5:]
    workers[0].requests.clear()
    shared.watch(0.0)
    assert [len(worker.requests) for worker in workers] == [0, 5]  # so little is not worth it


def dtypes(worker: Paced) -> set[str]:
    return {request.group.dtype for request in worker.requests}


def test_a_number_of_workers_is_a_number_of_processes(started: list[str]) -> None:
    """With `--workers`, no subject has more than one."""
    assert run(workers=2).complete
    assert started == ["numpy"]


def test_workers_begin_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from conformance import api\n"
        "from conformance.execution.worker_group import WorkerGroup\n"
        "def start(self): print('pandas' in sys.modules, 'jinja2' in sys.modules); begin(self)\n"
        "begin, WorkerGroup.start = WorkerGroup.start, start\n"
        f"run = api.run([{str(CASES)!r}], subjects=['numpy'], output={str(tmp_path)!r})\n"
        "print(run.complete, 'jinja2' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["False False", "True True"]
