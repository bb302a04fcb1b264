"""A sweep on a local Dask cluster: a worker that dies changes nothing of the result."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from distributed import Client, LocalCluster

from conformance.errors import RunError
from conformance.execution import cluster
from conformance.sweeping import result_files
from conformance.sweeping.sweep import Request, sweep
from conformance.sweeping.swept import Swept

#: A sigmoid that kills its process once, at the first block of one binade, and never again.
DEADLY = """
import os
import signal
import numpy as np

MARK = {mark!r}

def sigmoid(x):
    if x[0] == 2.0:
        try:
            mark = os.open(MARK, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            pass
        else:
            os.write(mark, str(os.getpid()).encode())
            os.kill(os.getpid(), signal.SIGKILL)
    return (1 / (1 + np.exp(-x))).astype(x.dtype)
"""

pytestmark = pytest.mark.filterwarnings("ignore")


def stored(swept: Swept, directory: Path) -> bytes:
    result_files.write(swept, directory, {})
    return (directory / "sweep.parquet").read_bytes()


def listening() -> set[tuple[str, int]]:
    """Address and port of each socket on which this process or one that it started waits for others."""
    whole = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = [socket for process in whole for socket in process.net_connections("tcp")]
    return {tuple(socket.laddr) for socket in sockets if socket.status == psutil.CONN_LISTEN}


def test_the_network_does_not_reach_a_cluster_of_this_machine() -> None:
    before = listening()
    with cluster.connected(None, 1):
        opened = listening() - before
    assert opened
    assert {address for address, _ in opened} == {"127.0.0.1"}


def test_a_killed_worker_changes_no_byte(tmp_path: Path) -> None:
    """Of two workers one is killed half-way, by what it runs: SIGKILL, as the kernel would out of memory."""
    mark = tmp_path / "killed"
    (tmp_path / "loss.py").write_text(DEADLY.format(mark=str(mark)))
    subject = f"{tmp_path / 'loss.py'}:sigmoid"
    request = Request("sigmoid", (subject,), ("float32",), ("value",), 0x3F000000, 0x41FFFFFF)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
        Client(local) as client,
    ):
        before = {worker.pid for worker in local.workers.values()}
        first = sweep(request, client=client)
        assert int(mark.read_text()) in before, "no worker died"
        second = sweep(request, client=client)
    assert not first.refused
    assert sum(first.counts().values()) == request.last - request.first + 1
    assert stored(first, tmp_path / "first") == stored(second, tmp_path / "second")


def test_tasks_of_a_gpu_ask_for_one() -> None:
    assert cluster.requirements("cuda:1") == cluster.requirements("gpu") == {"GPU": 1}
    assert cluster.requirements(None) == cluster.requirements("cpu") == {}


def test_an_address_without_a_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(RunError, match="--scheduler tcp"),
        cluster.connected("tcp://127.0.0.1:9"),
    ):
        pass
