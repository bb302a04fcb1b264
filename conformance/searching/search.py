"""Search: climbs from the corpus' cases, side by side on a cluster, and the distinct failures they find."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from distributed import Client

from conformance.cases.loader import load_cases
from conformance.errors import CaseError, RunError
from conformance.execution.cluster import KilledWorker, carried_out, connected, requirements
from conformance.operations import OPERATIONS, no_operation
from conformance.searching.candidate import Candidate, candidates
from conformance.searching.climb import CLIMB_EVALUATIONS, Found, climb
from conformance.subjects.subject import Subject
from conformance.sweeping.subject_call import adapter_key
from conformance.sweeping.subject_names import swept_subjects

#: Climbs that are handed out together: between two such parts the clock is looked at.
PART_CLIMBS = 16
SECONDS_A_MINUTE = 60.0


@dataclass
class Searched:
    """Result of a search.

    Attributes:
        subject: The subject's name.
        climbs: How many climbs were made.
        crashes: How many of them no worker survived.
        found: The distinct failures: the smallest input of each quantity, dtype, verdict and message.
    """

    subject: str
    climbs: int = 0
    crashes: int = 0
    found: list[Found] = field(default_factory=list)


def search(
    operation: str,
    subject: str,
    *,
    dtypes: Sequence[str] = ("float32",),
    minutes: float | None = 1.0,
    evaluations: int | None = None,
    seed: int = 0,
    paths: Sequence[str] = (),
    scheduler: str | None = None,
    workers: int | None = None,
    client: Client | None = None,
) -> Searched:
    """Searches the worst inputs of an operation.

    Args:
        operation: The operation.
        subject: The subject's name, or FILE:FUNCTION.
        dtypes: The dtypes.
        minutes: No climb is begun after so many minutes; None: no limit.
        evaluations: So many evaluations, and the result is the same each time; None: no limit.
        seed: The seed: climb n of a seed is always the same.
        paths: Case files whose cases are the seeds; none: the suite's corpus.
        scheduler: The address of a Dask scheduler; None: a local cluster.
        workers: The processes of the local cluster; None: one for each core.
        client: A client to use in the place of `scheduler`.

    Raises:
        RunError: There is no such operation, no seed, or neither limit.
        SubjectError: There is no such subject.
    """
    if operation not in OPERATIONS:
        raise RunError(f"--operation {operation}: {no_operation(operation)}")
    if minutes is None and evaluations is None:
        raise RunError("a search needs a limit: --minutes or --evaluations")
    (chosen,) = swept_subjects([subject], operation)
    adapter_key(chosen)  # refuses what no worker's own interpreter has
    seeds = neutral_seeds(operation, dtypes, paths)
    if not seeds:
        raise RunError(f"--operation {operation}: no case is a seed: small tensors of one or two axes")
    climbs = _climbs(seeds, seed)
    if evaluations is not None:
        climbs = islice(climbs, -(-evaluations // CLIMB_EVALUATIONS))
    deadline = math.inf if minutes is None else time.monotonic() + minutes * SECONDS_A_MINUTE
    if client is not None:
        return _searched(client, chosen, climbs, seed, deadline)
    with connected(scheduler, workers) as connection:
        return _searched(connection, chosen, climbs, seed, deadline)


def _searched(
    client: Client, subject: Subject, climbs: Iterator[tuple[int, Candidate]], seed: int, deadline: float
) -> Searched:
    """Carries out climbs, some at a time, until there are no more or the deadline has passed."""
    key, result = adapter_key(subject), Searched(subject.name)
    found: dict[int, Found] = {}
    while part := list(islice(climbs, PART_CLIMBS)):
        tasks = [(requirements(key.device), (key, candidate, number, seed)) for number, candidate in part]
        for index, outcome in carried_out(client, climb, tasks):
            result.climbs += 1
            result.crashes += isinstance(outcome, KilledWorker)
            if isinstance(outcome, Found):
                found[part[index][0]] = outcome
        if time.monotonic() > deadline:
            break
    result.found = distinct([found[number] for number in sorted(found)])
    return result


def neutral_seeds(operation: str, dtypes: Sequence[str], paths: Sequence[str]) -> list[Candidate]:
    """The corpus' cases of an operation as candidates; climbs leave out those that fail as they are."""
    seeds: list[Candidate] = []
    for case in load_cases([Path(path) for path in paths] or None):
        if case.operation != operation or case.expect != "value":
            continue
        for dtype in case.dtypes:
            if dtype in dtypes:
                try:
                    seeds += candidates(case, dtype)
                except CaseError:
                    continue
    return seeds


def _climbs(seeds: Sequence[Candidate], seed: int) -> Iterator[tuple[int, Candidate]]:
    """Climbs without end: each seed once in a random order, then again in another."""
    rng, number = random.Random(seed), 0
    while True:
        for candidate in rng.sample(seeds, len(seeds)):
            yield number, candidate
            number += 1


def distinct(found: Sequence[Found]) -> list[Found]:
    """The smallest input of each kind of failure; of equally small ones the one of the largest error."""
    smallest: dict[tuple[str, ...], Found] = {}
    for each in found:
        candidate, judgement = each.candidate, each.judgement
        kind = candidate.dtype, candidate.quantity, judgement.verdict, judgement.message
        before = smallest.get(kind)
        if before is None or _rank(each) < _rank(before):
            smallest[kind] = each
    return [smallest[kind] for kind in sorted(smallest)]


def _rank(found: Found) -> tuple[int, float]:
    return found.candidate.size, -(found.judgement.ratio or 0.0)
