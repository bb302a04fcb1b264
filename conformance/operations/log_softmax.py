"""log_softmax(x)_i = x_i - log sum_j exp(x_j)."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.arithmetic.balls import MINUS_INFINITY, Ball, balls, exact_sum
from conformance.arithmetic.formats import FloatArray
from conformance.operations import rows
from conformance.operations.axis_operation import AlongAxis, as_rows
from conformance.operations.base import (
    MODULE_IS_FUNCTIONAL,
    Arguments,
    Input,
    Parameter,
    Relation,
    direction,
    unknown_quantity,
)
from conformance.operations.error_analysis import normalized
from conformance.operations.masks import WHERE, constant_there, kept
from conformance.operations.row_tangents import centred_directions


class LogSoftmax(AlongAxis):
    """log_softmax(x) along `axis`; gradient g_i - p_i sum(g), second derivative
    -sum(g) p_i (v_i - E v) with the mean under p.

    Special values are the logarithms of softmax's: 0, -inf and nan; the gradient takes softmax's
    probabilities, and is g where sum(g) is exactly 0 (a coefficient of 0 removes its term; a nan logit
    stays nan). An empty axis gives an empty result. `axis=None` is PyTorch's implicit axis. `where`, of
    x's shape, leaves out the entries that it is 0 for, whatever they hold: they count as -inf, and so do
    their results, which are constants: no gradient flows through them.
    """

    name = "log_softmax"
    inputs = (Input("x", "floating"),)
    parameters = (Parameter("axis", "axis", -1), WHERE)
    formulations = ("functional", "module", "composed", "naive", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("x - logsumexp = log_softmax", "composed", "functional", "the definition of the function"),
        Relation(
            "softmax + log = log_softmax",
            "naive",
            "functional",
            "F.log_softmax equals softmax followed by log: 000_4dde878f34a0f263.txt; "
            "log_softmax = log + softmax: 003_b571dd78b6e0ff6f.txt",
        ),
        Relation(
            "manual = functional",
            "manual",
            "functional",
            "exp, sum, divide and log gives what F.log_softmax gives: 003_b571dd78b6e0ff6f.txt",
        ),
    )
    error_bounds = normalized.log_softmax

    @property
    def textbook(self) -> frozenset[str]:
        """Also `composed`: adding the maximum back before the subtraction is the lesson of pytorch#195829."""
        return super().textbook | {"composed"}

    def balls_of_masked_zeros(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`: the logarithm of 0."""
        result = super().balls_of_masked_zeros(arguments, quantity, g)
        if quantity != "value":
            return result
        gone = self.masked_rows(arguments, quantity).ravel()
        return [MINUS_INFINITY if zero else value for zero, value in zip(gone, result, strict=True)]

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        if quantity == "value":
            results = (rows.negated(rows.surprisals(row)) for row in self.rows(arguments))
            return self.restored(results, arguments)
        g = kept(g, arguments, "x")
        if quantity == "gradient:x":
            upstream = as_rows(g, self.axis(arguments))
            pairs = zip(self.rows(arguments), upstream, strict=True)
            results = (rows.log_softmax_pullback(row, balls(u)) for row, u in pairs)
            return constant_there(self.restored(results, arguments), arguments, "x")
        if quantity == "jvp:x":
            along = as_rows(direction(self.result_shape(arguments)), self.axis(arguments))
            pairs = zip(self.rows(arguments), along, strict=True)
            tangents = self.restored((centred_directions(row, v) for row, v in pairs), arguments)
            return constant_there(tangents, arguments, "x")
        if quantity == "second:x":
            axis = self.axis(arguments)
            along = as_rows(direction(self.result_shape(arguments)), axis)
            triples = zip(self.rows(arguments), as_rows(g, axis), along, strict=True)
            results = (rows.centred(row, v, -exact_sum(balls(u))) for row, u, v in triples)
            return constant_there(self.restored(results, arguments), arguments, "x")
        raise unknown_quantity(self.name, quantity)
