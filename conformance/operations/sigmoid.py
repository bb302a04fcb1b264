"""sigmoid(x) = 1 / (1 + exp(-x))."""

from __future__ import annotations

import math
from functools import lru_cache

from conformance.arithmetic.balls import (
    NAN,
    ONE,
    ZERO,
    Ball,
    ball,
    current_precision,
    exponential,
    product,
    total,
    wide,
)
from conformance.operations.base import MODULE_IS_FUNCTIONAL, Relation
from conformance.operations.elementwise_operation import Elementwise
from conformance.operations.error_analysis import elementwise

#: Below it s (1 - s) lies within 2**-84 of 1/4.
_NEAR_ZERO = 2.0**-40


class Sigmoid(Elementwise):
    """sigmoid(x), element by element; gradient g s (1 - s), both factors without cancellation,
    second derivative g v s (1 - s) (1 - 2 s).

    nan gives nan; +inf gives 1 and -inf gives 0, with gradient 0 at both (the limits; Python's and every
    framework's convention). Empty in, empty out.
    """

    name = "sigmoid"
    formulations = ("functional", "module", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation("1 / (1 + exp(-x)) = sigmoid", "manual", "functional", "the definition of the function"),
    )
    error_bounds = elementwise.sigmoid

    def value(self, x: float) -> Ball:
        """See `Elementwise`."""
        return logistic(x)

    def slope(self, x: float, factor: Ball) -> Ball:
        """See `Elementwise`."""
        return logistic_slope(x, factor)

    def curvature(self, x: float, factor: Ball) -> Ball:
        """factor * s (1 - s) (1 - 2 s), odd in x: 1 - 2 s is (exp(-|x|) - 1) / (exp(-|x|) + 1) above 0."""
        if x != x:
            return NAN
        if math.isinf(x):
            return ZERO
        small = tail(x)
        size = small * ball(-abs(x)).expm1() / (1 + small) ** 3
        return product(factor, size if x > 0 else -size)


def tail(x: float) -> Ball:
    """exp(-|x|), exactly 1 at 0 and exactly 0 at infinities."""
    return _tail(abs(x), current_precision())


@lru_cache(maxsize=1 << 14)
def _tail(distance: float, _bits: int) -> Ball:
    return exponential(-ball(distance))


def softplus_tail(x: float) -> Ball:
    """log(1 + exp(-|x|)): what softplus adds to the larger of 0 and its argument."""
    return _softplus_tail(abs(x), current_precision())


@lru_cache(maxsize=1 << 14)
def _softplus_tail(distance: float, _bits: int) -> Ball:
    return tail(distance).log1p()


def logistic(x: float) -> Ball:
    """1 / (1 + exp(-x)); above 0 as 1 minus its complement, so that the side of 1 is kept."""
    if x != x:
        return NAN
    small = tail(x)
    other = small / (1 + small)
    return total(ONE, -other) if x > 0 else other


def softplus(x: float) -> Ball:
    """log(1 + exp(x)): x plus a positive rest above 0."""
    if x != x:
        return NAN
    rest = softplus_tail(x)
    return total(ball(x), rest) if x > 0 else rest


def logistic_slope(x: float, factor: Ball) -> Ball:
    """factor * s (1 - s), even in x; near 0 as 1/4 less a square, so that the side of 1/4 is kept."""
    if x != x:
        return NAN
    small = tail(x)
    if not 0 < abs(x) < _NEAR_ZERO:
        return product(factor, small / (1 + small) ** 2)
    square = (ball(-abs(x)).expm1() / (1 + small) / 2) ** 2
    value = total(ball(0.25), -square)
    with wide():
        return product(factor, value)


def scaled_logistic(x: float, factor: Ball) -> Ball:
    """factor * sigmoid(x); a factor of exactly 0 gives 0 unless x is nan."""
    value = logistic(x)
    with wide():
        return product(factor, value)
