"""Operations along an axis: softmax, log_softmax and logsumexp, a row of balls at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from conformance.arithmetic.balls import Ball
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import ChainedColumns, Column
from conformance.errors import ArgumentError
from conformance.operations.base import Arguments, Operation, tensor
from conformance.operations.masks import Mask, check_mask, rows_throughout, with_mask
from conformance.operations.row_cache import row_of
from conformance.operations.rows import Row


class AlongAxis(Operation):
    """Operation on each row along `axis` of its input `x`."""

    def axis(self, arguments: Arguments) -> int:
        """The class axis counted from 0; None is PyTorch's implicit one: 0 for 0, 1 and 3 dimensions, else 1.

        Source: torch.nn.functional._get_softmax_dim, PyTorch 2.13.
        """
        dimensions = max(np.ndim(tensor(arguments, "x")), 1)
        axis = arguments.get("axis", -1)
        if axis is None:
            return 0 if dimensions in (1, 3) else 1
        assert isinstance(axis, (int, np.integer))
        return int(axis) % dimensions

    def row_axis(self, arguments: Arguments) -> int:
        """See `Operation`: `axis`."""
        return self.axis(arguments)

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        dimensions = max(np.ndim(tensor(arguments, "x")), 1)
        axis = arguments.get("axis", -1)
        if isinstance(axis, (int, np.integer)) and not -dimensions <= axis < dimensions:
            raise ArgumentError(
                f"{self.name}: axis {axis} is out of range for {dimensions} dimensions "
                f"({-dimensions} to {dimensions - 1})"
            )
        check_mask(self.name, arguments, "x")

    def completed(self, arguments: Arguments) -> Arguments:
        """The arguments with every parameter present, and -inf in the place of what `where` leaves out."""
        complete = super().completed(arguments)
        if complete.get("where") is None:
            return complete
        shape = np.shape(tensor(complete, "x"))
        axis = complete.get("axis", -1)
        fits = axis is None or (isinstance(axis, (int, np.integer)) and -len(shape) <= axis < len(shape))
        return with_mask(complete, "x", shape[self.axis(complete)] if shape and fits else None)

    def masked_rows(self, arguments: Arguments, quantity: str) -> Mask:
        """See `Operation`: of -inf alone, or of what `where` leaves out alone."""
        gone = rows_throughout(arguments, "x", self.axis(arguments))
        return np.broadcast_to(gone, self.quantity_shape(arguments, quantity))

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(tensor(arguments, "x"))

    def rows(self, arguments: Arguments) -> Iterator[Row]:
        """The rows along the axis, in the order of the other axes."""
        return (row_of(row) for row in as_rows(tensor(arguments, "x"), self.axis(arguments)))

    def restored(self, rows: Iterable[Column], arguments: Arguments) -> Iterable[Ball]:
        """Rows of results, flat in the order of the input."""
        return from_rows(rows, np.shape(tensor(arguments, "x")), self.axis(arguments))


def as_rows(array: FloatArray, axis: int) -> FloatArray:
    """The array as a matrix, each row one slice along `axis`, in the order of the other axes."""
    moved = np.moveaxis(np.atleast_1d(array), axis, -1)
    return moved.reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])


def from_rows(rows: Iterable[Column], shape: tuple[int, ...], axis: int) -> Iterable[Ball]:
    """The inverse of `as_rows` for rows of balls: flat in the order of an array of `shape`.

    Where that is the rows' own order, a row is computed when it is asked for.
    """
    flat = ChainedColumns(rows)
    shape = shape or (1,)
    if axis == len(shape) - 1:
        return flat
    order = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1).ravel()
    result: list[Ball] = [None] * order.size
    for position, value in zip(order.tolist(), flat, strict=True):
        result[position] = value
    return result
