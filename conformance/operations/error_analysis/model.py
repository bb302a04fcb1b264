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

#: exp, log, log1p and expm1 are computed with relative error at most K unit roundoffs (2 ulps).
K = 4.0
#: Independent roundings of n terms add up to at most LAMBDA sqrt(n) units (Higham and Mary, 2019, with
#: probability 1 - 2 exp(-LAMBDA**2 / 2) = 0.9993).
LAMBDA = 4.0
#: Terms in one cell, a fraction of the sum's last place, count as rounded alike.
CELLS_PER_PLACE = 32.0
#: More terms than this are added in several chains, as Eigen does (`LeafSize` of its tree reduction).
MAX_CHAIN_TERMS = 1024.0


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
    """Rounding model of a dtype.

    Attributes:
        u: The unit roundoff.
        accumulate: The unit roundoff of a sum's additions: half types accumulate in float32.
        store: The unit roundoff of a sum's way out of that accumulator; 0 for the others.
        floor: What underflow may cost a result.
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

        In units, the smallest of: n - 1, the worst case; `LAMBDA` times the square root of n, or of the sum
        of m squared over groups of m terms that are rounded alike; and what a sum in chains may lose, which
        more than `MAX_CHAIN_TERMS` terms are added in. Zeros do not count. The best sum is pairwise, and
        loses log2(n), rounded up. Derivations: docs/error-analysis.md.

        Args:
            terms: The terms; their magnitudes count.
            best: Whether the best known algorithm adds them up.
        """
        count: Array = np.add.reduce(terms != 0, axis=-1, keepdims=True, dtype=np.float64)
        units = np.maximum(count - 1.0, 0.0)
        if best:
            units = np.ceil(np.log2(np.maximum(count, 1.0)))
        elif terms.shape[-1] > LAMBDA**2 and np.any(count > LAMBDA**2):  # below, n - 1 is the smallest
            independent = LAMBDA * np.sqrt(_dependence(np.abs(terms), self.accumulate))
            units = np.minimum(units, np.minimum(independent, np.sqrt(MAX_CHAIN_TERMS * count)))
        return units * self.accumulate + np.where(count > 1, self.store, 0.0)


def _dependence(sizes: Array, u: float) -> Array:
    """Sum of m squared over each row's groups of m terms in one cell of the sum's last place.

    A term below half that place can lose no more than itself, and counts that much less.
    """
    total = row_sum(sizes)
    place = 2.0 * u * np.exp2(np.floor(np.log2(np.where(total > 0, total, 1.0))))
    in_places = np.sort(sizes, axis=-1) / place
    cell = np.floor(CELLS_PER_PLACE * in_places)
    new = np.ones(cell.shape, dtype=bool)
    np.not_equal(cell[..., 1:], cell[..., :-1], out=new[..., 1:])
    start = np.flatnonzero(new)
    members = np.add.reduceat(np.minimum(2.0 * in_places, 1.0).reshape(-1), start)
    rows = cell.size // cell.shape[-1]
    squares = np.bincount(start // cell.shape[-1], members * members, minlength=rows)
    return squares.reshape((*cell.shape[:-1], 1))


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

    Attributes:
        formula: The formula, for bounds that are made of another quantity's.
    """

    def __init__(self, formula: Callable[[Arguments, str, Array, Rounding], Pair]) -> None:
        self.formula = formula
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
            bound, attainable = self.formula(arguments, quantity, upstream, Rounding.of(form))
            bound = clean(np.asarray(bound, dtype=np.float64))
            return bound, np.asarray(np.minimum(bound, clean(np.asarray(attainable, dtype=np.float64))))


def unknown(operation: str, quantity: str) -> ValueError:
    """The error for a quantity that an operation does not have."""
    return ValueError(f"{operation} has no quantity {quantity!r}")
