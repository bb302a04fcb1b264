"""What a subject returned for one quantity, ready to be judged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.judging import verdict
from conformance.judging.verdict import Judgement
from conformance.operations import Reference
from conformance.plan.events import Answer
from conformance.plan.requests import Request

Floats = npt.NDArray[np.float64]

#: Elements that are judged in one vectorised step: more would cost memory, fewer time.
_AT_ONCE = 1 << 19
STORAGE: dict[str, Any] = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}


@dataclass
class Observation:
    """One quantity as one subject returned it: its outcome, and its values where it returned any."""

    subject: str
    request: Request
    outcome: dict[str, Any]
    dtype: str = ""
    shape: tuple[int, ...] = ()
    values: Floats | None = None
    bits: str = ""
    judgement: Judgement | None = None


def digits(value: float, dtype: str) -> str:
    """The shortest digits that name this value in its dtype."""
    return str(STORAGE[dtype](value)) if dtype in STORAGE else str(value)


def embed(array: npt.NDArray[Any], dtype: str) -> tuple[str, Floats]:
    """A returned array as (its true dtype, its values in float64)."""
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
    one = Observation(answer.subject, answer.request, {**outcome, "warnings": answer.warnings})
    if outcome.get("status") == "returned":
        array = answer.arrays.get(quantity)
        if array is None:
            one.outcome = {
                "status": "crashed",
                "message": "the worker's response lacks the array that it names",
            }
            return one
        one.dtype, one.values = embed(array, answer.dtypes.get(quantity, ""))
        one.shape = tuple(array.shape)
        one.bits = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
    return one


def sound_ones(returned: list[Observation], reference: Reference) -> list[Observation]:
    """The observations of the right shape and dtype; the others get their judgement here."""
    sound = []
    for one in returned:
        fault = verdict.mismatch(one.shape, one.dtype, reference)
        if fault:
            one.judgement = Judgement("wrong", fault)
        else:
            sound.append(one)
    return sound


def judge_in_steps(sound: list[Observation], reference: Reference) -> None:
    """Gives each observation its judgement, as many in one vectorised step as memory should hold.

    The same bits have the same judgement: each is judged once.
    """
    values = {one.bits: one.values for one in sound if one.values is not None}
    distinct, judged = list(values), dict[str, Judgement]()
    step = max(1, _AT_ONCE // max(1, reference.rounded.size))
    for start in range(0, len(distinct), step):
        part = distinct[start : start + step]
        stack = np.stack([values[bits] for bits in part])
        judged.update(zip(part, verdict.judge(stack, reference), strict=True))
    for one in sound:
        one.judgement = judged[one.bits]
