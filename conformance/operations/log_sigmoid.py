"""log_sigmoid(x) = log(1 / (1 + exp(-x))) = -softplus(-x)."""

from __future__ import annotations

from conformance.arithmetic.balls import Ball
from conformance.operations.base import MODULE_IS_FUNCTIONAL, Relation
from conformance.operations.elementwise_operation import Elementwise
from conformance.operations.error_analysis import elementwise
from conformance.operations.rows import negated
from conformance.operations.sigmoid import logistic_slope, scaled_logistic, softplus


class LogSigmoid(Elementwise):
    """log_sigmoid(x), element by element; gradient g sigmoid(-x), second derivative -g v s (1 - s).

    nan gives nan. The limits elsewhere: 0 at +inf with gradient 0, -inf at -inf with gradient g. Empty in,
    empty out.
    """

    name = "log_sigmoid"
    formulations = ("functional", "module", "composed", "naive")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("-softplus(-x) = log_sigmoid", "composed", "functional", "the definition of softplus"),
        Relation("log(sigmoid) = log_sigmoid", "naive", "functional", "the definition of the function"),
    )
    error_bounds = elementwise.log_sigmoid

    def value(self, x: float) -> Ball:
        """See `Elementwise`."""
        (value,) = negated([softplus(-x)])
        return value

    def slope(self, x: float, factor: Ball) -> Ball:
        """See `Elementwise`."""
        return scaled_logistic(-x, factor)

    def curvature(self, x: float, factor: Ball) -> Ball:
        """See `Elementwise`."""
        return logistic_slope(x, -factor)
