"""All operations, and the exact value of each quantity settled for a dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from conformance.arithmetic import FORMATS
from conformance.arithmetic.correct_rounding import Rounded, settle_together
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations import error_analysis
from conformance.operations.base import Arguments, Operation, Reference, upstream
from conformance.operations.binary_cross_entropy import BinaryCrossEntropy
from conformance.operations.binary_cross_entropy_with_logits import BinaryCrossEntropyWithLogits
from conformance.operations.cross_entropy import CrossEntropy
from conformance.operations.log_sigmoid import LogSigmoid
from conformance.operations.log_softmax import LogSoftmax
from conformance.operations.logsumexp import LogSumExp
from conformance.operations.nll_loss import NllLoss
from conformance.operations.one_hot import OneHot
from conformance.operations.sigmoid import Sigmoid
from conformance.operations.softmax import Softmax

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Sigmoid(),
        LogSigmoid(),
        Softmax(),
        LogSoftmax(),
        LogSumExp(),
        OneHot(),
        NllLoss(),
        CrossEntropy(),
        BinaryCrossEntropy(),
        BinaryCrossEntropyWithLogits(),
    )
}


def operation_named(name: str) -> Operation:
    """The operation of that name; ArgumentError, naming all of them, where there is none."""
    if name not in OPERATIONS:
        raise ArgumentError(f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
    return OPERATIONS[name]


def reference(
    operation: str, arguments: Arguments, quantity: str, dtype: str, g: FloatArray | None = None
) -> Reference:
    """The exact value of a quantity, correctly rounded to `dtype`, with its bounds in ulps.

    arguments, g: see `Call`. quantity: `value`, `gradient:<input>` or `second:<input>` (along `direction`).
    Raises ArgumentError for arguments that the operation does not accept.
    """
    (found,) = references([Call(operation, arguments, (quantity,), g)], dtype)
    return found[quantity]


@dataclass(frozen=True)
class Call:
    """A call whose quantities are asked for, in the order to compute them in.

    arguments: tensors as float64 arrays that are already rounded to the dtype, labels as int64.
    g: the upstream gradient, of the result's shape; `upstream` by default.
    """

    operation: str
    arguments: Arguments
    quantities: tuple[str, ...]
    g: FloatArray | None = None


def references(calls: Sequence[Call], dtype: str) -> list[dict[str, Reference]]:
    """What `reference` gives for each quantity of each call; all are settled together."""
    accepted = [_accepted(call) for call in calls]
    evaluations = [
        partial(subject.balls, arguments, quantity, g)
        for subject, arguments, quantities, g in accepted
        for quantity in quantities
    ]
    settled = iter(settle_together(FORMATS[dtype], evaluations))
    return [
        {name: _with_bounds(subject, arguments, name, dtype, g, next(settled)) for name in quantities}
        for subject, arguments, quantities, g in accepted
    ]


def _accepted(call: Call) -> tuple[Operation, Arguments, tuple[str, ...], FloatArray]:
    """The operation, the arguments with every parameter, the quantities and the upstream gradient."""
    subject = operation_named(call.operation)
    subject.check_arguments(call.arguments)
    complete = subject.completed(call.arguments)
    g = upstream(subject.result_shape(complete)) if call.g is None else np.asarray(call.g, np.float64)
    return subject, complete, call.quantities, g


def _with_bounds(
    subject: Operation, complete: Arguments, quantity: str, dtype: str, g: FloatArray, settled: Rounded
) -> Reference:
    bound, attainable = getattr(error_analysis, subject.name)(complete, quantity, g, FORMATS[dtype])
    shape = subject.quantity_shape(complete, quantity)
    ulp = settled.ulp.reshape(shape)
    return Reference(
        dtype=dtype,
        rounded=settled.rounded.reshape(shape),
        high=settled.high.reshape(shape),
        low=settled.low.reshape(shape),
        ulp=ulp,
        bound=_in_ulps(bound, ulp, settled.high.reshape(shape)),
        attainable=_in_ulps(attainable, ulp, settled.high.reshape(shape)),
        outside=settled.outside,
    )


def _in_ulps(error: FloatArray, ulp: FloatArray, exact: FloatArray) -> FloatArray:
    """An absolute error in ulps; 0 where the exact value is nan or infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(exact), np.asarray(error, np.float64) / ulp, 0.0)
