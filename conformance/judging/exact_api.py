"""`conformance.exact`: the exact values for anyone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import Ball, accuracy, decimal_text, enclosure, precision
from conformance.arithmetic.correct_rounding import MAX_BITS, START_BITS, settle
from conformance.arithmetic.formats import FORMATS, FloatArray, from_storage, to_storage
from conformance.errors import ArgumentError
from conformance.operations import operation_named
from conformance.operations.base import Arguments, Operation

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def exact(operation: str, *inputs: object, **parameters: object) -> Exact:
    """The exact value of an operation at the given inputs, taken as they are.

    operation and the rest: the canonical signature, as `exact("cross_entropy", logits, target,
    reduction="sum", weight=w)`. inputs: NumPy arrays of any float dtype (ml_dtypes.bfloat16 too), or lists
    and numbers, which become float64; labels are integers.

    Raises ArgumentError for an operation, input or parameter that does not exist or does not fit.
    """
    subject = operation_named(operation)
    names = [item.name for item in subject.inputs]
    if len(inputs) > len(names):
        raise ArgumentError(f"{operation} takes {len(names)} inputs ({', '.join(names)}), not {len(inputs)}")
    given = dict(zip(names, inputs, strict=False))
    for name, value in parameters.items():
        if name in given:
            raise ArgumentError(f"{operation}: {name} is given twice")
        given[name] = value
    arguments = _converted(subject, given)
    subject.check_arguments(arguments)
    return Exact(subject, subject.completed(arguments), "value")


class Exact:
    """The exact value of one quantity: enclosed by balls, and shown in floating point or decimal digits.

    Everything is computed when it is asked for, as precisely as that takes.
    """

    def __init__(self, operation: Operation, arguments: Arguments, quantity: str) -> None:
        self.operation = operation.name
        self.quantity = quantity
        self.shape = operation.quantity_shape(arguments, quantity)
        self._subject = operation
        self._arguments = arguments
        self._ends: tuple[FloatArray, FloatArray] | None = None

    def to(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The value correctly rounded (to nearest, ties to even) to float16, bfloat16, float32 or float64."""
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        if name not in FORMATS:
            raise ArgumentError(f"dtype must be one of {', '.join(FORMATS)}, not {name}")
        return to_storage(settle(FORMATS[name], self._balls).rounded.reshape(self.shape), name)

    @property
    def lower(self) -> FloatArray:
        """The largest float64 known to lie at or below the value; equal to `upper` where the value is one."""
        return self._enclosure()[0]

    @property
    def upper(self) -> FloatArray:
        """The smallest float64 known to lie at or above the value."""
        return self._enclosure()[1]

    def digits(self, n: int = 25) -> Any:
        """The value in `n` significant decimal digits: a string, or nested lists of strings of its shape."""
        if n < 1:
            raise ArgumentError(f"digits needs at least 1 digit, not {n}")
        texts = [decimal_text(value, n) for value in self._accurate(math.ceil(n * math.log2(10)) + 16)]
        array = np.empty(len(texts), dtype=object)
        array[:] = texts
        return array.reshape(self.shape).tolist()

    def gradient(self, name: str) -> Exact:
        """The gradient for an upstream of ones, with respect to an input, `weight` or `pos_weight`."""
        held = self._arguments.get(name)
        if (
            self.quantity != "value"
            or held is None
            or np.asarray(held).dtype.kind != "f"
            or np.isscalar(held)
        ):
            raise ArgumentError(f"{self.operation} has no gradient with respect to {name!r} here")
        return Exact(self._subject, self._arguments, f"gradient:{name}")

    def _balls(self) -> list[Ball]:
        ones = np.ones(self._subject.result_shape(self._arguments))
        return list(self._subject.balls(self._arguments, self.quantity, ones))

    def _accurate(self, wanted: int) -> Sequence[Ball]:
        """Balls with that many certain bits."""
        bits = max(START_BITS, wanted + 32)
        while True:
            with precision(bits):
                values = self._balls()
            if bits >= MAX_BITS or all(accuracy(value) >= wanted for value in values):
                return values
            bits *= 2

    def _enclosure(self) -> tuple[FloatArray, FloatArray]:
        if self._ends is None:
            values: list[Ball] = []

            def settling() -> list[Ball]:
                values[:] = self._balls()
                return values

            settle(FORMATS["float64"], settling)
            pairs = np.array([enclosure(value) for value in values], np.float64).reshape(len(values), 2)
            self._ends = pairs[:, 0].reshape(self.shape), pairs[:, 1].reshape(self.shape)
        return self._ends

    def __repr__(self) -> str:
        title = f"Exact({self.operation} {self.quantity}"
        size = int(np.prod(self.shape))
        if size > 12:
            return f"{title}, shape {list(self.shape)})"
        return f"{title}, {self.digits(20 if size == 1 else 10)})".replace("'", "")


def _converted(operation: Operation, given: dict[str, object]) -> Arguments:
    """Arrays as float64 or int64; names that the operation lacks are left for its own check."""
    arguments: Arguments = dict(given)
    for item in operation.inputs:
        if item.name in given:
            labels = item.kind == "labels" or (item.kind != "floating" and _holds_labels(operation, given))
            convert = _labels if labels else _floating
            arguments[item.name] = convert(operation.name, item.name, given[item.name])
    for parameter in operation.parameters:
        if parameter.kind == "tensor" and given.get(parameter.name) is not None:
            arguments[parameter.name] = _floating(operation.name, parameter.name, given[parameter.name])
    return arguments


def _holds_labels(operation: Operation, given: dict[str, object]) -> bool:
    """Whether a target that may be either holds labels: integers, or nothing in too few dimensions."""
    target = _array(operation.name, "target", given["target"])
    scores = _array(operation.name, operation.inputs[0].name, given.get(operation.inputs[0].name, 0.0))
    return target.dtype.kind in "iub" or (target.size == 0 and target.ndim < scores.ndim)


def _array(operation: str, name: str, value: object) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ArgumentError(f"{operation}: {name} is no array: {error}") from None
    if array.dtype.kind not in "iufb" and array.dtype != _BFLOAT16:
        raise ArgumentError(f"{operation}: {name} must hold numbers, not {array.dtype}")
    return array


def _floating(operation: str, name: str, value: object) -> FloatArray:
    array = _array(operation, name, value)
    result = from_storage(array)
    # Compared in the array's own type: an integer beyond 2**53 would be rounded before it is compared.
    if array.dtype.kind in "iuf" and not np.array_equal(
        result.astype(array.dtype), array, equal_nan=array.dtype.kind == "f"
    ):
        raise ArgumentError(f"{operation}: {name} holds numbers of {array.dtype} that float64 cannot")
    return result


def _labels(operation: str, name: str, value: object) -> npt.NDArray[np.int64]:
    array = _array(operation, name, value)
    if array.dtype.kind not in "iub" and array.size:
        raise ArgumentError(f"{operation}: {name} must hold integer labels, not {array.dtype}")
    return array.astype(np.int64)
