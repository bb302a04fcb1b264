"""Losses over classes, nll_loss and cross_entropy: class axis, labels, class weights, ignored rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ONE, Ball, ball, balls, exact_sum
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import Column
from conformance.errors import ArgumentError
from conformance.operations.axis_operation import as_rows, from_rows
from conformance.operations.base import Arguments, Operation, Parameter, integer, tensor
from conformance.operations.reductions import REDUCTION_PARAMETERS, with_reduction

CLASS_PARAMETERS = (
    Parameter("weight", "tensor", None),
    Parameter("ignore_index", "integer", -100),
    *REDUCTION_PARAMETERS,
)


class OverClasses(Operation):
    """Loss over the class axis of its first input: axis 1, or 0 for one-dimensional input."""

    def scores(self, arguments: Arguments) -> FloatArray:
        """The first input."""
        return tensor(arguments, self.inputs[0].name)

    def completed(self, arguments: Arguments) -> Arguments:
        """See `Operation`; legacy spellings of the reduction are resolved."""
        return with_reduction(super().completed(arguments))

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        if self.completed(arguments)["reduction"] != "none":
            return ()
        return without_classes(self.scores(arguments).shape)

    def row_axis(self, arguments: Arguments) -> int:
        """See `Operation`: the class axis."""
        return class_axis(self.scores(arguments).shape)

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        shape = self.scores(arguments).shape
        if not shape:
            raise ArgumentError(
                f"{self.name}: {self.inputs[0].name} needs a class axis, but has no dimensions"
            )
        classes = shape[class_axis(shape)]
        if arguments["weight"] is not None and tensor(arguments, "weight").shape != (classes,):
            given = list(tensor(arguments, "weight").shape)
            raise ArgumentError(
                f"{self.name}: weight must have one entry a class, shape [{classes}], not {given}"
            )
        if is_labels(arguments):
            self._check_labels(arguments, without_classes(shape), classes)

    def _check_labels(self, arguments: Arguments, expected: tuple[int, ...], classes: int) -> None:
        target = np.asarray(arguments["target"])
        if target.shape != expected:
            raise ArgumentError(
                f"{self.name}: labels must have shape {list(expected)} (that of {self.inputs[0].name} "
                f"without its class axis), not {list(target.shape)}"
            )
        outside = target[
            ((target < 0) | (target >= classes)) & (target != integer(arguments, "ignore_index"))
        ]
        if outside.size:
            raise ArgumentError(
                f"{self.name}: label {outside[0]} is outside 0 .. {classes - 1} and is not ignored"
            )

    def restored(self, rows: Iterable[Column], arguments: Arguments) -> Iterable[Ball]:
        """Rows over the classes, flat in the order of the first input."""
        shape = self.scores(arguments).shape
        return from_rows(rows, shape, class_axis(shape))


def class_axis(shape: tuple[int, ...]) -> int:
    """The class axis of scores: 1, or 0 for one dimension."""
    return min(1, len(shape) - 1)


def without_classes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that labels have: without the class axis."""
    axis = class_axis(shape)
    return shape[:axis] + shape[axis + 1 :]


def class_rows(array: FloatArray) -> FloatArray:
    """The array as a matrix of one row a set of classes."""
    return as_rows(array, class_axis(array.shape))


def is_labels(arguments: Arguments) -> bool:
    """Whether the target holds labels, not class probabilities."""
    return np.asarray(arguments["target"]).dtype.kind != "f"


def flat_labels(arguments: Arguments) -> list[int | None]:
    """The labels of the rows in order; None for an ignored row."""
    labels: npt.NDArray[np.int64] = np.asarray(arguments["target"], np.int64)
    ignored = integer(arguments, "ignore_index")
    return [None if label == ignored else label for label in labels.ravel().tolist()]


def class_weights(arguments: Arguments, classes: int) -> Column:
    """One exact weight a class, 1 where there are none."""
    if arguments["weight"] is None:
        return [ONE] * classes
    return balls(tensor(arguments, "weight"))


def label_divisor(labels: Sequence[int | None], weights: Sequence[Ball], arguments: Arguments) -> Ball:
    """Divisor of a mean over labelled rows: the sum of the weights of the rows that are not ignored."""
    counting_labels = [label for label in labels if label is not None]
    if arguments["weight"] is None:
        return ball(len(counting_labels))
    return exact_sum([weights[label] for label in counting_labels])


__all__ = [
    "CLASS_PARAMETERS",
    "OverClasses",
    "class_axis",
    "class_rows",
    "class_weights",
    "flat_labels",
    "is_labels",
    "label_divisor",
    "without_classes",
]
