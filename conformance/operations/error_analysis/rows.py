"""Rows of classes in the error analysis: the shifted row, its sum, and the errors of both."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import cached_property

import numpy as np

from conformance.operations.error_analysis.model import Array, K, Rounding, row_sum

#: Batches of at most this many logits are shared between quantities and cases.
MAX_SHARED_LOGITS = 1 << 10


def finite_size(array: Array) -> Array:
    """The magnitude of `array`, 0 where it is infinite; nan stays."""
    return np.where(np.isinf(array), 0.0, np.abs(array))


class Rows:
    """Rows of logits along the last axis, as exact as float64 is, and the errors of computing with them.

    Infinite logits take their limit (z = 0 at a row's only +inf); a row with nan, or of -inf alone, stays
    nan, and so do its bounds until `clean`. Methods take `best`: False for the standard algorithm
    (`bound`), True for the best known one (`attainable`).

    Attributes:
        model: The rounding model.
        n: The number of logits in a row, at least 1.
        m: The maximum of each row; it, `s`, `l` and `rest` have length 1 along the last axis.
        z: x - m.
        s: The sum of exp(z).
        l: log s.
        y: z - l, log-softmax.
        p: Softmax.
        rest: 1 - p at the maximum, as the sum of the others: the subtraction would cancel.
        flushed: Relative error of s where exponentials underflow.
        summing: Relative errors of the sum of the exponentials, of the standard algorithm and the best.
    """

    def __init__(self, x: Array, model: Rounding) -> None:
        self.model = model
        self._made: dict[tuple[str, bool], Array] = {}
        self.n = x.shape[-1]
        self.m = np.max(x, axis=-1, keepdims=True)
        limit = np.where(x == self.m, 0.0, -np.inf)
        undefined = np.isneginf(self.m) & (self.n > 1)
        self.z = np.where(undefined, np.nan, np.where(np.isinf(self.m), limit, x - self.m))
        self._top = *np.indices(x.shape[:-1], sparse=True), np.argmax(x, axis=-1)
        e = np.exp(self.z)
        self.summing = model.summing(e), model.summing(e, best=True)
        e[self._top] = 0.0
        others = row_sum(e)
        self.s = 1.0 + others
        self.l = np.log1p(others)
        self.y = self.z - self.l
        self.rest = others / self.s
        # Each exp below the floor may be flushed, or rounded among the half subnormals.
        self.flushed = row_sum(np.minimum(e, model.floor)) / self.s
        self.p = e / self.s
        self._others_p = self.p
        self.p = self.with_top(self.p, 1.0 / self.s)

    def with_top(self, array: Array, value: Array | float) -> Array:
        """A copy of `array` with `value` at each row's maximum."""
        result = np.array(self._whole(array), np.float64)
        result[self._top] = value[..., 0] if isinstance(value, np.ndarray) else value
        return result

    def at_top(self, array: Array) -> Array:
        """The entry of `array` at each row's maximum, shape (..., 1)."""
        entries: Array = self._whole(array)[self._top]
        return entries[..., None]

    def _whole(self, array: Array) -> Array:
        """`array` in the shape of the logits."""
        return array if array.shape == self.z.shape else np.broadcast_to(array, self.z.shape)

    def _once(self, name: str, best: bool, make: Callable[[bool], Array]) -> Array:
        """What value and derivatives share, computed once."""
        if (name, best) not in self._made:
            self._made[name, best] = make(best)
        return self._made[name, best]

    @cached_property
    def shift_log_error(self) -> Array:
        """Error of log p from rounding x - m: u |z|."""
        return self.model.u * finite_size(self.z)

    @cached_property
    def drift(self) -> Array:
        """Relative error of s from rounding x - m: sum of p (exp(u |z|) - 1), to first order u sum p |z|."""
        error = self.shift_log_error
        # p exp(u |z|) as one power where u |z| is large: 0 times an overflow would be nan.
        far = np.exp(np.minimum(self.y + error, 0.0))
        return row_sum(np.where(error < 1, self._others_p * np.expm1(np.minimum(error, 1.0)), far))

    def sum_error(self, best: bool) -> Array:
        """Error of log s from the sum alone; the best algorithm leaves the maximum's exact 1 out of it."""
        return self._once("sum_error", best, self._sum_error)

    def _sum_error(self, best: bool) -> Array:
        rounding = K * self.model.u + self.summing[best]
        relative = self.drift + self.flushed + rounding * (self.rest if best else 1.0)
        return -np.log1p(-np.minimum(relative, 0.9))

    def log_error(self, best: bool) -> Array:
        """Absolute error of l = log s (log1p of the sum without the maximum's term, for the best)."""
        return self.sum_error(best) + K * self.model.u * self.l

    def log_softmax_error(self, best: bool) -> Array:
        """Absolute error of each y; 0 where y is infinite."""
        return self._once("log_softmax_error", best, self._log_softmax_error)

    def _log_softmax_error(self, best: bool) -> Array:
        error = self.shift_log_error + self.log_error(best) + self.model.u * finite_size(self.y)
        return np.where(np.isinf(self.y), 0.0, error + self.model.floor)

    def softmax_relative_error(self, best: bool) -> Array:
        """Relative error of each p, underflow aside; 0 where p is 0."""
        return self._once("softmax_relative_error", best, self._softmax_relative_error)

    def _softmax_relative_error(self, best: bool) -> Array:
        error = self.sum_error(best) + (self.model.u if best else 0.0)
        relative = np.expm1(self.shift_log_error + (K + 1) * self.model.u + error)
        return np.where(self.p > 0, relative, 0.0)


def rows_of(x: Array, model: Rounding) -> Rows:
    """The rows of `x`; the quantities of a case, and cases of the same logits, share small ones."""
    if x.size > MAX_SHARED_LOGITS:
        return Rows(x, model)
    return _shared_rows(x.tobytes(), x.shape, model)


@functools.lru_cache(maxsize=256)
def _shared_rows(x: bytes, shape: tuple[int, ...], model: Rounding) -> Rows:
    return Rows(np.frombuffer(x).reshape(shape), model)
