"""Sweep: every input of a dtype through subjects, judged on a cluster, binade by binade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client

from conformance.adapters.hardware import processor
from conformance.errors import RunError
from conformance.execution.cluster import KilledWorker, carried_out, connected, requirements
from conformance.subjects.subject import Subject
from conformance.sweeping.binade_sweep import BinadeResult, sweep_binade
from conformance.sweeping.functions import SweptFunction, check_rows, swept_functions
from conformance.sweeping.inputs import PAIRS, WIDTH_BITS, Binade, binades, input_bits
from conformance.sweeping.subject_call import AdapterKey, adapter_key, adapter_of
from conformance.sweeping.subject_names import swept_subjects
from conformance.sweeping.swept import Part, Swept


@dataclass(frozen=True)
class Request:
    """What a sweep is asked for.

    Attributes:
        operation: The operation.
        subjects: Names of subjects; none: every installed framework.
        dtypes: Dtypes, or `PAIRS` of one; none: all dtypes that a sweep can visit.
        quantities: `value`, `gradient`, `second`; none: all.
        first: The bits of the first input.
        last: Those of the last; None: the dtype's last.
    """

    operation: str
    subjects: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class Task:
    """Task of a sweep: one function of one subject over one binade.

    Attributes:
        subject: The subject's name.
        key: Its adapter.
        function: The function.
        binade: The binade.
        first: The bits of the range's first input.
        last: Those of its last.
    """

    subject: str
    key: AdapterKey
    function: SweptFunction
    binade: Binade
    first: int
    last: int


def sweep(
    request: Request,
    scheduler: str | None = None,
    workers: int | None = None,
    bar: bool = False,
    client: Client | None = None,
) -> Swept:
    """Sweeps an operation.

    Args:
        request: What is swept.
        scheduler: The address of a Dask scheduler; None: a local cluster.
        workers: The processes of the local cluster; None: one for each core.
        bar: Whether Dask draws its bar on standard error.
        client: A client to use in the place of `scheduler`.

    Raises:
        RunError: The operation is no function of one number, a range is none, or no scheduler answers.
        SubjectError: A subject does not exist, or cannot be called in a worker's own interpreter.
    """
    subjects = swept_subjects(request.subjects, request.operation)
    tasks = list(_tasks(request, subjects))
    if not tasks:
        raise RunError(f"sweep {request.operation}: no input lies in that range")
    if client is not None:
        return _swept(client, tasks, subjects, bar)
    with connected(scheduler, workers) as connection:
        return _swept(connection, tasks, subjects, bar)


def _tasks(request: Request, subjects: Sequence[Subject]) -> Iterator[Task]:
    for subject in subjects:
        key = adapter_key(subject)
        for function in swept_functions(request.operation, request.quantities):
            for dtype in request.dtypes or tuple(WIDTH_BITS):
                check_rows(request.operation, dtype)
                if dtype not in (*WIDTH_BITS, *PAIRS):
                    raise RunError(f"--dtype {dtype}: a sweep visits every {', '.join(WIDTH_BITS)}")
                first, last = _range(request, dtype)
                begin, end = function.domain(dtype)
                for binade in binades(dtype, max(first, begin), min(last, end)):
                    yield Task(subject.name, key, function, binade, first, last)


def _range(request: Request, dtype: str) -> tuple[int, int]:
    greatest = (1 << input_bits(dtype)) - 1
    last = greatest if request.last is None else request.last
    if not 0 <= request.first <= last <= greatest:
        raise RunError(
            f"--first {request.first:#x} --last {last:#x}: bits of {dtype} go from 0 to {greatest:#x}"
        )
    return request.first, last


def _swept(client: Client, tasks: Sequence[Task], subjects: Sequence[Subject], bar: bool) -> Swept:
    asked = [
        (requirements(task.key.device), (task.key, task.function, task.binade, task.first, task.last))
        for task in tasks
    ]
    keys = {subject.name: adapter_key(subject) for subject in subjects}
    descriptions = {
        name: client.submit(described, key, resources=requirements(key.device) or None)
        for name, key in keys.items()
    }
    swept = Swept()
    for index, result in carried_out(client, sweep_binade, asked, bar):
        if isinstance(result, KilledWorker):
            result = BinadeResult((), "crashed", "every worker that carried it out died")
        task = tasks[index]
        swept.add(Part(task.subject, task.function, task.binade), (task.first, task.last), result)
    swept.subjects = {name: future.result() for name, future in descriptions.items()}
    return swept


def described(key: AdapterKey) -> dict[str, Any]:
    """What a worker says of the subject and of the machine that it runs on."""
    about = adapter_of(key).describe()
    versions = {key.framework: about["version"], **about.get("versions", {})}
    return {"versions": versions, "hardware": {**processor(), **about.get("hardware", {})}}
