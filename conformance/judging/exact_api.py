"""Exact values and judgements for anyone: `conformance.exact`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import Ball, accuracy, decimal_text, enclosure, precision
from conformance.arithmetic.correct_rounding import MAX_BITS, START_BITS, settle
from conformance.arithmetic.formats import FORMATS, FloatArray, from_storage, round_to, to_storage
from conformance.errors import ArgumentError
from conformance.judging import verdict
from conformance.judging.tensor_judgement import Position, TensorJudgement
from conformance.judging.tensors import as_array, dtype_name
from conformance.operations import Arguments, Operation, Reference, operation_named, reference

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def exact(operation: str, *inputs: object, **parameters: object) -> Exact:
    """The exact value of an operation at the given inputs, taken as they are.

    Args:
        operation: The operation's name, as ``cross_entropy``, or that of a formula that is registered.
        inputs: The positional arguments of its canonical signature: tensors of NumPy, PyTorch, TensorFlow or
            JAX in float16, bfloat16, float32 or float64, or lists and numbers, which become float64. Scores
            of losses over classes have the shape [C] or [N, C, ...]; labels are integers of that shape
            without the class axis.
        parameters: Its keyword arguments, as `reduction="sum", weight=w`; inputs may be given by name too.

    Returns:
        The exact value. Nothing is computed before one of its methods asks for it.

    Raises:
        ArgumentError: An operation, input or parameter does not exist or does not fit.
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
    return Exact(subject, arguments)


