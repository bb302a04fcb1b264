"""Balls of an expression graph: enclosures of the exact values, in extended reals.

One rule beyond arithmetic: a coefficient of exactly 0 removes its term (0 x inf = 0, but 0 x nan = nan).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import (
    INFINITY,
    MINUS_INFINITY,
    NAN,
    ONE,
    UNDECIDED,
    ZERO,
    Ball,
    ball,
    current_precision,
    exponential,
    is_nan,
    magnitude,
    precision,
)
from conformance.operations.formula.evaluation import at_labels, moved, spread
from conformance.operations.formula.graph import Node

Balls = npt.NDArray[np.object_]
#: Orders of two balls beside -1, 0 and 1.
UNORDERED, UNKNOWN = 2, 3
#: At this precision two balls that still overlap count as equal numbers: neither branch is right.
DECIDED_BITS = 2048


@dataclass(frozen=True)
class BallArithmetic:
    """Each primitive on object arrays of balls, at the precision of the context.

    Attributes:
        nan_inputs: Whether a nan is among the inputs. If none is, a nan is a value that is undefined, and a
            coefficient of exactly 0 removes it like an infinity.
    """

    nan_inputs: bool = False

    def leaf(self, node: Node, value: Any) -> Balls:
        """Balls of radius 0."""
        return _array(_ball(np.asarray(value, np.float64).astype(object)))

    def apply(self, node: Node, operands: list[Any]) -> Any:
        """See `evaluation.Arithmetic`."""
        structural = moved(node, operands[0])
        if node.primitive == "stop":
            return _array(_middle(operands[0]))
        if structural is not None:
            return structural
        if node.primitive in ("multiply", "divide", "matmul") and not self.nan_inputs:
            return _WITHOUT_NAN[node.primitive](node, *operands)
        return _PRIMITIVES[node.primitive](node, *operands)


def _array(value: Any) -> Balls:
    return np.asarray(value, dtype=object)


def _elementwise(function: Callable[..., Ball], operands: int) -> Callable[..., Balls]:
    universal = np.frompyfunc(function, operands, 1)
    return lambda _node, *arrays: _array(universal(*arrays))


def _is_infinite(value: Ball) -> bool:
    return bool(abs(value) == INFINITY)


def _sign(value: Ball) -> int:
    """1, -1, or 0 where the ball does not say."""
    return 1 if value > 0 else -1 if value < 0 else 0


def _multiply(left: Ball, right: Ball) -> Ball:
    if left.is_finite() and right.is_finite():
        return left * right
    if left.is_nan() or right.is_nan():
        return NAN
    if left.is_zero() or right.is_zero():
        return ZERO
    sign = _sign(left) * _sign(right)
    exact = all(item.is_finite() or _is_infinite(item) for item in (left, right))
    return (INFINITY if sign > 0 else MINUS_INFINITY) if sign and exact else UNDECIDED


def _multiply_removing(left: Ball, right: Ball) -> Ball:
    """The product where no input is nan: 0 removes a factor that is undefined, too."""
    return ZERO if left.is_zero() or right.is_zero() else _multiply(left, right)


def _divide(left: Ball, right: Ball) -> Ball:
    if left.is_nan() or right.is_nan() or right.is_zero():
        return NAN
    if _is_infinite(right):
        return ZERO if left.is_finite() else NAN
    if right.contains(ZERO):
        return UNDECIDED
    return left / right if left.is_finite() else _multiply(left, ONE / right)


def _divided(node: Node, left: Balls, right: Balls, nan_inputs: bool) -> Balls:
    """A quotient, or one whose numerator is a coefficient (`graph.ratio`)."""
    if not node.options.get("removes"):
        return _array(np.frompyfunc(_divide, 2, 1)(left, right))
    positive = node.options["positive"]

    def quotient(numerator: Ball, divisor: Ball) -> Ball:
        if numerator.is_zero() and not (nan_inputs and divisor.is_nan()):
            return ZERO
        if positive and divisor.is_zero() and _sign(numerator):
            return _multiply(numerator, INFINITY)
        return _divide(numerator, divisor)

    return _array(np.frompyfunc(quotient, 2, 1)(left, right))


def _exp(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value):
        return value
    if value <= 0 or value == MINUS_INFINITY:
        return exponential(value)
    if not value.is_finite():
        return UNDECIDED
    with precision(current_precision() + max(0, magnitude(value) if value != 0 else 0)):
        return value.exp()


def _expm1(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value):
        return value
    return -ONE if value == MINUS_INFINITY else value.expm1()


def _log(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value):
        return value
    if value.is_zero():
        return MINUS_INFINITY
    if value < 0:
        return NAN
    return UNDECIDED if value.contains(ZERO) or not value.is_finite() else value.log()


def _log1p(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value):
        return value
    return value.log1p() if value > -1 and value.is_finite() else _log(ONE + value)


def _sqrt(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value) or value.is_zero():
        return value
    if value < 0:
        return NAN
    return UNDECIDED if value.contains(ZERO) or not value.is_finite() else value.sqrt()


def _power(value: Ball, exponent: float) -> Ball:
    if exponent == 0.0:
        return NAN if is_nan(value) else ONE
    if exponent < 0:
        return _divide(ONE, _power(value, -exponent))
    if not value.is_finite():
        return value if value == INFINITY or is_nan(value) else UNDECIDED
    if exponent.is_integer():
        return _repeated(value, int(exponent))
    if value.is_zero():
        return ZERO
    if value < 0:
        return NAN
    return UNDECIDED if value.contains(ZERO) else value ** ball(exponent)


def _repeated(value: Ball, times: int) -> Ball:
    """A positive whole power by squaring: flint's own is nan around 0."""
    half = _repeated(value, times // 2) if times > 1 else ONE
    return half * half * value if times % 2 else half * half


def _sigmoid(value: Ball) -> Ball:
    if value == INFINITY:
        return ONE
    if value == MINUS_INFINITY:
        return ZERO
    if value > 0:
        return ONE / (ONE + _exp(-value))
    exponentials = _exp(value)
    return exponentials / (ONE + exponentials)


def _softplus(value: Ball) -> Ball:
    if value == INFINITY or is_nan(value):
        return value
    if value == MINUS_INFINITY:
        return ZERO
    return value + _exp(-value).log1p() if value > 0 else _exp(value).log1p()


def _absolute(value: Ball) -> Ball:
    return -value if value < 0 else value if value >= 0 or is_nan(value) else abs(value)


def _maximum(left: Ball, right: Ball) -> Ball:
    if is_nan(left) or is_nan(right):
        return NAN
    if left >= right:
        return left
    return right if left < right else left.max(right)


def _add(left: Ball, right: Ball) -> Ball:
    return left + right


def _compared(left: Ball, right: Ball) -> int:
    """-1, 0 or 1 as the order of two balls; `UNORDERED` for nan; `UNKNOWN` where they overlap."""
    if is_nan(left) or is_nan(right):
        return UNORDERED
    if left < right:
        return -1
    if left > right:
        return 1
    return 0 if left == right or _is_infinite(left) else UNKNOWN


def _comparison(*true: int) -> Callable[..., Any]:
    """A comparison that holds for these orders: 1, 0, or -1 where the balls do not say."""
    universal = np.frompyfunc(_compared, 2, 1)

    def compare(_node: Node, left: Balls, right: Balls) -> Any:
        order = np.asarray(universal(left, right), dtype=np.int8)
        return np.where(order == UNKNOWN, -1, np.isin(order, true)).astype(np.int8)

    return compare


def _middle_of(value: Ball) -> Ball:
    return value.mid() if hasattr(value, "is_finite") and value.is_finite() else value


def _summed(node: Node, array: Balls) -> Balls:
    return _array(np.add.reduce(array, axis=node.options["axes"], keepdims=True, initial=ZERO))


def _largest(node: Node, array: Balls) -> Balls:
    result = array
    for axis in node.options["axes"]:
        result = _array(np.frompyfunc(_maximum, 2, 1).reduce(result, axis=axis, keepdims=True))
    return result


def _product(multiply: Callable[[Ball, Ball], Ball]) -> Callable[..., Balls]:
    """A matrix product, term by term: an infinite entry beside a coefficient of 0 is removed."""
    universal = np.frompyfunc(multiply, 2, 1)

    def product(_node: Node, left: Balls, right: Balls) -> Balls:
        terms = universal(left[:, :, None], right[None, :, :])
        return _array(np.add.reduce(_array(terms), axis=1, initial=ZERO))

    return product


def _chosen(_node: Node, condition: Any, yes: Balls, no: Balls) -> Balls:
    """The branch of each element; where the condition stays unknown at a high precision it is undefined."""
    unknown = UNDECIDED if current_precision() < DECIDED_BITS else NAN
    return _array(np.where(condition == 1, yes, np.where(condition == 0, no, unknown)))


_ball = np.frompyfunc(lambda value: ball(float(value)), 1, 1)
_middle = np.frompyfunc(_middle_of, 1, 1)
_PRIMITIVES: dict[str, Callable[..., Any]] = {
    "real": lambda _node, labels: _array(_ball(labels.astype(np.float64).astype(object))),
    "add": _elementwise(_add, 2),
    "subtract": _elementwise(lambda left, right: left - right, 2),
    "shift": _elementwise(lambda left, right: left - right, 2),
    "multiply": _elementwise(_multiply, 2),
    "divide": lambda node, left, right: _divided(node, left, right, True),
    "negate": _elementwise(lambda value: -value, 1),
    "exp": _elementwise(_exp, 1),
    "expm1": _elementwise(_expm1, 1),
    "log": _elementwise(_log, 1),
    "log1p": _elementwise(_log1p, 1),
    "sqrt": _elementwise(_sqrt, 1),
    "abs": _elementwise(_absolute, 1),
    "sigmoid": _elementwise(_sigmoid, 1),
    "softplus": _elementwise(_softplus, 1),
    "maximum": _elementwise(_maximum, 2),
    "power": lambda node, array: _array(
        np.frompyfunc(lambda value: _power(value, node.options["exponent"]), 1, 1)(array)
    ),
    "less": _comparison(-1),
    "less_equal": _comparison(-1, 0),
    "equal": _comparison(0),
    "not_equal": _comparison(-1, 1, UNORDERED),
    "where": _chosen,
    "sum": _summed,
    "max": _largest,
    "matmul": _product(_multiply),
    "take": lambda node, array, labels: at_labels(array, labels, node.options["axis"], ZERO),
    "scatter": lambda node, array, labels: spread(array, labels, node.shape, node.options["axis"], ZERO),
}
#: The same, where no input is nan.
_WITHOUT_NAN: dict[str, Callable[..., Any]] = {
    "multiply": _elementwise(_multiply_removing, 2),
    "divide": lambda node, left, right: _divided(node, left, right, False),
    "matmul": _product(_multiply_removing),
}
