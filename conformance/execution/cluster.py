"""Cluster that runs, sweeps and searches are carried out on: Dask's, here or wherever its scheduler is.

Dask places tasks, moves what they need, and runs those of a worker that died elsewhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed import progress as show_bar

from conformance.errors import RunError

#: The resource that a worker with a GPU declares: `dask worker ADDRESS --resources GPU=1`.
GPU = "GPU"
#: Any port of the local interface; without the host Dask's page of the cluster is open to the network.
LOCAL_DASHBOARD = "127.0.0.1:0"
CONNECT_SECONDS = 30


@contextmanager
def connected(scheduler: str | None, workers: int | None = None) -> Iterator[Client]:
    """A client of the scheduler at an address; by default of a local cluster of processes.

    Args:
        scheduler: The address, as `tcp://host:8786`; None: a cluster on this machine.
        workers: The processes of the local cluster; None: one for each core.

    Raises:
        RunError: Nobody answers at the address.
    """
    if scheduler is None:
        count = workers or os.cpu_count() or 1
        resources = {GPU: 1} if os.path.exists("/dev/nvidia0") else {}
        before = threads()
        with (
            LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address=LOCAL_DASHBOARD, resources=resources
            ) as cluster,
            Client(cluster) as client,
        ):
            _set(before)  # Dask leaves OMP_NUM_THREADS=1: a later run's workers would take it over.
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"--scheduler {scheduler}: {str(error).splitlines()[0]}") from None
    with client:
        yield client


def threads() -> dict[str, str | None]:
    """This process's variables of the number of threads and such: those that Dask sets for its workers."""
    names = dask.config.get("distributed.nanny.pre-spawn-environ", None) or {}
    return {name: os.environ.get(name) for name in names}


@contextmanager
def with_threads(variables: dict[str, str | None]) -> Iterator[None]:
    """Carries out its body with the variables of another process; None: one that is not set there."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def requirements(device: str | None) -> dict[str, int]:
    """The resources of a task on a device."""
    return {GPU: 1} if device and device.partition(":")[0] in ("cuda", "gpu") else {}


def carried_out(
    client: Client,
    function: Callable[..., Any],
    tasks: Sequence[tuple[dict[str, int], tuple[Any, ...]]],
    bar: bool = False,
) -> Iterator[tuple[int, Any]]:
    """The results of a pure function as they come, each with the index of its task.

    Args:
        client: The cluster.
        function: What a worker calls.
        tasks: The resources and the arguments of each call.
        bar: Whether Dask draws its bar on standard error until all are done.

    Returns:
        Pairs of index and result; a task whose workers died again and again gives the exception.
    """
    futures = {
        client.submit(function, *arguments, resources=resources or None, pure=False): index
        for index, (resources, arguments) in enumerate(tasks)
    }
    if bar:
        with redirect_stdout(sys.stderr):
            show_bar(list(futures), notebook=False)
            print()
    for future in as_completed(futures, raise_errors=False):
        error = future.exception() if future.status == "error" else None
        if error is not None and not isinstance(error, KilledWorker):
            raise error
        yield futures[future], error if error is not None else future.result()
        future.release()


__all__ = ["KilledWorker", "carried_out", "connected", "requirements", "threads", "with_threads"]
