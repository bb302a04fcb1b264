"""NumPy reference of an expression graph: each primitive in one dtype, half types in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.operations.formula.evaluation import at_labels, moved, spread
from conformance.operations.formula.graph import Node


@dataclass(frozen=True)
class ArrayArithmetic:
    """Each primitive on NumPy arrays.

    Attributes:
        dtype: float32 or float64, in which everything is computed.
        nan_inputs: See `BallArithmetic`.
    """

    dtype: str
    nan_inputs: bool = False

    def leaf(self, node: Node, value: Any) -> Any:
        """The number in the dtype."""
        return np.asarray(value).astype(self.dtype)

    def apply(self, node: Node, operands: list[Any]) -> Any:
        """See `evaluation.Arithmetic`."""
        with np.errstate(all="ignore"):
            structural = moved(node, operands[0])
            if structural is not None:
                return structural
            if node.primitive == "real":
                return operands[0].astype(self.dtype)
            if node.primitive == "scatter":
                return spread(operands[0], operands[1], node.shape, node.options["axis"], self._zero)
            if node.primitive == "take":
                return at_labels(operands[0], operands[1], node.options["axis"], self._zero)
            if node.primitive == "multiply" or node.options.get("removes"):
                return self._removing(node, *operands)
            return _PRIMITIVES[node.primitive](node, *operands)

    @property
    def _zero(self) -> Any:
        return np.dtype(self.dtype).type(0)

    def _removing(self, node: Node, left: Any, right: Any) -> Any:
        """A product or quotient in which a coefficient of exactly 0 removes its term."""
        result = left * right if node.primitive == "multiply" else left / right
        removed = (left == 0) | ((right == 0) & (node.primitive == "multiply"))
        if self.nan_inputs:
            removed &= ~np.isnan(left) & ~np.isnan(right)
        return np.where(removed, self._zero, result)


def _sigmoid(_node: Node, x: Any) -> Any:
    small = np.exp(-np.abs(x))
    one = x.dtype.type(1)
    return np.where(x >= 0, one / (one + small), np.where(np.isnan(x), x, small / (one + small)))


_PRIMITIVES: dict[str, Callable[..., Any]] = {
    "add": lambda _node, left, right: left + right,
    "subtract": lambda _node, left, right: left - right,
    "shift": lambda _node, left, right: left - right,
    "divide": lambda _node, left, right: left / right,
    "negate": lambda _node, x: -x,
    "exp": lambda _node, x: np.exp(x),
    "expm1": lambda _node, x: np.expm1(x),
    "log": lambda _node, x: np.log(x),
    "log1p": lambda _node, x: np.log1p(x),
    "sqrt": lambda _node, x: np.sqrt(x),
    "abs": lambda _node, x: np.abs(x),
    "power": lambda node, x: x ** x.dtype.type(node.options["exponent"]),
    "sigmoid": _sigmoid,
    "softplus": lambda _node, x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "maximum": lambda _node, left, right: np.maximum(left, right),
    "less": lambda _node, left, right: left < right,
    "less_equal": lambda _node, left, right: left <= right,
    "equal": lambda _node, left, right: left == right,
    "not_equal": lambda _node, left, right: left != right,
    "where": lambda _node, condition, yes, no: np.where(condition, yes, no),
    "sum": lambda node, x: x.sum(axis=node.options["axes"], keepdims=True),
    "max": lambda node, x: x.max(axis=node.options["axes"], keepdims=True),
    "matmul": lambda _node, left, right: left @ right,
}
