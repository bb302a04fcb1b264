"""binary_cross_entropy(probs, target): -(t log p + (1 - t) log(1 - p)), element by element."""

from __future__ import annotations

import math
from functools import lru_cache

from conformance.arithmetic.balls import INFINITY, NAN, ZERO, Ball, ball, product, wide
from conformance.operations.base import MODULE_IS_FUNCTIONAL, Input, Parameter, Relation
from conformance.operations.binary_loss import Element, OverElements
from conformance.operations.error_analysis import binary
from conformance.operations.reductions import REDUCTION_PARAMETERS


class BinaryCrossEntropy(OverElements):
    """w (t (-log p) + (1 - t) (-log(1 - p))) for each element; mean: divided by the number of elements.

    Gradients: g w (p - t) / (p (1 - p)) with respect to p, g w log((1 - p) / p) with respect to t. Second
    derivative with respect to p: g v w (t / p^2 + (1 - t) / (1 - p)^2). Source of the parameters' meaning:
    torch.nn.BCELoss, whose clamp of the logarithms at -100 is no part of the
    definition.

    Special values: a coefficient t, 1 - t or w that is exactly 0 removes its term (0 log 0 = 0); p = 0 with
    t != 0 gives +inf and gradient -inf, p = 1 with t != 1 gives +inf and gradient +inf (the limits from
    inside). A logarithm of a negative number is nan, as is a nan input. mean over nothing is nan, sum over
    nothing is 0, empty in, empty out. Probabilities outside [0, 1] are an error in PyTorch's eager mode
    alone: here the formula holds where its logarithms are defined.
    """

    name = "binary_cross_entropy"
    inputs = (Input("probs", "floating"), Input("target", "floating"))
    parameters = (Parameter("weight", "tensor", None), *REDUCTION_PARAMETERS)
    weights = ("weight",)
    formulations = ("functional", "module", "composed", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("log and log1p = functional", "composed", "functional", "the definition of the function"),
        Relation("log and log(1 - p) = functional", "manual", "functional", "the definition of the function"),
    )

    error_bounds = binary.binary_cross_entropy

    def loss(self, element: Element) -> Ball:
        """See `OverElements`."""
        p, t = element.score, element.target
        if math.isnan(p) or math.isnan(t):
            return NAN
        first = ZERO if t == 0 else product(ball(t), _surprisal(ball(p)))
        return first if t == 1 else first + product(complement(t), _surprisal_of_complement(p))

    def slope(self, element: Element, name: str) -> Ball:
        """See `OverElements`."""
        if name == "target":
            return _log_odds_against(element.score)
        return _slope(element.score, element.target)

    def curvature(self, element: Element) -> Ball:
        """See `OverElements`."""
        return _curvature(element.score, element.target)


@lru_cache(maxsize=1 << 14)
def complement(value: float) -> Ball:
    """1 - value, exactly."""
    with wide():
        return 1 - ball(value)


def _surprisal(p: Ball) -> Ball:
    """-log p: +inf at 0, -inf at +inf, nan below 0."""
    if p.is_zero():
        return INFINITY
    if not p.is_finite():
        return -p if p > 0 else NAN
    return -p.log() if p > 0 else NAN


def _surprisal_of_complement(p: float) -> Ball:
    """-log(1 - p), by log1p."""
    if not math.isfinite(p) or p >= 1:
        return _surprisal(complement(p))
    return -(-ball(p)).log1p()


def _slope(p: float, t: float) -> Ball:
    """d loss / d p: -t / p + (1 - t) / (1 - p) over the terms that are there."""
    if math.isnan(p) or math.isnan(t) or (t != 0 and p < 0) or (t != 1 and p > 1):
        return NAN
    if math.isinf(p):
        return ZERO
    if t == 0:
        return INFINITY if p == 1 else 1 / complement(p)
    if t == 1:
        return -INFINITY if p == 0 else -1 / ball(p)
    if p in (0.0, 1.0):
        # The limit from inside [0, 1]: the sign is that of the term that grows.
        return INFINITY * (-t if p == 0 else 1 - t)
    with wide():
        above, below = ball(p) - ball(t), ball(p) * complement(p)
    return above / below


def _curvature(p: float, t: float) -> Ball:
    """t / p**2 + (1 - t) / (1 - p)**2 over the terms that are there."""
    if math.isnan(p) or math.isnan(t) or (t != 0 and p < 0) or (t != 1 and p > 1):
        return NAN
    if math.isinf(p):
        return ZERO
    if p in (0.0, 1.0) and p != t:
        # The limit from inside [0, 1]: the sign is that of the term that grows.
        return INFINITY * (t if p == 0 else 1 - t)
    with wide():
        other = complement(p)
        first = ZERO if t == 0 else ball(t) / ball(p) ** 2
        return first if t == 1 else first + complement(t) / other**2


def _log_odds_against(p: float) -> Ball:
    """d loss / d t: log((1 - p) / p), exactly 0 at 1/2."""
    if math.isnan(p) or p < 0 or p > 1:
        return NAN
    if p in (0.0, 1.0):
        return INFINITY if p == 0 else -INFINITY
    return ZERO if p == 0.5 else _surprisal(ball(p)) - _surprisal_of_complement(p)
