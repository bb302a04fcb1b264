"""Expansions of the swept functions: each as a power series with balls for coefficients, on either side of 0.

Every expression is one that does not cancel on its side of 0. Of the functions that have a limit at a power
of two, which no number attains but for 0, the side of that limit is stated: no precision would show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from conformance.arithmetic.balls import ball
from conformance.arithmetic.power_series import Series, exponential, logarithm
from conformance.sweeping.functions import DIRECTION, ROW_DIRECTION, ROW_UPSTREAM, SweptFunction

_GAP = ball(ROW_UPSTREAM[0]) - ball(ROW_UPSTREAM[1])
_SUM = ball(ROW_UPSTREAM[0]) + ball(ROW_UPSTREAM[1])
_ALONG = ball(DIRECTION)
_TURN = ball(ROW_DIRECTION[0]) - ball(ROW_DIRECTION[1])


@dataclass(frozen=True)
class Logistic:
    """Logistic function and what is made of it, for an argument of one sign.

    Attributes:
        x: The argument.
        negative: Its sign.
    """

    x: Series
    negative: bool

    @cached_property
    def tail(self) -> Series:
        """exp(-|x|)."""
        return exponential(self.x if self.negative else -self.x)

    @cached_property
    def small(self) -> Series:
        """The logistic function of -|x|."""
        return self.tail / (1 + self.tail)

    @cached_property
    def large(self) -> Series:
        """The logistic function of |x|."""
        return 1 / (1 + self.tail)

    @property
    def s(self) -> Series:
        """The logistic function of x."""
        return self.small if self.negative else self.large

    @property
    def complement(self) -> Series:
        """That of -x."""
        return self.large if self.negative else self.small

    @cached_property
    def slope(self) -> Series:
        """s (1 - s)."""
        return self.small * self.large

    @property
    def balance(self) -> Series:
        """1 - 2 s, odd in x."""
        size = (1 - self.tail) / (1 + self.tail)
        return size if self.negative else -size

    def softplus(self, flipped: bool = False) -> Series:
        """log(1 + exp(x)), or of -x."""
        rest = logarithm(1 + self.tail)
        if self.negative == flipped:
            return (-self.x if flipped else self.x) + rest
        return rest


def expansion(function: SweptFunction, element: int, negative: bool, x: Series) -> Series:
    """The series of one element of a quantity.

    Args:
        function: The function.
        element: 0, or 1 for the second number of a row.
        negative: The sign of the inputs.
        x: The series of the input.
    """
    kind = function.quantity.partition(":")[0]
    if function.operation == "binary_cross_entropy":
        return _of_probability(kind, ball(function.target or 0.0), x)
    logistic = Logistic(x, negative)
    if function.of_rows:
        return _of_row(function.operation, kind, element, logistic)
    if function.target is not None:
        return _of_logit(kind, function.target, logistic)
    if function.operation == "sigmoid":
        if kind == "value":
            return logistic.s
        return logistic.slope if kind == "gradient" else _ALONG * logistic.slope * logistic.balance
    if kind == "value":
        return -logistic.softplus(flipped=True)
    return logistic.complement if kind == "gradient" else -_ALONG * logistic.slope


def _of_probability(kind: str, t: Series, p: Series) -> Series:
    """Binary cross-entropy of a probability: the terms of t and 1 - t, without those that are 0."""
    terms = []
    for weight, argument, sign in ((t, p, -1), (1 - t, 1 - p, 1)):
        if weight == 0:
            continue
        if kind == "value":
            terms.append(-weight * logarithm(argument))
        elif kind == "gradient":
            terms.append(sign * weight / argument)
        else:
            terms.append(_ALONG * weight / (argument * argument))
    if kind == "gradient" and len(terms) == 2:
        return (p - t) / (p * (1 - p))
    return sum(terms[1:], terms[0])


def _of_logit(kind: str, t: float, logistic: Logistic) -> Series:
    """Binary cross-entropy with logits."""
    if kind == "second":
        return _ALONG * logistic.slope
    if t == 0.5:
        if kind == "gradient":
            return -logistic.balance / 2
        return (logistic.softplus() + logistic.softplus(flipped=True)) / 2
    if kind == "value":
        return logistic.softplus(flipped=t == 1)
    return -logistic.complement if t == 1 else logistic.s


def _of_row(operation: str, kind: str, element: int, logistic: Logistic) -> Series:
    """Softmax, log-softmax and cross-entropy with label 0 of `[x, 0]`."""
    first = element == 0
    p = logistic.s if first else logistic.complement
    sign = 1 if first else -1
    if operation == "softmax":
        if kind == "value":
            return p
        slope = sign * _GAP * logistic.slope
        return slope if kind == "gradient" else slope * logistic.balance * _TURN
    if operation == "log_softmax":
        if kind == "value":
            return -logistic.softplus(flipped=first)
        if kind == "gradient":
            return ball(ROW_UPSTREAM[element]) - p * _SUM
        return -sign * _SUM * _TURN * logistic.slope
    if kind == "value":
        return logistic.softplus(flipped=True)
    if kind == "gradient":
        return -sign * logistic.complement
    return sign * _TURN * logistic.slope


def open_range(function: SweptFunction, element: int, negative: bool) -> tuple[float, float]:
    """Two numbers that the element's magnitude lies strictly between, at every finite input but 0."""
    kind = function.quantity.partition(":")[0]
    below, above = (0.0, 0.5), (0.5, 1.0)
    if function.operation == "sigmoid" and kind == "gradient":
        return 0.0, 0.25
    if function.operation == "log_softmax" and kind == "gradient":
        return (0.25, 0.875) if negative else (0.875, 1.5)  # 1/4 + 5/4 s for both elements
    if function.operation in ("sigmoid", "softmax") and kind == "value":
        return below if negative == (element == 0) else above
    if function.operation == "binary_cross_entropy_with_logits" and kind == "gradient":
        if function.target == 0.5:
            return below
        return below if negative == (function.target == 0) else above
    if (function.operation, kind) in (("log_sigmoid", "gradient"), ("cross_entropy", "gradient")):
        return above if negative else below
    return 0.0, math.inf
