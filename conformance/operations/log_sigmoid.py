"""log_sigmoid(x) = log(1 / (1 + exp(-x))) = -softplus(-x)."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.arithmetic.balls import Ball, ball
from conformance.arithmetic.formats import FloatArray
from conformance.operations.base import (
    MODULE_IS_FUNCTIONAL,
    Arguments,
    Input,
    Operation,
    Relation,
    tensor,
    unknown_quantity,
)
from conformance.operations.rows import negated
from conformance.operations.sigmoid import scaled_logistic, second_factors, slope, softplus


class LogSigmoid(Operation):
    """log_sigmoid(x), element by element; gradient g sigmoid(-x), second derivative -g v s (1 - s).

    nan gives nan. The limits elsewhere: 0 at +inf with gradient 0, -inf at -inf with gradient g. Empty in,
    empty out.
    """

    name = "log_sigmoid"
    inputs = (Input("x", "floating"),)
    formulations = ("functional", "module", "composed", "naive")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("-softplus(-x) = log_sigmoid", "composed", "functional", "the definition of softplus"),
        Relation("log(sigmoid) = log_sigmoid", "naive", "functional", "the definition of the function"),
    )

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        return

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        return tensor(arguments, "x").shape

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        values = tensor(arguments, "x").ravel().tolist()
        if quantity == "value":
            return negated([softplus(-x) for x in values])
        if quantity == "gradient:x":
            return [scaled_logistic(-x, ball(u)) for x, u in zip(values, g.ravel().tolist(), strict=True)]
        if quantity == "second:x":
            factors = second_factors(g, values)
            return [slope(x, -factor) for x, factor in zip(values, factors, strict=True)]
        raise unknown_quantity(self.name, quantity)
