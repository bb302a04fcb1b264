"""Reductions of a loss over its rows, and what they add to the rows' errors."""

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
    """Reduction over the rows of a loss.

    Attributes:
        kind: `none`, `sum` or `mean`.
        model: The rounding model.
        weight: What a mean divides the sum by.
        weight_error: Relative error of the weight.
    """

    kind: str
    model: Rounding
    weight: float
    weight_error: float = 0.0

    @property
    def scale(self) -> float:
        """What every row is multiplied with: 1, or 1 / weight for a mean."""
        return 1.0 / abs(self.weight) if self.kind == "mean" and self.weight else 1.0

    @property
    def scale_error(self) -> float:
        """Relative error of the weight and of one division by it."""
        if self.kind != "mean":
            return 0.0
        return 2 * self.model.u + self.weight_error

    def value(self, rows: Array, errors: Pair, terms: Array | None = None) -> Pair:
        """Bounds of the result.

        Args:
            rows: The rows' exact values.
            errors: The rows' bounds.
            terms: What a flat sum over rows and classes at once adds up, of any shape.
        """
        if self.kind == "none":
            return errors
        result = abs(float(np.sum(rows)))
        if not np.isfinite(result) or rows.size == 0:
            return np.zeros(()), np.zeros(())
        underflow = self.model.floor * (1.0 + self.scale)
        pair = []
        for error, best in zip(errors, (False, True), strict=True):
            summing = self._summing(rows, best)
            if terms is not None:
                summing = max(summing, self._summing(terms, best))
            rounding = summing * float(np.sum(np.abs(rows))) + (self.model.u + self.scale_error) * result
            pair.append(np.asarray((float(np.sum(clean(error))) + rounding) * self.scale + underflow))
        return pair[0], pair[1]

    def _summing(self, terms: Array, best: bool) -> float:
        return float(self.model.summing(terms.reshape(1, -1), best)[0, 0])

    def upstream(self, g: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Per row: the magnitude of the gradient that reaches it, and the absolute error of that."""
        reaching = np.broadcast_to(np.abs(g) * self.scale, shape)
        underflow = self.model.floor if self.kind == "mean" else 0.0
        return reaching, reaching * self.scale_error + underflow
