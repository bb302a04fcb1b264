"""Reductions of a loss over its rows: which one is asked for, and what it adds to the rows' errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.operations.error_analysis.model import Arguments, Array, Pair, Rounding, clean


def reduction_of(arguments: Arguments) -> str:
    """`none`, `sum` or `mean`; the legacy size_average and reduce win over `reduction`, as in PyTorch."""
    size_average, reduce = arguments.get("size_average"), arguments.get("reduce")
    if size_average is not None or reduce is not None:
        if reduce is not None and not reduce:
            return "none"
        return "mean" if size_average is None or size_average else "sum"
    reduction = str(arguments.get("reduction", "mean"))
    return "mean" if reduction == "elementwise_mean" else reduction


@dataclass(frozen=True)
class Reduction:
    """One reduction over `rows` values, whose sum is divided by `weight` when it is a mean.

    `condition` is the sum of the magnitudes that make up `weight` over its own (1 for counts and positive
    weights); `terms` is what one flat sum may run over (rows x classes for class probabilities).
    """

    kind: str
    model: Rounding
    rows: int
    weight: float
    condition: float = 1.0
    terms: int = 0

    @property
    def summing(self) -> float:
        """Error of the sum over the rows relative to the sum of their magnitudes."""
        return max(self.model.summing(self.rows), self.model.summing(self.terms))

    @property
    def scale(self) -> float:
        """What every row is multiplied with: 1, or 1 / weight for a mean."""
        return 1.0 / abs(self.weight) if self.kind == "mean" and self.weight else 1.0

    @property
    def scale_error(self) -> float:
        """Relative error of the weight and of one division by it."""
        if self.kind != "mean":
            return 0.0
        return 2 * self.model.u + self.model.summing(self.rows) * self.condition

    def value(self, rows: Array, errors: Pair) -> Pair:
        """Bounds of the result, given the rows' exact values and bounds."""
        if self.kind == "none":
            return errors
        result = abs(float(np.sum(rows)))
        if not np.isfinite(result):
            return np.zeros(()), np.zeros(())
        own = self.summing * float(np.sum(np.abs(rows))) + (self.model.u + self.scale_error) * result
        underflow = self.model.floor * (1.0 + self.scale)
        first, second = (
            np.asarray((float(np.sum(clean(error))) + own) * self.scale + underflow) for error in errors
        )
        return first, second

    def upstream(self, g: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Per row: the magnitude of the gradient that reaches it, and the absolute error of that."""
        reaching = np.broadcast_to(np.abs(g) * self.scale, shape)
        underflow = self.model.floor if self.kind == "mean" else 0.0
        return reaching, reaching * self.scale_error + underflow
