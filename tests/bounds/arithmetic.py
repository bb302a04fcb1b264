"""Floating-point arithmetic of a dtype as frameworks carry it out, on NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic import from_storage, to_storage

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Arithmetic:
    """Half types compute in float32, and round every result or the last; the others are their own."""

    dtype: str
    every: bool = True
    order: str = "numpy"

    @property
    def half(self) -> bool:
        return self.dtype in ("float16", "bfloat16")

    def take(self, array: Any) -> Array:
        """Inputs, in the type that computes."""
        return np.asarray(array).astype(np.float64 if self.dtype == "float64" else np.float32)

    def r(self, array: Array) -> Array:
        """One intermediate, rounded where the half types round it."""
        return self._stored(array) if self.every else array

    def give(self, array: Array) -> Array:
        """The result, rounded to the dtype, as float64."""
        return self._stored(array).astype(np.float64)

    def total(self, array: Array, store: bool = True) -> Array:
        """The sum over the last axis, kept: as NumPy adds, one term after the other, or in pairs of pairs."""
        if self.order == "sequential" and array.shape[-1]:
            result = np.add.accumulate(array, axis=-1)[..., -1:]
        elif self.order == "pairwise" and array.shape[-1]:
            result = array
            while result.shape[-1] > 1:
                odd = result[..., -1:] if result.shape[-1] % 2 else result[..., :0]
                even = result.shape[-1] - odd.shape[-1]
                result = np.concatenate([result[..., 0:even:2] + result[..., 1:even:2], odd], axis=-1)
        else:
            result = np.sum(array, axis=-1, keepdims=True)
        return self.r(result) if store else result

    def _stored(self, array: Array) -> Array:
        if not self.half:
            return array
        return from_storage(to_storage(array.astype(np.float64), self.dtype)).astype(array.dtype)
