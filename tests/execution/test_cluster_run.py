"""A run on a Dask cluster: the tables of the same run on this machine, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from execution.run_many_ways import TABLES

from conformance.errors import CaseError, RunError
from conformance.execution import cluster_run, session
from conformance.execution.cluster import connected
from conformance.subjects.subject import SERVE

CASES = Path(__file__).parents[1] / "few_cases.yaml"
#: Gaps at which an identity breaks: there a run asks on, for the smallest.
SWEEP = """
source: tests
tags: [frontier]
cases:
  - id: sweep
    operation: log_softmax
    inputs: {x: {gaps: {low: 0.125, high: 1024, steps: 2, classes: 2}}}
    parameters: {axis: 1}
    why: a sweep of gaps
"""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield local


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as connection:
        yield connection


def tables(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in (*TABLES, "results.parquet")}


def test_the_tables_are_those_of_a_run_on_this_machine(client: Client, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    paths = [CASES, tmp_path / "sweep.yaml"]
    given = {"subjects": ["torch", "numpy"], "dtypes": ["float32", "float16"]}
    here = session.run(paths, output=tmp_path / "here", **given)
    there = cluster_run.run(paths, scheduler=None, client=client, output=tmp_path / "there", **given)
    assert tables(tmp_path / "there") == tables(tmp_path / "here")
    assert len(there.frame) > 50
    assert len(there.breaks()) > 1
    assert there.complete
    assert there.environment["settings"] == here.environment["settings"]
    about = [run.environment["subjects"] for run in (here, there)]
    assert list(about[0]) == list(about[1]) == ["torch", "numpy"]
    for name in about[0]:
        assert about[0][name]["version"] == about[1][name]["version"]
        assert about[0][name]["hardware"] == about[1][name]["hardware"]


def test_a_worker_that_dies_changes_no_byte(cluster: LocalCluster, client: Client, tmp_path: Path) -> None:
    """The subject's start kills the worker of the cluster that it belongs to, once: SIGKILL."""
    mark = tmp_path / "killed"
    deadly = f'mkdir {mark} 2> /dev/null && echo $PPID > {mark}/pid && kill -9 $PPID; exec "$@"'
    command = json.dumps(["sh", "-c", deadly, "sh", sys.executable, "-u", str(SERVE)])
    listed = f"subjects:\n  - {{name: deadly, subject: numpy, command: {command}}}\n"
    (tmp_path / "subjects.yaml").write_text(listed)
    given = {"subjects_file": tmp_path / "subjects.yaml", "dtypes": ["float32"]}
    before = {worker.pid for worker in cluster.workers.values()}
    cluster_run.run([CASES], scheduler=None, client=client, output=tmp_path / "there", **given)
    assert int((mark / "pid").read_text()) in before, "no worker died"
    session.run([CASES], output=tmp_path / "here", **given)
    assert tables(tmp_path / "there") == tables(tmp_path / "here")


def test_the_command_line_runs_on_a_scheduler(cluster: LocalCluster, tmp_path: Path) -> None:
    """The whole report, by an address; nothing else is asked of that cluster."""
    words = ["run", str(CASES), "-s", "numpy", "-d", "float32", "--scheduler", cluster.scheduler_address]
    argv = [sys.executable, "-m", "conformance", *words, "--output", str(tmp_path), "--exit-zero"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "numpy has answered" in done.stderr
    assert (tmp_path / "report.html").exists()
    assert json.loads((tmp_path / "run.json").read_text())["complete"] is True


def test_a_call_at_fault_says_so_from_the_cluster(client: Client, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "source: s\ncases: [{id: a, operation: softmocks, inputs: {x: [1]}}]\n"
    )
    with pytest.raises(CaseError, match=r"bad\.yaml:2:"):
        cluster_run.run([tmp_path / "bad.yaml"], scheduler=None, client=client, subjects=["numpy"])
    with pytest.raises(RunError, match="leave out --scheduler"):
        cluster_run.run([CASES], scheduler=None, client=client, resume=True)


def test_what_the_workers_were_not_asked_is_not_run() -> None:
    """A worker whose package has other cases: its answers match no question."""
    collected = cluster_run.CollectedAnswers({"numpy": {"version": "1"}})
    assert collected.worker_of("numpy", None) == 0  # type: ignore[arg-type]

    class Asked:
        quantities = ("value",)

    collected.submit("numpy", [Asked()])  # type: ignore[list-item]
    (answer,) = collected.messages.take_available(9)
    assert answer.outcomes["value"]["status"] == "not run"
    assert "another version" in answer.outcomes["value"]["message"]


def test_a_subject_of_this_interpreter_gets_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a path of the caller's machine would have to exist on the worker's."""
    seen = {}

    def run(_paths: object, *, under_test: list, **_: object) -> object:
        seen["python"] = under_test[0].python
        raise RunError("enough")

    monkeypatch.setattr(session, "run", run)
    for mine, expected in (("/there/python", sys.executable), ("/elsewhere/python", "/there/python")):
        subject = cluster_run.replace(cluster_run.parse("numpy"), python="/there/python")
        with pytest.raises(RunError, match="enough"):
            cluster_run.answers_of([], {}, subject, mine, {})
        assert seen["python"] == expected


def test_a_local_cluster_leaves_the_environment_as_it_was() -> None:
    """A later run's workers would have one thread."""
    before = dict(os.environ)
    with connected(None, workers=1):
        assert dict(os.environ) == before
    assert dict(os.environ) == before
