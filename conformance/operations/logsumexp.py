"""logsumexp(x) = log sum_j exp(x_j)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.arithmetic.balls import Ball, ball, balls
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations import rows
from conformance.operations.axis_operation import AlongAxis, as_rows
from conformance.operations.base import (
    Arguments,
    Input,
    Operation,
    Parameter,
    Relation,
    direction,
    tensor,
    unknown_quantity,
)
from conformance.operations.error_analysis import normalized
from conformance.operations.masks import WHERE, constant_there, with_mask
from conformance.operations.row_tangents import mean_under_p


class LogSumExp(AlongAxis):
    """logsumexp(x) along `axis`, which the result lacks; gradient g softmax(x), second
    derivative g p_i (v_i - E v) with the mean under p.

    nan anywhere gives nan, else any +inf gives +inf; -inf alone, and an empty axis (the sum over nothing is
    0), give -inf. The derivatives have softmax's special values. `where`, of x's shape, leaves out the
    entries that it is 0 for, whatever they hold: they count as -inf, and their derivatives are 0.
    """

    name = "logsumexp"
    inputs = (Input("x", "floating"),)
    parameters = (Parameter("axis", "axis", -1), WHERE)
    formulations = ("functional", "manual")
    relations = (
        Relation("log(sum(exp)) = logsumexp", "manual", "functional", "the definition of the function"),
    )
    error_bounds = normalized.logsumexp

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        if arguments["axis"] is None:
            raise ArgumentError(f"{self.name}: axis must be an integer, not None")
        super().check_shapes(arguments)

    def completed(self, arguments: Arguments) -> Arguments:
        """See `AlongAxis`; the sum over a row of which nothing is left is 0, and its logarithm -inf."""
        return with_mask(Operation.completed(self, arguments), "x", None)

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        shape, axis = tensor(arguments, "x").shape, self.axis(arguments)
        return shape[:axis] + shape[axis + 1 :]

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        if quantity == "value":
            return [rows.logsumexp(row) for row in self.rows(arguments)]
        if quantity == "gradient:x":
            pairs = zip(self.rows(arguments), g.ravel().tolist(), strict=True)
            result = self.restored((rows.softmax(row, ball(u)) for row, u in pairs), arguments)
            return constant_there(result, arguments, "x")
        if quantity == "jvp:x":
            along = as_rows(direction(np.shape(tensor(arguments, "x"))), self.axis(arguments))
            directed = zip(self.rows(arguments), along, strict=True)
            return [mean_under_p(row, balls(v)) for row, v in directed]
        if quantity == "second:x":
            along = as_rows(direction(np.shape(tensor(arguments, "x"))), self.axis(arguments))
            triples = zip(self.rows(arguments), along, g.ravel().tolist(), strict=True)
            results = (rows.centred(row, v, ball(u)) for row, v, u in triples)
            return constant_there(self.restored(results, arguments), arguments, "x")
        raise unknown_quantity(self.name, quantity)
