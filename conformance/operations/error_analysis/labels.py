"""Labels of a loss over classes, as bounds need them: which count, with what weight, over what divisor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import EllipsisType

import numpy as np
import numpy.typing as npt

from conformance.operations.error_analysis.model import Arguments, Array, Mask, Pair, Rounding, optional
from conformance.operations.error_analysis.reduction import Reduction, reduction_of


@dataclass(frozen=True)
class Labels:
    """Labels of a loss over classes, one a row.

    Attributes:
        kept: Whether each label is not ignored.
        index: The labels with a last axis of length 1; 0 where ignored or out of range.
        weight: The class weight of each label; 0 where ignored.
        reduction: The reduction over the rows.
    """

    kept: Mask
    index: npt.NDArray[np.int64]
    weight: Array
    reduction: Reduction

    @classmethod
    def of(cls, arguments: Arguments, classes: int, model: Rounding) -> Labels:
        """The labels of a call over `classes` classes."""
        target = np.asarray(arguments["target"])
        kept = target != arguments.get("ignore_index", -100)
        index = np.where(kept & (target >= 0) & (target < classes), target, 0).astype(np.int64)
        weights = optional(arguments, "weight")
        weight = np.where(kept, 1.0 if weights is None else weights[index], 0.0)
        total = float(np.sum(weight))
        error = 0.0
        if weights is not None and total:
            error = (
                float(np.sum(np.abs(weight))) / abs(total) * float(model.summing(weight.reshape(1, -1))[0, 0])
            )
        reduction = Reduction(reduction_of(arguments), model, total, error)
        return cls(kept, index[..., None], weight, reduction)

    def part(self, rows: slice | EllipsisType) -> Labels:
        """The labels of these rows alone."""
        return replace(self, kept=self.kept[rows], index=self.index[rows], weight=self.weight[rows])

    def pick(self, array: Array) -> Array:
        """The entry of `array` (..., n) at each row's label."""
        return np.take_along_axis(array, self.index, axis=-1)[..., 0]

    def spread(self, values: Array, classes: int) -> Array:
        """Zeros of shape (..., n) with `values` at the labels of the rows kept."""
        result = np.zeros((*self.kept.shape, classes))
        np.put_along_axis(result, self.index, np.where(self.kept, values, 0.0)[..., None], axis=-1)
        return result


def class_rows(array: Array) -> Array:
    """`array` with the class axis (1, or 0 for one dimension) last."""
    return array if array.ndim <= 2 else np.moveaxis(array, 1, -1)


def from_class_rows(pair: Pair) -> Pair:
    """The way back from `class_rows`."""
    if pair[0].ndim <= 2:
        return pair
    return np.moveaxis(pair[0], -1, 1), np.moveaxis(pair[1], -1, 1)
