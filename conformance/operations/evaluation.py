"""All operations, and the exact value of each quantity settled for a dtype."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from conformance.arithmetic import FORMATS
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.ziv import Rounded, settle_together
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
    """The exact value of a quantity, with its bounds: one of `references`."""
    return references(operation, arguments, [quantity], dtype, g)[quantity]


def references(
    operation: str, arguments: Arguments, quantities: Sequence[str], dtype: str, g: FloatArray | None = None
) -> dict[str, Reference]:
    """The exact values of quantities, correctly rounded to `dtype`, with their bounds in ulps.

    arguments: tensors as float64 arrays that are already rounded to the dtype, labels as int64. quantities:
    `value`, `gradient:<input>` or `second:<input>` (along `direction`), in the order to compute them.
    g: the upstream gradient, of the result's shape; `upstream` by default.
    Raises ArgumentError for arguments that the operation does not accept.
    """
    subject = operation_named(operation)
    subject.check_arguments(arguments)
    complete = subject.completed(arguments)
    g = upstream(subject.result_shape(complete)) if g is None else np.asarray(g, np.float64)
    settled = settle_together(
        FORMATS[dtype], [partial(subject.balls, complete, quantity, g) for quantity in quantities]
    )
    return {
        quantity: _with_bounds(subject, complete, quantity, dtype, g, found)
        for quantity, found in zip(quantities, settled, strict=True)
    }


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
