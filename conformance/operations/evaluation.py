"""All operations, and the exact value of each quantity settled for a dtype."""

from __future__ import annotations

import numpy as np

from conformance.arithmetic import FORMATS
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.ziv import settle
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

    arguments: tensors as float64 arrays that are already rounded to the dtype, labels as int64. quantity:
    `value`, `gradient:<input>` or `second:<input>` (along `direction`). g: the upstream gradient, of the
    result's shape; `upstream` by default.
    Raises ArgumentError for arguments that the operation does not accept.
    """
    subject = operation_named(operation)
    subject.check_arguments(arguments)
    complete = subject.completed(arguments)
    g = upstream(subject.result_shape(complete)) if g is None else np.asarray(g, np.float64)
    fmt = FORMATS[dtype]
    shape = subject.quantity_shape(complete, quantity)
    settled = settle(fmt, lambda: subject.balls(complete, quantity, g))
    bound, attainable = getattr(error_analysis, operation)(complete, quantity, g, fmt)
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
