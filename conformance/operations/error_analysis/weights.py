"""Bounds of gradients with respect to weights: sums over what each weight multiplies.

Derivations: docs/error-analysis.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.operations.error_analysis.model import Array, Pair, Rounding, clean, times


@dataclass(frozen=True)
class Terms:
    """Terms of which each entry of a weight's gradient is a sum: an upstream gradient times a factor.

    Attributes:
        size: The magnitudes of the factors: losses, or parts of them, without the weight.
        errors: The absolute errors of the factors.
        reaching: The magnitude of the upstream gradient that reaches each, of the same shape.
        reaching_error: The absolute error of that.
        model: The rounding model.
    """

    size: Array
    errors: Pair
    reaching: Array
    reaching_error: Array
    model: Rounding

    def summed(self, entry: npt.NDArray[np.integer[Any]], entries: int) -> Pair:
        """The bounds of the sums over the terms of each entry.

        Args:
            entry: The index of the entry that each term belongs to, of the terms' shape.
            entries: How many there are.
        """
        model = self.model
        products = clean(times(self.reaching, self.size))
        # Two products, of which an upstream of a mean, or a factor, may have fallen among the subnormals.
        relative = self.reaching_error + 3 * model.u * self.reaching
        underflow = np.where(products > 0, model.floor * (1.0 + clean(self.size) + self.reaching), 0.0)
        flat = entry.reshape(-1)
        order = np.argsort(flat, kind="stable")
        starts = np.searchsorted(flat[order], np.arange(entries + 1))
        pair = []
        for error, best in zip(self.errors, (False, True), strict=True):
            each = clean(times(self.reaching, error) + times(relative, self.size)) + underflow
            bound = np.zeros(entries)
            for index in range(entries):
                chosen = order[starts[index] : starts[index + 1]]
                terms = products.reshape(-1)[chosen]
                if terms.size:
                    rounding = float(model.summing(terms[None, :], best)[0, 0]) * float(terms.sum())
                    bound[index] = float(each.reshape(-1)[chosen].sum()) + rounding
            pair.append(bound)
        return pair[0], pair[1]

    def joined(self, other: Terms) -> Terms:
        """The terms of both, flat: these first."""
        return Terms(
            np.append(self.size, other.size),
            (np.append(self.errors[0], other.errors[0]), np.append(self.errors[1], other.errors[1])),
            np.append(self.reaching, other.reaching),
            np.append(self.reaching_error, other.reaching_error),
            self.model,
        )

    def of_tensor(self, shape: tuple[int, ...]) -> Pair:
        """The bounds of the gradient of a tensor of this shape that is broadcast to the terms."""
        count = int(np.prod(shape))
        entry = np.broadcast_to(np.arange(count).reshape(shape), self.size.shape)
        first, second = self.summed(entry, count)
        return first.reshape(shape), second.reshape(shape)
