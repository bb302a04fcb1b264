"""Running error analysis: float64 values of an expression graph with first-order bounds of their errors.

J. H. Wilkinson's running error analysis, Higham, Accuracy and Stability of Numerical Algorithms (2002),
section 3.3: each primitive passes its operands' errors on by its derivative and adds its own rounding.
The model of rounding is that of the hand-derived bounds (`error_analysis.model`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
        nan_inputs: See `BallArithmetic`.
    """

    rounding: Rounding
    inputs: float = 0.0
    computed: bool = True
    nan_inputs: bool = False

    def leaf(self, node: Node, value: Any) -> Approximation:
        """An input is what the computation gets; a constant is rounded where the dtype does not hold it."""
        array = np.asarray(value, np.float64)
        size = np.where(np.isfinite(array), np.abs(array), 0.0)
        if node.primitive == "input":
            return Approximation(array, self.inputs * size)
        significand, _ = np.frexp(size)
        arithmetic = self.of(node)
        exact = (significand / arithmetic.rounding.u) % 1 == 0
        return Approximation(array, np.where(exact, 0.0, arithmetic.u * size))

    def of(self, node: Node) -> ErrorArithmetic:
        """The arithmetic that computes a node: the accumulator's, where the result is not `stored`."""
        if node.options.get("stored", True):
            return self
        inside = replace(self.rounding, u=min(self.rounding.u, self.rounding.accumulate), store=0.0)
        return replace(self, rounding=inside)

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
        if node.primitive == "computed_as":
            return _larger(*operands)
        if node.primitive in ("take", "scatter"):
            return Approximation(*(_at_labels(node, part, operands[1]) for part in first))
        if isinstance(first, Approximation):
            value = moved(node, first.value)
            if value is not None:
                return Approximation(value, moved(node, first.error))
            return _PRIMITIVES[node.primitive](self.of(node), node, *operands)
        return moved(node, first)

    def summed(self, value: Array, error: Array) -> Approximation:
        """The sum over the last axis, which goes, stored in the dtype."""
        total = value.sum(-1)
        if not self.computed or (not error.any() and self._whole(value)):
            return Approximation(total, error.sum(-1))
        factor = self.rounding.summing(value)[..., 0]
        return Approximation(total, error.sum(-1) + factor * np.abs(value).sum(-1))

    def _whole(self, terms: Array) -> bool:
        """Whether the terms are whole numbers whose sums the dtype holds: counts, which round nowhere."""
        sizes = np.abs(terms)
        return bool(np.all(sizes % 1 == 0) and np.all(sizes.sum(-1) * self.rounding.u <= 1))

    def times(self, coefficient: Array, array: Array) -> Array:
        """The product; an exact 0 removes an infinite factor, and without nan inputs an undefined one."""
        removed = (coefficient == 0) | (array == 0)
        if self.nan_inputs:
            removed &= ~np.isnan(coefficient) & ~np.isnan(array)
        return np.where(removed, 0.0, coefficient * array)


def _larger(exact: Approximation, standard: Approximation) -> Approximation:
    """The first's values with the error of whichever loses more, as far as it is defined."""
    return Approximation(exact.value, np.fmax(exact.error, standard.error))


def _at_labels(node: Node, array: Array, labels: Any) -> Array:
    if node.primitive == "take":
        taken: Array = at_labels(array, labels, node.options["axis"], 0.0)
        return taken
    spread_out: Array = spread(array, labels, node.shape, node.options["axis"], 0.0)
    return spread_out


def _is_exact_zero(a: Approximation) -> Any:
    return (a.value == 0) & (a.error == 0)


