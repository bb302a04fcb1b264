"""binary_cross_entropy_with_logits(logits, target): binary cross-entropy of sigmoid(logits)."""

from __future__ import annotations

import math

from conformance.arithmetic.balls import NAN, ONE, Ball, ball, product, total, wide
from conformance.operations.base import MODULE_IS_FUNCTIONAL, Input, Parameter, Relation
from conformance.operations.binary_cross_entropy import complement
from conformance.operations.binary_loss import Element, OverElements
from conformance.operations.error_analysis import binary
from conformance.operations.reductions import REDUCTION_PARAMETERS
from conformance.operations.sigmoid import logistic_slope, softplus, softplus_tail, tail


class BinaryCrossEntropyWithLogits(OverElements):
    """w (q t softplus(-x) + (1 - t) softplus(x)) for each element, q the positive weight.

    mean: divided by the number of elements. Source of the parameters' meaning: torch.nn.BCEWithLogitsLoss.
    Gradients: g w ((1 - t) s(x) - q t s(-x)) with respect to the logits, g w (q softplus(-x) - softplus(x))
    with respect to the target. Second derivative with respect to the logits: g v w (1 - t + q t) s(x) s(-x).

    Special values, as limits: a coefficient 1 - t, q t or w that is exactly 0 removes its term, so x = -inf
    with t = 0 and x = +inf with t = 1 cost exactly 0 with gradient 0; an infinite logit against the target
    costs +inf with a finite gradient. A nan stays nan. mean over nothing is nan, sum over nothing is 0,
    empty in, empty out.
    """

    name = "binary_cross_entropy_with_logits"
    inputs = (Input("logits", "floating"), Input("target", "floating"))
    parameters = (
        Parameter("weight", "tensor", None),
        Parameter("pos_weight", "tensor", None),
        *REDUCTION_PARAMETERS,
    )
    weights = ("weight", "pos_weight")
    formulations = ("functional", "module", "composed", "naive", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation(
            "-t log_sigmoid(x) - (1 - t) log_sigmoid(-x) = functional",
            "composed",
            "functional",
            "the definition of the function",
        ),
        Relation(
            "BCE(sigmoid) = BCEWithLogits",
            "naive",
            "functional",
            "BCEWithLogitsLoss combines a Sigmoid layer and the BCELoss: 002_f9c5598ee2dc6448.txt",
        ),
        Relation("manual = functional", "manual", "functional", "the definition of the function"),
    )

    error_bounds = binary.binary_cross_entropy_with_logits

    def loss(self, element: Element) -> Ball:
        """See `OverElements`."""
        x, t = element.score, element.target
        if math.isnan(x) or math.isnan(t):
            return NAN
        rest, first, second = self._parts(element)
        whole = product(first, ball(max(-x, 0.0))) + product(second, ball(max(x, 0.0)))
        with wide():
            return total(whole, product(first + second, rest))

    @staticmethod
    def _parts(element: Element) -> tuple[Ball, Ball, Ball]:
        """log(1 + exp(-|x|)), and the exact coefficients of softplus(-x) and softplus(x)."""
        first = ball(element.target)
        if element.positive is not ONE:
            with wide():
                first = product(element.positive, first)
        return softplus_tail(element.score), first, complement(element.target)

    def slope(self, element: Element, name: str) -> Ball:
        """See `OverElements`."""
        x, t = element.score, element.target
        if math.isnan(x) or (math.isnan(t) and name != "target"):
            return NAN
        if name == "logits":
            return self._logit_slope(element)
        if name == "target":
            if element.positive == ONE:
                return -ball(x)
            return product(element.positive, softplus(-x)) - softplus(x)
        return product(ball(t), softplus(-x))

    def curvature(self, element: Element) -> Ball:
        """See `OverElements`: ((1 - t) + q t) s(x) s(-x)."""
        if math.isnan(element.score) or math.isnan(element.target):
            return NAN
        _, first, second = self._parts(element)
        with wide():
            factor = first + second
        return logistic_slope(element.score, factor)

    def _logit_slope(self, element: Element) -> Ball:
        """(1 - t) s(x) - q t s(-x), from the side where exp(-|x|) is a small correction."""
        _, first, second = self._parts(element)
        small = tail(element.score)
        correction = small / (1 + small)
        with wide():
            both = product(first + second, correction)
            return total(second, -both) if element.score > 0 else total(-first, both)
