"""References: exact values settled for a dtype, with their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from conformance.arithmetic import FORMATS
from conformance.arithmetic.balls import Ball
from conformance.arithmetic.correct_rounding import Rounded, settle_together
from conformance.arithmetic.formats import FloatArray
from conformance.operations import conventions
from conformance.operations.base import Arguments, Operation, Reference, upstream
from conformance.operations.conventions import Conventions
from conformance.operations.registry import operation_named

#: So many powers of two below the bound lies the unit of errors, where ulps are too many to be counted.
MOST_ULPS_EXPONENT = 1000


def reference(
    operation: str, arguments: Arguments, quantity: str, dtype: str, g: FloatArray | None = None
) -> Reference:
    """Exact value of a quantity, correctly rounded to `dtype`, with its bounds in ulps.

    Args:
        operation: The operation's name.
        arguments: See `Call`.
        quantity: `value`, `gradient:INPUT` or `second:INPUT` (along `direction`).
        dtype: float16, bfloat16, float32 or float64.
        g: See `Call`.

    Raises:
        ArgumentError: The operation does not accept the arguments.
    """
    (by_quantity,) = references([Call(operation, arguments, (quantity,), g)], dtype)
    return by_quantity[quantity]


@dataclass(frozen=True)
class Call:
    """Call of an operation, and the quantities that are asked for of it.

    Attributes:
        operation: The operation's name.
        arguments: Tensors as float64 arrays that are already rounded to the dtype, labels as int64.
        quantities: The quantities' names, in the order in which they are to be computed.
        g: The upstream gradient, of the result's shape; `upstream` by default.
        conventions: Those that decide, by name (see `conventions`); empty: the suite's own.
    """

    operation: str
    arguments: Arguments
    quantities: tuple[str, ...]
    g: FloatArray | None = None
    conventions: Conventions = field(default_factory=dict)


@dataclass(frozen=True)
class _AcceptedCall:
    """A call that the operation accepts: its arguments have every parameter, and g is there."""

    operation: Operation
    arguments: Arguments
    quantities: tuple[str, ...]
    g: FloatArray
    conventions: Conventions

    @classmethod
    def of(cls, call: Call) -> _AcceptedCall:
        operation = operation_named(call.operation)
        operation.check_arguments(call.arguments)
        complete = operation.completed(call.arguments)
        g = upstream(operation.result_shape(complete)) if call.g is None else np.asarray(call.g, np.float64)
        return cls(operation, complete, call.quantities, g, call.conventions)

    def evaluations(self) -> list[Callable[[], Iterable[Ball]]]:
        """For each quantity, what gives its balls at the current precision."""
        given = self.operation, self.arguments
        return [
            partial(conventions.balls, *given, name, self.g, self.conventions) for name in self.quantities
        ]

    def reference(self, quantity: str, dtype: str, settled: Rounded) -> Reference:
        """The quantity's exact value, as it has settled, with its bounds."""
        bound, attainable = conventions.error_bounds(
            self.operation, self.arguments, quantity, self.g, FORMATS[dtype], self.conventions
        )
        shape = self.operation.quantity_shape(self.arguments, quantity)
        high = settled.high.reshape(shape)
        ulp = _countable(settled.ulp.reshape(shape), bound)
        return Reference(
            dtype=dtype,
            rounded=settled.rounded.reshape(shape),
            high=high,
            low=settled.low.reshape(shape),
            ulp=ulp,
            bound=_in_ulps(bound, ulp, high),
            attainable=_in_ulps(attainable, ulp, high),
            outside=settled.outside,
        )


def references(calls: Sequence[Call], dtype: str) -> list[dict[str, Reference]]:
    """What `reference` gives for each quantity of each call, by its name; all are settled together."""
    accepted = [_AcceptedCall.of(call) for call in calls]
    evaluations = [evaluate for call in accepted for evaluate in call.evaluations()]
    settled = iter(settle_together(FORMATS[dtype], evaluations))
    return [
        {name: call.reference(name, dtype, next(settled)) for name in call.quantities} for call in accepted
    ]


def _countable(ulp: FloatArray, bound: FloatArray) -> FloatArray:
    """The ulps; in place of those of which float64 holds no number as large as the bound, larger units.

    Beside an exact 0 of float64 an error of 8.9e-16 is beyond 2**1024 ulps of 2**-1074.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        beyond = np.isfinite(bound) & np.isinf(np.asarray(bound, np.float64) / ulp)
    return np.where(beyond, np.ldexp(bound, -MOST_ULPS_EXPONENT), ulp) if np.any(beyond) else ulp


def _in_ulps(error: FloatArray, ulp: FloatArray, exact: FloatArray) -> FloatArray:
    """An absolute error in ulps; 0 where the exact value is nan or infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.isfinite(exact), np.asarray(error, np.float64) / ulp, 0.0)
