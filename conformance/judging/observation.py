"""Observations: what subjects returned for one quantity, in float64, and their judgements."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.judging import verdict
from conformance.judging.verdict import VERDICTS, Judgement
from conformance.operations import Reference
from conformance.plan.events import Answer
from conformance.plan.requests import Request

Floats = npt.NDArray[np.float64]

#: Elements that are judged in one vectorised step: more would cost memory, fewer time.
_ELEMENTS_A_STEP = 1 << 19
STORAGE: dict[str, Any] = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}
#: Verdicts from best to worst; what is unsupported once and answered once is judged by the answer.
_RANK = {name: rank for rank, name in enumerate(("unsupported", *VERDICTS[:-1]))}


@dataclass
class Observation:
    """One quantity of one answer.

    Attributes:
        subject: The subject's name.
        request: The request that was answered.
        outcome: `status`, its `error`, `message` or `overwritten` inputs, and the call's `warnings`.
        dtype: The dtype of what was returned; empty: nothing was.
        shape: Its shape.
        values: Its values in float64; nan where it holds no numbers.
        bits: A digest of its bytes: the same bits have the same judgement.
        judgement: None until it is judged.
    """

    subject: str
    request: Request
    outcome: dict[str, Any]
    dtype: str = ""
    shape: tuple[int, ...] = ()
    values: Floats | None = None
    bits: str = ""
    judgement: Judgement | None = None


def digits(value: float, dtype: str) -> str:
    """The shortest digits that name this value in its dtype, or in the wider one that it was returned in."""
    for name in (dtype, "float32"):
        if name in STORAGE and float(STORAGE[name](value)) == value:
            return str(STORAGE[name](value))
    return str(value)


def digest_of(array: npt.NDArray[Any]) -> str:
    """The digest of an array's bytes, as `Observation.bits`."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def embed(array: npt.NDArray[Any], dtype: str) -> tuple[str, Floats]:
    """A returned array as (its true dtype, its values in float64); `dtype` is the one of the wire."""
    if dtype == "bfloat16" and array.dtype == np.uint16:
        return "bfloat16", array.view(ml_dtypes.bfloat16).astype(np.float64)
    if array.dtype.kind not in "fiub":
        return _name(array.dtype), np.full(array.shape, np.nan)
    with np.errstate(all="ignore"):
        return _name(array.dtype), array.astype(np.float64)


@lru_cache(maxsize=64)
def _name(dtype: np.dtype[Any]) -> str:
    """A dtype's name, which NumPy makes anew each time."""
    return dtype.name


def observe(answer: Answer, quantity: str) -> Observation:
    """One quantity of an answer; an array that is named and not there is the worker's fault."""
    outcome = answer.outcomes[quantity]
    observation = Observation(answer.subject, answer.request, {**outcome, "warnings": answer.warnings})
    if outcome.get("status") == "returned":
        array = answer.arrays.get(quantity)
        if array is None:
            observation.outcome = {
                "status": "crashed",
                "message": "the worker's response lacks the array that it names",
            }
            return observation
        observation.dtype, observation.values = embed(array, answer.dtypes.get(quantity, ""))
        observation.shape = tuple(array.shape)
        observation.bits = digest_of(array)
    return observation


def comparable(returned: list[Observation], reference: Reference) -> list[Observation]:
    """The observations of the right shape and dtype; the others get their judgement here."""
    matching = []
    for observation in returned:
        mismatch = verdict.mismatch(observation.shape, observation.dtype, reference)
        if mismatch:
            observation.judgement = Judgement("wrong", mismatch)
        else:
            matching.append(observation)
    return matching


def distinct_values(observations: Sequence[Observation]) -> dict[str, Floats]:
    """The values of the observations by their bits: many subjects return the same."""
    return {each.bits: each.values for each in observations if each.values is not None}


def judge_in_steps(observations: list[Observation], reference: Reference) -> None:
    """Gives each observation its judgement, as many in one vectorised step as memory should hold.

    The same bits have the same judgement: each is judged once.

    Args:
        observations: Of the reference's shape and dtype.
        reference: The exact value and its bounds.
    """
    values = distinct_values(observations)
    distinct, judged = list(values), dict[str, Judgement]()
    step = max(1, _ELEMENTS_A_STEP // max(1, reference.rounded.size))
    for start in range(0, len(distinct), step):
        part = distinct[start : start + step]
        stack = np.stack([values[bits] for bits in part])
        judged.update(zip(part, verdict.judge(stack, reference), strict=True))
    for observation in observations:
        observation.judgement = judged[observation.bits]


def worst_repeat(first: Observation, again: Sequence[Observation]) -> tuple[Observation, bool]:
    """The observation that stands for all repeats of a check, and whether they differ.

    They differ where their bits, shapes, dtypes or outcomes do; then the one with the worst verdict stands,
    of equals the first, and its message says how many results there were. All are judged already.
    """
    repeats = [first, *again]
    kinds = {
        (each.outcome["status"], each.outcome.get("error"), each.dtype, each.shape, each.bits)
        for each in repeats
    }
    if len(kinds) == 1:
        return first, False
    worst = max(repeats, key=_badness)  # max keeps the first of equals
    assert worst.judgement is not None
    message = f"not deterministic: {len(kinds)} results in {len(repeats)} repeats"
    if worst.judgement.message:
        message = f"{message}; {worst.judgement.message}"
    return replace(worst, judgement=replace(worst.judgement, message=message)), True


def _badness(observation: Observation) -> tuple[int, float]:
    assert observation.judgement is not None
    error = observation.judgement.ulp_error
    return _RANK[observation.judgement.verdict], -1.0 if error is None else error
