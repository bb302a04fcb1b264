"""Parts of a case: the cases into which a loss is split, by rows (micro-batches) or classes (shards)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.cases.models import Parts
from conformance.cases.tensors.slices import LocalLabels, Slice
from conformance.cases.tensors.values import Literal, Tensor
from conformance.operations import OPERATIONS, upstream
from conformance.operations.formula.operation import FormulaOperation

#: Operations whose value on shards of the classes gives that on all classes, as judging.parts combines it.
SHARDED = ("logsumexp", "cross_entropy")


def part_ids(case: Case) -> tuple[str, ...]:
    """The ids of a case's parts; none of a case that is not split."""
    return () if case.parts is None else tuple(f"{case.id}.{n}" for n in range(1, len(sizes(case.parts)) + 1))


def sizes(parts: Parts) -> list[int]:
    """How many rows or classes each part has."""
    return parts.rows if parts.rows is not None else parts.classes or []


def is_split(case: Case, name: str) -> bool:
    """Whether a tensor has a row for each of the case's: matrices of the formula's rows, all other inputs.

    A tensor parameter has where its shape is the first input's: weights of elements, not of classes.
    """
    operation = OPERATIONS[case.operation]
    kinds = operation.kinds if isinstance(operation, FormulaOperation) else {}
    if name in kinds and kinds[name].name == "matrix":
        return kinds[name].rows == "rows"
    first = case.inputs[operation.inputs[0].name]
    return name in case.inputs or case.parameters[name].shape == first.shape


def misfit(case: Case) -> tuple[str, str] | None:
    """What is wrong with a case's parts, and what would be right; None: nothing."""
    assert case.parts is not None
    operation = OPERATIONS[case.operation]
    shape = case.inputs[operation.inputs[0].name].shape
    axis, what = (0, "rows") if case.parts.rows is not None else (1, "classes")
    if len(shape) <= axis:
        return f"parts of a tensor without {what}", "inputs of two axes"
    if sum(sizes(case.parts)) != shape[axis] or min(sizes(case.parts)) < 1:
        return f"parts of {sizes(case.parts)} {what}", f"positive sizes whose sum is {shape[axis]}"
    if case.expect != "value" or not set(case.quantities) <= {"value", "gradient"}:
        return "parts of a case without value and gradient", "`expect: value`, no `second` and no `jvp`"
    is_mean = case.parameters.get("reduction", _default(case)) == "mean"
    if is_mean != (case.parts.over is not None) and "divisor" not in case.parameters:
        remedy = "`over` with `reduction: mean` alone: the divisor, from outside"
        return "a mean of means" if is_mean else "over, and no mean", remedy
    if axis == 1:
        plain = set(case.parameters) <= {"reduction"} and len(shape) == 2
        rows = case.operation == "logsumexp" or case.parameters.get("reduction") == "none"
        hard = all(case.inputs[item.name].integral for item in operation.inputs[1:])
        if case.operation not in SHARDED or not (plain and rows and hard):
            remedy = "logsumexp, or cross_entropy of labels by rows (`reduction: none`), without options"
            return f"shards of the classes of {case.operation}", remedy
    return None


def parts_of(case: Case) -> Iterator[Case]:
    """The cases that a sound case is split into, in order.

    With `over` a mean becomes the parts' sums: the divisor is the whole's, and comes from outside.
    """
    assert case.parts is not None
    by_rows = case.parts.rows is not None
    ends = np.cumsum([0, *sizes(case.parts)]).tolist()
    reduced = {} if case.parts.over is None else {"reduction": "sum"}
    for name, (start, stop) in zip(part_ids(case), pairwise(ends), strict=True):

        def cut(name: str, tensor: Any, start: int = start, stop: int = stop) -> Any:
            if not hasattr(tensor, "integral") or (by_rows and not is_split(case, name)):
                return tensor
            if not by_rows and tensor.integral and name != OPERATIONS[case.operation].inputs[0].name:
                return LocalLabels(tensor, start, stop)
            return Slice(tensor, 0 if by_rows else 1, start, stop)

        yield replace(
            case,
            id=name,
            inputs={key: cut(key, tensor) for key, tensor in case.inputs.items()},
            parameters={key: cut(key, value) for key, value in case.parameters.items()} | reduced,
            upstream=_flow(case, start, stop) if by_rows else case.upstream,
            why=f"{'rows' if by_rows else 'classes'} {start} to {stop - 1} of {case.id}",
            printed=None,
            known=(),
            decimals=None,
            layout={},
            equals=None,
            parts=None,
            _built={},
        )


def _default(case: Case) -> object:
    """The default of the operation's reduction; None where it has none."""
    defaults = {item.name: item.default for item in OPERATIONS[case.operation].parameters}
    return defaults.get("reduction")


def _flow(case: Case, start: int, stop: int) -> Tensor | None:
    """The upstream gradient of some rows: theirs in the whole's, and all of it where a number comes out."""
    shape = OPERATIONS[case.operation].result_shape(case.arguments(case.dtypes[0]))
    if not shape or "gradient" not in case.quantities:
        return case.upstream
    whole = case.upstream or Literal(shape, False, np.asarray(upstream(shape), np.float64).ravel())
    return Slice(whole, 0, start, stop)