class Exact:
    """Exact value of one quantity: its enclosure, digits and roundings, its bounds, and judgements by them.

    Everything is computed when it is asked for, as precisely as that takes.

    Attributes:
        operation: The operation's name.
        quantity: `value` or `gradient:ARGUMENT`.
        shape: The quantity's shape.
    """

    def __init__(
        self,
        operation: Operation,
        arguments: Arguments,
        quantity: str = "value",
        upstream: FloatArray | None = None,
    ) -> None:
        self.operation = operation.name
        self.quantity = quantity
        self._definition = operation
        self._given = arguments
        self._arguments = operation.completed(arguments)
        self.shape = operation.quantity_shape(self._arguments, quantity)
        result_shape = operation.result_shape(self._arguments)
        self._upstream = np.ones(result_shape) if upstream is None else upstream
        self._ends: tuple[FloatArray, FloatArray] | None = None
        self._references: dict[str, Reference] = {}

    def to(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The value correctly rounded, to nearest, ties to even.

        Args:
            dtype: float16, bfloat16, float32 or float64, as a name or as NumPy or a framework has it.

        Returns:
            An array of that dtype and of `shape`.

        Raises:
            ArgumentError: No such dtype.
        """
        name = dtype_name(dtype)
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
        """The value in significant decimal digits.

        Args:
            n: How many digits.

        Returns:
            A string, or nested lists of strings of `shape`.

        Raises:
            ArgumentError: `n` is below 1.
        """
        if n < 1:
            raise ArgumentError(f"digits needs at least 1 digit, not {n}")
        texts = [decimal_text(value, n) for value in self._accurate(math.ceil(n * math.log2(10)) + 16)]
        array = np.empty(len(texts), dtype=object)
        array[:] = texts
        return array.reshape(self.shape).tolist()

    def gradient(self, name: str, upstream: object = None) -> Exact:
        """The gradient with respect to an argument.

        Args:
            name: An input that holds floating numbers, or a tensor parameter, as `weight` or `pos_weight`.
            upstream: The upstream gradient, of the result's shape; ones by default.

        Returns:
            The gradient's exact value, of the argument's shape.

        Raises:
            ArgumentError: There is no such gradient here, or the upstream gradient does not fit.
        """
        argument = self._arguments.get(name)
        if (
            self.quantity != "value"
            or argument is None
            or np.asarray(argument).dtype.kind != "f"
            or np.isscalar(argument)
        ):
            raise ArgumentError(f"{self.operation} has no gradient with respect to {name!r} here")
        g = None if upstream is None else _floating(self.operation, "upstream", upstream)
        if g is not None and g.shape != self.shape:
            raise ArgumentError(
                f"{self.operation}: upstream must have the result's shape {list(self.shape)}, "
                f"not {list(g.shape)}"
            )
        return Exact(self._definition, self._given, f"gradient:{name}", g)

    def bound(self, dtype: npt.DTypeLike) -> FloatArray:
        """What the standard stable algorithm may lose in a dtype, in its ulps, element by element.

        Args:
            dtype: The dtype that is computed in, as a name or as NumPy or a framework has it. It must hold
                every number of the inputs: a bound is for the numbers that the code under test sees.

        Returns:
            A float64 array of `shape`, in ulps of the dtype at the exact value.

        Raises:
            ArgumentError: No such dtype, a number that it does not hold, or no bound for this quantity.
        """
        return self._reference(dtype_name(dtype)).bound.copy()

    def attainable(self, dtype: npt.DTypeLike) -> FloatArray:
        """What the best known algorithm in the same precision may lose; otherwise as `bound`."""
        return self._reference(dtype_name(dtype)).attainable.copy()

    def judge(self, actual: object) -> TensorJudgement:
        """The judgement on a computed tensor, by the bounds of its dtype.

        Args:
            actual: What was computed at these inputs: a tensor of PyTorch, TensorFlow, JAX or NumPy; lists
                and numbers count as float64. A tensor of another shape is judged `wrong`.

        Returns:
            The verdict on the worst element, with its error, bound and index.

        Raises:
            ArgumentError: Its dtype is none of the four (integers are judged for one_hot alone), or see
                `bound`.
        """
        array = _array(self.operation, "actual", actual)
        if self.operation == "one_hot" and array.dtype.kind in "iub":
            array = array.astype(np.float64)  # zeros and ones are the same in every dtype
        dtype = dtype_name(array.dtype)
        about = self.operation, self.quantity, dtype, self.shape
        if array.shape != self.shape:
            message = f"it has shape {list(array.shape)} where {list(self.shape)} is right"
            return TensorJudgement(*about, "wrong", message)
        settled, values = self._reference(dtype), from_storage(array)
        (worst,) = verdict.judge(values[None], settled)
        if worst.worst_index is None:
            return TensorJudgement(*about, worst.verdict, worst.message)
        level = verdict.levels(values, settled, verdict.errors_in_ulps(values, settled))
        return TensorJudgement(
            *about,
            verdict=worst.verdict,
            message=worst.message,
            ulp_error=worst.ulp_error,
            bound=worst.ulp_bound,
            attainable=worst.ulp_attainable,
            worst_index=worst.worst_index,
            observed=array[worst.worst_index],
            exact=worst.exact,
            failing=int(np.count_nonzero(level >= verdict.LEVELS.index("lossy"))),
            inputs=self._inputs_at(worst.worst_index, dtype),
        )

    def _reference(self, dtype: str) -> Reference:
        """The value settled for a dtype, with its bounds."""
        if dtype not in self._references:
            self._check_representable(dtype)
            try:
                self._references[dtype] = reference(
                    self.operation, self._given, self.quantity, dtype, self._upstream
                )
            except ArgumentError:
                raise
            except ValueError:
                raise ArgumentError(f"{self.operation}: no bound is derived for {self.quantity}") from None
        return self._references[dtype]

    def _tensors(self) -> dict[str, FloatArray]:
        """The floating arrays that the quantity depends on, by name."""
        tensors = {name: value for name, value in self._given.items() if isinstance(value, np.ndarray)}
        if self.quantity != "value":
            tensors["upstream"] = self._upstream
        return tensors

    def _check_representable(self, dtype: str) -> None:
        for name, array in self._tensors().items():
            if array.dtype.kind != "f":
                continue
            changed = (round_to(FORMATS[dtype], array) != array) & ~np.isnan(array)
            if changed.any():
                number = float(array[changed].flat[0])
                raise ArgumentError(
                    f"{self.operation}: {name} holds {number!r}, which is no {dtype}: round the inputs to "
                    f"the dtype that is computed in before they are given to both sides"
                )

    def _inputs_at(self, index: tuple[int, ...], dtype: str) -> dict[str, str]:
        """What the arguments hold there, in the digits of the dtype."""
        first = np.asarray(self._arguments[self._definition.inputs[0].name]).shape
        position = Position(index, self.shape, first, self._definition.row_axis(self._arguments))
        factors = {parameter.name for parameter in self._definition.parameters}
        texts = {}
        for name, array in self._tensors().items():
            if name == "upstream" and (array == 1).all():
                continue
            stored = to_storage(array, dtype) if array.dtype.kind == "f" else array
            texts[name] = position.excerpt(stored, by_rows=name not in factors)
        scalars = {name: value for name, value in self._given.items() if not isinstance(value, np.ndarray)}
        if scalars:
            texts["with"] = ", ".join(f"{name}={value!r}" for name, value in scalars.items())
        return texts

    def _balls(self) -> list[Ball]:
        return list(self._definition.balls(self._arguments, self.quantity, self._upstream))

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
        array = as_array(value)
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
