"""one_hot(target): 1 at the label's position along a new last axis, 0 elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ONE, ZERO, Ball
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import EncodedColumn
from conformance.errors import ArgumentError
from conformance.operations.base import (
    Arguments,
    Input,
    Operation,
    Parameter,
    Relation,
    integer,
    unknown_quantity,
)
from conformance.operations.error_analysis import elementwise


class OneHot(Operation):
    """one_hot(target) with `num_classes` classes on a new last axis; integers have no gradient.

    A label outside 0 .. num_classes - 1 is an error. -1 classes is PyTorch's spelling of "the largest
    label plus one" (torch.nn.functional.one_hot).
    """

    name = "one_hot"
    inputs = (Input("target", "labels"),)
    parameters = (Parameter("num_classes", "integer", -1),)
    formulations = ("functional", "manual")
    relations = (
        Relation(
            "manual = functional",
            "manual",
            "functional",
            "zeros with ones scattered at the labels, or F.one_hot: "
            "000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
    )
    error_bounds = elementwise.one_hot

    def completed(self, arguments: Arguments) -> Arguments:
        """See `Operation`; -1 classes are counted."""
        complete = super().completed(arguments)
        if complete["num_classes"] == -1:
            labels = _labels(arguments)
            complete["num_classes"] = int(labels.max()) + 1 if labels.size else 0
        return complete

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        labels, classes = _labels(arguments), integer(arguments, "num_classes")
        outside = labels[(labels < 0) | (labels >= classes)]
        if outside.size:
            raise ArgumentError(f"one_hot: label {outside[0]} is outside 0 .. {classes - 1}")
        if classes <= 0:
            raise ArgumentError("one_hot: num_classes must be positive")

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        return (*_labels(arguments).shape, integer(self.completed(arguments), "num_classes"))

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        if quantity != "value":
            raise unknown_quantity(self.name, quantity)
        classes = np.arange(integer(arguments, "num_classes"))
        return EncodedColumn.of(
            [ZERO, ONE], (_labels(arguments).ravel()[:, None] == classes).ravel().astype(np.intp)
        )


def _labels(arguments: Arguments) -> npt.NDArray[np.int64]:
    return np.asarray(arguments["target"], np.int64)
