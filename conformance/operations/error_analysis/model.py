"""The model of rounding that every bound stands on, and the small helpers that they share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Pair = tuple[Array, Array]
Arguments = Mapping[str, object]

K = 4.0
"""exp, log, log1p and expm1 are computed with relative error at most K unit roundoffs (2 ulps)."""


class FormatLike(Protocol):
    """What the analysis asks of a floating-point format."""

    @property
    def unit_roundoff(self) -> float:
        """Half an ulp of 1."""

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number of full precision."""

    @property
    def smallest_subnormal(self) -> float:
        """The smallest positive number."""


@dataclass(frozen=True)
class Rounding:
    """A dtype's constants.

    `u` unit roundoff; `accumulate` that of a sum's additions; `store` that of a sum's way out of the float32
    accumulator of the half types; `floor` what underflow may cost one result.
    """

    u: float
    accumulate: float
    store: float
    floor: float

    @classmethod
    def of(cls, form: FormatLike) -> Rounding:
        """The constants of a format: half types accumulate in float32, float16 alone keeps its subnormals."""
        u = float(form.unit_roundoff)
        half = u > 2.0**-24
        keeps_subnormals = half and float(form.smallest_normal) > 2.0**-100
        floor = form.smallest_subnormal / 2 if keeps_subnormals else form.smallest_normal
        return cls(u, min(u, 2.0**-24), u if half else 0.0, float(floor))

    def summing(self, terms: Array, best: bool = False) -> Array:
        """Error of the sum over the last axis, kept, relative to the sum of its terms' magnitudes.

        At worst n - 1 units; 4 sqrt(n) where roundings are independent (Higham and Mary, 2019). Terms that
        agree to a fraction of the sum's last place are rounded alike, so for them n becomes the sum of the
        squares of how many agree. Last, 32 sqrt(n), for more than 1,024 terms are summed in blocks or lanes.
        Zeros do not count. The best sum is pairwise: the worst case is log2(n), rounded up.
        """
        count: Array = np.add.reduce(terms != 0, axis=-1, keepdims=True, dtype=np.float64)
        units = np.maximum(count - 1.0, 0.0)
        if best:
            units = np.ceil(np.log2(np.maximum(count, 1.0)))
        elif terms.shape[-1] > 16 and np.any(count > 16):
            random = 4.0 * np.sqrt(_alike(np.abs(terms), self.accumulate))
            units = np.minimum(units, np.minimum(random, 32.0 * np.sqrt(count)))
        return units * self.accumulate + np.where(count > 1, self.store, 0.0)


def _alike(sizes: Array, u: float) -> Array:
    """Sum of m squared over each row's groups of m terms that agree to 1/32 of the sum's last place.

    A term below half that place can lose no more than itself, and counts that much less.
    """
    total = row_sum(sizes)
    place = 2.0 * u * np.exp2(np.floor(np.log2(np.where(total > 0, total, 1.0))))
    places = np.sort(sizes, axis=-1) / place
    group = np.floor(32.0 * places)
    new = np.ones(group.shape, dtype=bool)
    np.not_equal(group[..., 1:], group[..., :-1], out=new[..., 1:])
    start = np.flatnonzero(new)
    members = np.add.reduceat(np.minimum(2.0 * places, 1.0).reshape(-1), start)
    rows = group.size // group.shape[-1]
    summed = np.bincount(start // group.shape[-1], members * members, minlength=rows)
    return summed.reshape((*group.shape[:-1], 1))


def clean(array: Array) -> Array:
    """`array` with 0 for nan and infinity, where the exact value is not finite either."""
    return np.where(np.isfinite(array), array, 0.0)


def times(coefficient: Array | float, array: Array) -> Array:
    """The product, where a coefficient of exactly 0 removes its term: 0 x inf = 0, but 0 x nan = nan."""
    return np.where((np.asarray(coefficient) == 0) & ~np.isnan(array), 0.0, coefficient * array)


def row_sum(array: Array) -> Array:
    """The sum over the last axis, which is kept with length 1."""
    result: Array = np.add.reduce(array, axis=-1, keepdims=True)
    return result


def floating(arguments: Arguments, name: str) -> Array:
    """The tensor `name` of the arguments in float64."""
    return np.asarray(arguments[name], dtype=np.float64)


def optional(arguments: Arguments, name: str) -> Array | None:
    """The tensor `name` in float64, or None where it is absent."""
    return None if arguments.get(name) is None else floating(arguments, name)


class ErrorBounds:
    """Bounds of one operation, made of a formula: no warnings, no nan, attainable <= bound.

    The formula, which this decorates, takes the arguments, the quantity, the upstream gradient and the
    rounding model; the absolute errors (bound, attainable) that it returns may be nan or infinite where the
    exact value is.
    """

    def __init__(self, formula: Callable[[Arguments, str, Array, Rounding], Pair]) -> None:
        self._formula = formula
        functools.update_wrapper(self, formula)

    def __call__(self, arguments: Arguments, quantity: str, g: Array, form: FormatLike) -> Pair:
        """Absolute errors (bound, attainable), each of the quantity's shape and finite.

        Args:
            arguments: Completed arguments, rounded to the format.
            quantity: `value`, `gradient:INPUT` or `second:INPUT`.
            g: The upstream gradient, of the result's shape.
            form: The format that is computed in.

        Raises:
            ValueError: There is no bound for this quantity.
        """
        with np.errstate(all="ignore"):
            upstream = np.asarray(g, dtype=np.float64)
            bound, attainable = self._formula(arguments, quantity, upstream, Rounding.of(form))
            bound = clean(np.asarray(bound, dtype=np.float64))
            return bound, np.asarray(np.minimum(bound, clean(np.asarray(attainable, dtype=np.float64))))


def unknown(operation: str, quantity: str) -> ValueError:
    """The error for a quantity that an operation does not have."""
    return ValueError(f"{operation} has no quantity {quantity!r}")
