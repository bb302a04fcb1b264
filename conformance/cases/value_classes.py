"""Value classes of a check's inputs: ordinary, extreme or special numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.operations import OPERATIONS

#: The classes, from what a model in training makes to what only an error or a mask makes.
VALUE_CLASSES = ("ordinary", "extreme", "special")
#: Scores beyond this are extreme: exp(-16) is about the least that float16 still holds.
MAX_ORDINARY_SCORE = 16.0
#: Probabilities nearer than this to 0 or 1 are extreme, and numbers nearer to 0 in any input but exact zeros.
LEAST_ORDINARY_DISTANCE = 2.0**-14


def value_class(operation: str, arguments: Mapping[str, Any]) -> str:
    """The class of the numbers of a call.

    `special`: nan or an infinity is among them. `extreme`: a score or log-probability beyond
    `MAX_ORDINARY_SCORE`, or a number nearer than `LEAST_ORDINARY_DISTANCE` to 0 (a probability: to 0 or 1).
    `ordinary`: all else.

    Args:
        operation: The operation's name.
        arguments: Its inputs and parameters by name; floating tensors as float64 arrays.
    """
    first = OPERATIONS[operation].inputs[0].name
    floats = {
        name: array
        for name, array in arguments.items()
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size
    }
    if not all(np.isfinite(array).all() for array in floats.values()):
        return "special"
    if any(_near_zero(array) for array in floats.values()):
        return "extreme"
    scores = floats.get(first)
    if scores is None:
        return "ordinary"
    far = (
        _near_zero(1 - scores) or bool((scores == 0).any() | (scores == 1).any())
        if first == "probs"
        else bool((np.abs(scores) > MAX_ORDINARY_SCORE).any())
    )
    return "extreme" if far else "ordinary"


def _near_zero(array: np.ndarray[Any, Any]) -> bool:
    return bool(((array != 0) & (np.abs(array) < LEAST_ORDINARY_DISTANCE)).any())