def _add(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    value = a.value + b.value
    # Adding an exact 0 rounds nothing.
    units = np.where(_is_exact_zero(a) | _is_exact_zero(b), 0.0, arithmetic.u)
    return Approximation(value, a.error + b.error + units * np.abs(value))


def _subtract(arithmetic: ErrorArithmetic, node: Node, a: Approximation, b: Approximation) -> Approximation:
    return _add(arithmetic, node, a, Approximation(-b.value, b.error))


def _multiply(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    times = arithmetic.times
    value = times(a.value, b.value)
    error = times(np.abs(a.value), b.error) + times(np.abs(b.value), a.error) + times(a.error, b.error)
    exact = (a.error == 0) & (np.abs(a.value) == 1) | (b.error == 0) & (np.abs(b.value) == 1)
    rounded = arithmetic.rounded(value, error)
    return Approximation(value, np.where(exact, error, rounded.error))


def _divide(arithmetic: ErrorArithmetic, node: Node, a: Approximation, b: Approximation) -> Approximation:
    value = a.value / b.value
    smallest = np.maximum(np.abs(b.value) - b.error, 0.0)
    error = (a.error + np.abs(value) * b.error) / np.where(np.isinf(b.value), np.inf, smallest)
    if node.options.get("removes"):
        removed = (a.value == 0) & ~(np.isnan(b.value) & arithmetic.nan_inputs)
        value, error = np.where(removed, 0.0, value), np.where(removed & (a.error == 0), 0.0, error)
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
    return arithmetic.rounded(value, np.where(a.error == 0, 0.0, np.fmin(a.error / value, np.sqrt(a.error))))


def _power(arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    """The error is that of the worse end: where it is larger than the base, the slope there says nothing."""
    exponent = node.options["exponent"]
    value, size = np.power(a.value, exponent), np.abs(a.value)
    ends = np.power(size + a.error, exponent), np.power(np.maximum(size - a.error, 0.0), exponent)
    error = np.fmax(*(np.abs(end - np.power(size, exponent)) for end in ends))
    units = 0.0 if exponent == 1.0 else abs(exponent) - 1.0 if exponent in (2.0, 3.0, 4.0) else K
    return arithmetic.rounded(value, np.where(a.error == 0, 0.0, error), units)


def _sigmoid(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    """As the model has it, k + 2 units; the slope at x is s (1 - s)."""
    small = np.exp(-np.abs(a.value))
    value = np.where(a.value > 0, 1.0 / (1.0 + small), small / (1.0 + small))
    value = np.where(np.isnan(a.value), np.nan, value)
    slope = small / (1.0 + small) ** 2
    return arithmetic.rounded(value, slope * np.expm1(a.error), K + 2.0)


def _softplus(arithmetic: ErrorArithmetic, _node: Node, a: Approximation) -> Approximation:
    """As the model has max(x, 0) + log1p(exp(-|x|)), 2 k + 2 units; the slope is sigmoid(x)."""
    small = np.exp(-np.abs(a.value))
    value = np.maximum(a.value, 0.0) + np.log1p(small)
    slope = np.where(a.value > 0, 1.0 / (1.0 + small), small / (1.0 + small))
    error = np.where(slope == 0, 0.0, slope * a.error)
    return arithmetic.rounded(value, np.where(a.error == 0, 0.0, error), 2.0 * K + 2.0)


def _maximum(_arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    """The larger one, or the other where it may become the larger."""
    value = np.maximum(a.value, b.value)
    errors = [np.where(item.value + item.error >= value, item.error, 0.0) for item in (a, b)]
    return Approximation(value, np.maximum(*errors))


def _sum(arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    axes = node.options["axes"]
    if not axes:
        return a
    kept = tuple(size for number, size in enumerate(a.value.shape) if number not in axes)
    count = math.prod(a.value.shape[number] for number in axes)
    ends = tuple(range(-len(axes), 0))
    value, error = (np.moveaxis(part, axes, ends).reshape(*kept, count) for part in a)
    total = arithmetic.summed(value, error)
    return Approximation(*(part.reshape(node.shape) for part in total))


def _max(_arithmetic: ErrorArithmetic, node: Node, a: Approximation) -> Approximation:
    axes = node.options["axes"]
    return Approximation(*(part.max(axis=axes, keepdims=True) for part in a))


def _matmul(arithmetic: ErrorArithmetic, _node: Node, a: Approximation, b: Approximation) -> Approximation:
    """Each product rounds in the accumulator, whose sum is stored, unless it is read on from there."""
    times = arithmetic.times
    left, right = (np.asarray(part)[:, None, :] for part in a), (part.T[None, :, :] for part in b)
    (value, error), (other, other_error) = left, right
    terms = times(value, other)
    errors = times(np.abs(value), other_error) + times(error, np.abs(other))
    accumulate = arithmetic.rounding.accumulate if arithmetic.computed else 0.0
    total = arithmetic.summed(terms, errors + accumulate * np.abs(terms))
    return arithmetic.rounded(total.value, total.error, 0.0)


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
