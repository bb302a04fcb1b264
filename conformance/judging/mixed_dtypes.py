"""Mixed dtypes: which dtype a result may have, and the bound where tensors have dtypes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.arithmetic import FORMATS, round_to
from conformance.judging.observation import Observation
from conformance.operations import Reference
from conformance.plan.groups import Group


def by_dtype(
    group: Group, quantity: str, returned: Sequence[Observation]
) -> Iterator[tuple[str, list[Observation]]]:
    """The observations of a quantity, those of a dtype together, with the dtype that they are judged in.

    That is the group's, where no tensor has a dtype of its own. A gradient has its tensor's dtype; a value
    that which the framework documents, as its adapter says. What has another one is wrong.
    """
    if not group.case.dtype_of:
        yield group.dtype, list(returned)
        return
    classes: dict[str, list[Observation]] = {}
    name = quantity.partition(":")[2]
    for each in returned:
        allowed = [group.case.dtype_of.get(name, group.dtype)] if name else each.outcome.get("dtypes", [])
        allowed = [dtype for dtype in allowed if dtype in FORMATS] or [group.dtype]
        classes.setdefault(each.dtype if each.dtype in allowed else allowed[0], []).append(each)
    yield from classes.items()


def is_floating(value: object) -> bool:
    """Whether an argument is a tensor of floating numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def with_one_cast(arguments: dict[str, Any], dtype: str) -> list[dict[str, Any]]:
    """The arguments; then, for each tensor that the dtype does not hold, those with it rounded to it."""
    given = [arguments]
    for name, value in arguments.items():
        if is_floating(value):
            rounded = round_to(FORMATS[dtype], value)
            if not np.array_equal(rounded, value, equal_nan=True):
                given.append({**arguments, name: rounded})
    return given


def computing_dtype(scores_dtype: str) -> str:
    """The narrowest dtype that a function of scores of this dtype computes in: float32 for half types."""
    return scores_dtype if scores_dtype == "float64" else "float32"


def widened(exact: Reference, cast: Sequence[Reference], computed: Reference | None = None) -> Reference:
    """The reference with what each conversion to the result's dtype changes granted, beside the bound.

    A function may convert its tensors to the result's dtype before it computes: the coarser side decides.

    Args:
        exact: The reference at the tensors as they are.
        cast: The references with one tensor each converted.
        computed: The reference in the dtype that the function computes in, where a gradient's is finer.
    """
    bound = exact.bound
    with np.errstate(all="ignore"):
        for other in cast:
            change = np.abs(other.high - exact.high) / exact.ulp
            bound = bound + np.where(np.isfinite(change), change, 0.0)
        if computed is not None:
            coarser = computed.bound * computed.ulp / exact.ulp
            bound = np.maximum(bound, np.where(np.isfinite(coarser), coarser, 0.0))
    return replace(exact, bound=bound)
