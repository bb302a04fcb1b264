"""Running error analysis: float64 values of an expression graph with first-order bounds of their errors.

J. H. Wilkinson's running error analysis, Higham, Accuracy and Stability of Numerical Algorithms (2002),
section 3.3: each primitive passes its operands' errors on by its derivative and adds its own rounding.
The model of rounding is that of the hand-derived bounds (`error_analysis.model`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.operations.error_analysis.model import K, Rounding
from conformance.operations.formula.evaluation import at_labels, moved, spread
from conformance.operations.formula.graph import Node

Array = npt.NDArray[np.float64]


class Approximation(NamedTuple):
    """A computed array.

    Attributes:
        value: Its values in float64, which stand for the exact ones to first order.
        error: How far a computation in the dtype may be from each, absolutely.
    """

    value: Array
    error: Array


@dataclass(frozen=True)
class ErrorArithmetic:
    """Each primitive on approximations.

    Attributes:
        rounding: The constants of the dtype.
        inputs: Relative error of each input: 0 for the bound, u for the conditioning.
        computed: Whether the primitives round: not for the conditioning.
    """

    rounding: Rounding
    inputs: float = 0.0
    computed: bool = True

    def leaf(self, node: Node, value: Any) -> Approximation:
        """An input is what the computation gets; a constant is rounded where the dtype does not hold it."""
        array = np.asarray(value, np.float64)
        if node.primitive == "input":
            return Approximation(array, self.inputs * np.abs(array))
        exact = float(array) * 256 % 1 == 0 and abs(float(array)) <= 256
        return Approximation(array, np.asarray(0.0 if exact else self.u * abs(array)))

    @property
    def u(self) -> float:
        """The unit roundoff of a primitive."""
        return self.rounding.u if self.computed else 0.0

    def rounded(self, value: Array, error: Array, units: float = 1.0) -> Approximation:
        """A result with its own rounding, of so many unit roundoffs, and what underflow may cost."""
        floor = np.where(value != 0, self.rounding.floor, 0.0) if self.computed else 0.0
        return Approximation(value, error + units * self.u * np.abs(value) + floor)

    def apply(self, node: Node, operands: list[Any]) -> Any:
        """See `evaluation.Arithmetic`."""
        with np.errstate(all="ignore"):
            return self._apply(node, operands)

    def _apply(self, node: Node, operands: list[Any]) -> Any:
        first = operands[0]
        if node.primitive == "real":
            return Approximation(first.astype(np.float64), np.zeros(first.shape))
        if node.primitive in _COMPARISONS:
            return _COMPARISONS[node.primitive](first.value, operands[1].value)
        if node.primitive == "where":
            condition, yes, no = operands
            return Approximation(*(np.where(condition, a, b) for a, b in zip(yes, no, strict=True)))
        if node.primitive == "stop":
            return Approximation(first.value, np.zeros(first.value.shape))
        if moved(node, first.value) is not None:
            return Approximation(*(moved(node, part) for part in first))
        if node.primitive in ("take", "scatter"):
            return Approximation(*(_at_labels(node, part, operands[1]) for part in first))
        return _PRIMITIVES[node.primitive](self, node, *operands)

    def summed(self, value: Array, error: Array) -> Approximation:
        """The sum over the last axis, which goes."""
        factor = self.rounding.summing(value)[..., 0] if self.computed else 0.0
        total = value.sum(-1)
        return Approximation(total, error.sum(-1) + factor * np.abs(value).sum(-1))


def _at_labels(node: Node, array: Array, labels: Any) -> Array:
    if node.primitive == "take":
        taken: Array = at_labels(array, labels, node.options["axis"])
        return taken
    spread_out: Array = spread(array, labels, node.shape, node.options["axis"], 0.0)
    return spread_out


def _times(coefficient: Array, array: Array) -> Array:
    """The product; an exact 0 removes an infinite factor, and no error passes through it."""
    return np.where(
        (coefficient == 0) | (array == 0), 0.0 * (np.isnan(coefficient * 0 + array * 0)), coefficient * array
    )


def _add(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    value = a.value + b.value
    units = np.where((a.value == 0) | (b.value == 0), 0.0, 1.0)  # adding an exact 0 rounds nothing
    return Approximation(value, a.error + b.error + units * arithmetic.u * np.abs(value))


def _subtract(arithmetic: ErrorArithmetic, node: Node, a: Approximation, b: Approximation) -> Approximation:
    return _add(arithmetic, node, a, Approximation(-b.value, b.error))


def _multiply(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    value = _times(a.value, b.value)
    error = _times(np.abs(a.value), b.error) + _times(np.abs(b.value), a.error) + a.error * b.error
    exact = (np.abs(a.value) == 1) | (np.abs(b.value) == 1)
    rounded = arithmetic.rounded(value, error)
    return Approximation(value, np.where(exact, error, rounded.error))


def _divide(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    value = np.where((a.value == 0) & (b.value != 0), 0.0, a.value / b.value)
    smallest = np.maximum(np.abs(b.value) - b.error, 0.0)
    error = (a.error + np.abs(value) * b.error) / np.where(np.isinf(b.value), np.inf, smallest)
    return arithmetic.rounded(value, np.where((a.error == 0) & (b.error == 0), 0.0, error))


def _exp(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    value = np.exp(a.value)
    return arithmetic.rounded(value, np.where(value == 0, 0.0, value * np.expm1(a.error)), K)


def _expm1(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    value = np.expm1(a.value)
    return arithmetic.rounded(value, (value + 1.0) * np.expm1(a.error), K)


def _log(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    value = np.log(a.value)
    relative = np.where(a.error == 0, 0.0, a.error / np.maximum(np.abs(a.value) - a.error, 0.0))
    return arithmetic.rounded(value, np.log1p(relative), K)


def _log1p(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    value = np.log1p(a.value)
    relative = np.where(a.error == 0, 0.0, a.error / np.maximum(np.abs(1.0 + a.value) - a.error, 0.0))
    return arithmetic.rounded(value, np.log1p(relative), K)


def _sqrt(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    value = np.sqrt(a.value)
    return arithmetic.rounded(value, np.where(a.error == 0, 0.0, a.error / value))


def _power(arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    exponent = node.options["exponent"]
    value = np.power(a.value, exponent)
    slope = np.abs(exponent) * np.abs(np.power(a.value, exponent - 1.0))
    error = np.where(a.error == 0, 0.0, slope * a.error)
    units = 0.0 if exponent == 1.0 else abs(exponent) - 1.0 if exponent in (2.0, 3.0, 4.0) else K
    return arithmetic.rounded(value, error, units)


def _sigmoid(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    """exp, one addition and one division; the slope at x is s (1 - s)."""
    small = np.exp(-np.abs(a.value))
    value = np.where(a.value > 0, 1.0 / (1.0 + small), small / (1.0 + small))
    value = np.where(np.isnan(a.value), np.nan, value)
    slope = small / (1.0 + small) ** 2
    return arithmetic.rounded(value, slope * np.expm1(a.error) + K * arithmetic.u * slope, 2.0)


def _softplus(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    """max(x, 0) + log1p(exp(-|x|)); the slope is sigmoid(x)."""
    small = np.exp(-np.abs(a.value))
    tail = np.log1p(small)
    value = np.maximum(a.value, 0.0) + tail
    slope = np.where(a.value > 0, 1.0 / (1.0 + small), small / (1.0 + small))
    own = 2.0 * K * arithmetic.u * tail
    error = np.where(a.error == 0, 0.0, slope * a.error) + own
    return arithmetic.rounded(value, error)


def _maximum(_arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    return Approximation(np.maximum(a.value, b.value), np.maximum(a.error, b.error))


def _sum(arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    axes = node.options["axes"]
    ends = tuple(range(-len(axes), 0))
    parts = [np.moveaxis(part, axes, ends) for part in (a.value, np.broadcast_to(a.error, a.value.shape))]
    flat = [part.reshape(*part.shape[: part.ndim - len(axes)], -1) for part in parts] if axes else None
    if flat is None:
        return a
    total = arithmetic.summed(*flat)
    return Approximation(total.value.reshape(node.shape), total.error.reshape(node.shape))


def _max(_arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    axes = node.options["axes"]
    error = np.broadcast_to(a.error, a.value.shape)
    return Approximation(a.value.max(axis=axes, keepdims=True), error.max(axis=axes, keepdims=True))


def _matmul(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    terms = _times(a.value[:, None, :], np.swapaxes(b.value, 0, 1)[None, :, :])
    errors = (
        np.abs(a.value[:, None, :]) * b.error.T[None, :, :] + a.error[:, None, :] * np.abs(b.value.T)[None]
    )
    accumulate = arithmetic.rounding.accumulate if arithmetic.computed else 0.0
    total = arithmetic.summed(terms, errors + accumulate * np.abs(terms))
    return arithmetic.rounded(total.value, total.error) if arithmetic.computed else total


_COMPARISONS: dict[str, Callable[[Array, Array], Any]] = {
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}
_PRIMITIVES: dict[str, Callable[..., Approximation]] = {
    "add": _add,
    "subtract": _subtract,
    "shift": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negate": lambda _arithmetic, _node, a: Approximation(-a.value, a.error),
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "abs": lambda _arithmetic, _node, a: Approximation(np.abs(a.value), a.error),
    "power": _power,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "maximum": _maximum,
    "sum": _sum,
    "max": _max,
    "matmul": _matmul,
}
