"""Climb: one search from one seed towards the largest error / bound; the task that a worker carries out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.base import Adapter
from conformance.adapters.response import answer
from conformance.errors import ConformanceError
from conformance.judging.verdict import Judgement, conforms, judge, judge_outcome, mismatch
from conformance.operations import reference
from conformance.plan.groups import on_the_wire
from conformance.searching.candidate import Candidate
from conformance.searching.mutations import mutated, simpler
from conformance.sweeping.inputs import floats
from conformance.sweeping.subject_call import AdapterKey, adapter_of, formulation_of

#: Evaluations of a climb, and those of them that go on after the first failure.
CLIMB_EVALUATIONS = 300
AFTER_FAILURE_EVALUATIONS = 60
#: Evaluations that shrink a failing input.
SHRINK_EVALUATIONS = 400


@dataclass(frozen=True)
class Found:
    """Input that fails, as small as it could be made.

    Attributes:
        candidate: The input.
        judgement: The judgement on it.
        evaluations: How many calls of the subject the climb took.
    """

    candidate: Candidate
    judgement: Judgement
    evaluations: int


def judged(adapter: Adapter, candidate: Candidate) -> Judgement | None:
    """The judgement on a candidate; None where the subject has no such thing, or the call is invalid."""
    try:
        flows = candidate.flows()
        exact = reference(
            candidate.operation, candidate.arguments(), candidate.quantity, candidate.dtype, flows["upstream"]
        )
    except (ConformanceError, ValueError):
        return None
    arrays = {
        name: on_the_wire(np.asarray(tensor), candidate.dtype)
        for name, tensor in {**candidate.tensors, **flows}.items()
    }
    formulation = formulation_of(adapter, candidate.operation)
    request = {
        "id": 0,
        "operation": candidate.operation,
        "formulation": formulation,
        "dtype": candidate.dtype,
        "quantities": [candidate.quantity],
        "parameters": candidate.scalars,
        "formulations": [formulation],
        "arrays": [{"name": name, "dtype": dtype} for name, (dtype, _) in arrays.items()],
    }
    stored = {name: array for name, (_, array) in arrays.items()}
    header, results = answer(adapter, request, stored, [])
    outcome: dict[str, Any] = header["outcomes"][candidate.quantity]
    if outcome["status"] == "unsupported":
        return None
    without_array = judge_outcome(outcome, expects_error=False)
    if without_array is not None:
        return without_array
    array, dtype = results[candidate.quantity], header["arrays"][0]["dtype"]
    misfit = mismatch(array.shape, dtype, exact)
    if misfit:
        return Judgement("wrong", misfit)
    (judgement,) = judge(floats(dtype, array)[None], exact)
    return judgement


def score(judgement: Judgement | None) -> float:
    """What a climb maximises: error / bound; -1 where there is none."""
    if judgement is None:
        return -1.0
    if judgement.ratio is None or np.isnan(judgement.ratio):
        return 0.0 if conforms(judgement.verdict) else np.inf
    return float(judgement.ratio)


def climb(key: AdapterKey, seed: Candidate, number: int, random_seed: int) -> Found | None:
    """The smallest failing input found from a seed; None where none was, or the seed itself fails.

    The same for the same arguments, whatever else is searched.

    Args:
        key: The subject's adapter.
        seed: The candidate to begin with.
        number: The climb's number.
        random_seed: The search's seed.
    """
    adapter = adapter_of(key)
    rng = random.Random(f"{random_seed} {number}")
    current, judgement = seed, judged(adapter, seed)
    if judgement is None or not conforms(judgement.verdict):
        return None
    best, worst, left = judgement, None, CLIMB_EVALUATIONS
    used = 1
    while left > 0:
        left -= 1
        used += 1
        # Masks fail soonest and would hide all else: every second climb goes without.
        candidate = mutated(current, rng, everyday=number % 2 == 1)
        attempt = judged(adapter, candidate)
        if score(attempt) < score(best) or attempt is None:
            continue
        if worst is None and not conforms(attempt.verdict):
            left = min(left, AFTER_FAILURE_EVALUATIONS)
        current, best = candidate, attempt
        if not conforms(attempt.verdict):
            worst = candidate, attempt
    if worst is None:
        return None
    smallest, judgement, spent = shrunk(adapter, *worst)
    return Found(smallest, judgement, used + spent)


def shrunk(adapter: Adapter, candidate: Candidate, judgement: Judgement) -> tuple[Candidate, Judgement, int]:
    """The smallest candidate of the same verdict and message that single steps lead to.

    Returns:
        The candidate, its judgement, and how many calls of the subject that took.
    """
    used, kind, progress = 0, (judgement.verdict, judgement.message), True
    while progress and used < SHRINK_EVALUATIONS:
        progress = False
        for attempt in simpler(candidate):
            used += 1
            again = judged(adapter, attempt)
            if again is not None and (again.verdict, again.message) == kind:
                candidate, judgement, progress = attempt, again, True
                break
            if used >= SHRINK_EVALUATIONS:
                break
    return candidate, judgement, used
