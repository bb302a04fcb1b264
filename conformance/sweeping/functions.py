"""Swept functions: an operation as a function of one number, with the rest of its call fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FloatArray
from conformance.errors import RunError
from conformance.operations import OPERATIONS, Arguments, no_operation
from conformance.sweeping.inputs import PAIRS, bits_of, input_bits

#: The targets of the binary losses.
TARGETS = (0.0, 1.0, 0.5)
#: Upstream gradient and direction of a row of two classes: two numbers each of the suite's own vector.
ROW_UPSTREAM = (-0.25, 1.5)
ROW_DIRECTION = (-0.5, 1.75)
#: The direction of a number alone: the suite's for a 0-d input.
DIRECTION = 1.5

#: Operation -> the name of the input that is swept.
SWEPT_INPUT = {
    "sigmoid": "x",
    "log_sigmoid": "x",
    "softmax": "x",
    "log_softmax": "x",
    "cross_entropy": "logits",
    "binary_cross_entropy": "probs",
    "binary_cross_entropy_with_logits": "logits",
}
_ROWS = frozenset({"softmax", "log_softmax", "cross_entropy"})
_BINARY = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})


@dataclass(frozen=True)
class SweptFunction:
    """Function of one number: a quantity of an operation with all but one input fixed.

    Operations on rows take the row `[x, 0]`: x is the gap; or, of inputs that are pairs, the row `[x, y]`.
    Cross-entropy's label is 0. No loss is reduced.

    Attributes:
        operation: The operation.
        quantity: `value`, `gradient:INPUT` or `second:INPUT`.
        target: The target of a binary loss; None for the others.
    """

    operation: str
    quantity: str
    target: float | None = None

    @property
    def swept(self) -> str:
        """The input that is swept."""
        return SWEPT_INPUT[self.operation]

    @property
    def of_rows(self) -> bool:
        """Whether the input is the row `[x, 0]`."""
        return self.operation in _ROWS

    @property
    def elements(self) -> int:
        """How many numbers the quantity has for an input: a row's two, else one."""
        return 2 if self.of_rows and (self.operation, self.quantity) != ("cross_entropy", "value") else 1

    @property
    def name(self) -> str:
        """What it is called: `sigmoid`, `binary_cross_entropy target 0.5`."""
        return self.operation if self.target is None else f"{self.operation} target {self.target:g}"

    def domain(self, dtype: str) -> tuple[int, int]:
        """The first and last bits of its domain: all numbers, or for probabilities those from 0 to 1."""
        if self.operation == "binary_cross_entropy":
            return 0, bits_of(dtype, 1.0)
        return 0, (1 << input_bits(dtype)) - 1

    def parameters(self) -> dict[str, object]:
        """The scalar parameters of the call."""
        return {"axis": -1} if self.operation in ("softmax", "log_softmax") else self._reduction()

    def _reduction(self) -> dict[str, object]:
        return {"reduction": "none"} if self.operation in _BINARY | {"cross_entropy"} else {}

    def target_of(self, count: int) -> npt.NDArray[Any] | None:
        """The target of so many inputs; None where the operation has none."""
        if self.operation == "cross_entropy":
            return np.zeros(count, np.int64)
        return None if self.target is None else np.full(count, self.target)

    def arguments(self, x: FloatArray) -> Arguments:
        """The arguments of a call on these inputs, in float64: numbers, or rows [x, y]."""
        swept = np.stack([x, np.zeros_like(x)], axis=-1) if self.of_rows and x.ndim == 1 else x
        arguments: Arguments = {self.swept: swept, **self.parameters()}
        target = self.target_of(len(x))
        if target is not None:
            arguments["target"] = target
        return arguments

    def upstream(self, count: int) -> FloatArray:
        """The upstream gradient of so many inputs: ones, or for each row of two `ROW_UPSTREAM`."""
        if self.operation in ("softmax", "log_softmax"):
            return np.tile(np.array(ROW_UPSTREAM), (count, 1))
        return np.ones(count)

    def direction(self, count: int) -> FloatArray:
        """The direction of second derivatives at so many inputs."""
        return np.tile(np.array(ROW_DIRECTION), (count, 1)) if self.of_rows else np.full(count, DIRECTION)


def check_rows(operation: str, dtype: str) -> None:
    """Refuses pairs of numbers as inputs of an operation that takes one; RunError."""
    if dtype in PAIRS and operation not in _ROWS:
        raise RunError(f"sweep {operation}: --pairs are rows of two logits, of {', '.join(sorted(_ROWS))}")


def swept_functions(operation: str, quantities: tuple[str, ...] = ()) -> Iterator[SweptFunction]:
    """The functions of an operation, quantity by quantity.

    Args:
        operation: The operation.
        quantities: `value`, `gradient` or `second`, with or without their input; none: all.

    Raises:
        RunError: The operation is no function of one number, or has no such quantity.
    """
    if operation not in SWEPT_INPUT:
        known = ", ".join(SWEPT_INPUT)
        reason = "no function of one number" if operation in OPERATIONS else no_operation(operation)
        raise RunError(f"sweep {operation}: {reason}; a sweep takes {known}")
    swept = SWEPT_INPUT[operation]
    names = {"value": "value", "gradient": f"gradient:{swept}", "second": f"second:{swept}"}
    for quantity in quantities:
        if quantity not in (*names, *names.values()):
            raise RunError(f"--quantity {quantity}: a sweep of {operation} has {', '.join(names.values())}")
    for short, quantity in names.items():
        if not quantities or short in quantities or quantity in quantities:
            for target in TARGETS if operation in _BINARY else (None,):
                yield SweptFunction(operation, quantity, target)
