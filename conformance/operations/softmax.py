"""softmax(x)_i = exp(x_i) / sum_j exp(x_j)."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.arithmetic.balls import Ball
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
from conformance.operations.masks import WHERE, constant_there


class Softmax(AlongAxis):
    """softmax(x) along `axis`; gradient p_i sum_j p_j (g_i - g_j), second derivative
    p_i ((g_i - E g) (v_i - E v) - Cov(g, v)) with mean and covariance under p.

    The rules for special values, all of them limits through finite inputs: nan anywhere makes the row nan;
    exactly one +inf gives 1 there and 0 elsewhere; two or more give nan there and 0 elsewhere; -inf (a mask)
    gives exactly 0 beside a finite logit; a row of -inf alone is nan, but 1 if it is the only class. The
    derivatives follow: where a probability has no limit they are nan, unless the upstream gradient (or
    the direction) is the same for all such classes. An empty axis gives an empty result. `axis=None` is
    PyTorch's implicit axis (torch.nn.functional._get_softmax_dim). `where`, of x's shape, leaves out the
    entries that it is 0 for, whatever they hold: they count as -inf, and their derivatives are 0.
    """

    name = "softmax"
    inputs = (Input("x", "floating"),)
    parameters = (Parameter("axis", "axis", -1), WHERE)
    formulations = ("functional", "module", "composed", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("exp(log_softmax) = softmax", "composed", "functional", "the definition of log_softmax"),
        Relation(
            "manual = functional",
            "manual",
            "functional",
            "exp, sum and divide give what F.softmax gives: "
            "000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
    )
    error_bounds = normalized.softmax

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        if quantity == "value":
            return self.restored((rows.softmax(row) for row in self.rows(arguments)), arguments)
        if quantity in ("gradient:x", "jvp:x"):  # its Jacobian is symmetric
            g = g if quantity == "gradient:x" else direction(self.result_shape(arguments))
            upstream = as_rows(g, self.axis(arguments))
            pairs = zip(self.rows(arguments), upstream, strict=True)
            result = self.restored((rows.softmax_pullback(row, u) for row, u in pairs), arguments)
            return constant_there(result, arguments, "x")
        if quantity == "second:x":
            axis = self.axis(arguments)
            along = as_rows(direction(self.result_shape(arguments)), axis)
            triples = zip(self.rows(arguments), as_rows(g, axis), along, strict=True)
            result = self.restored((rows.softmax_curvature(*triple) for triple in triples), arguments)
            return constant_there(result, arguments, "x")
        raise unknown_quantity(self.name, quantity)
