"""Wrong in NumPy: functions of arrays, some of which offer a gradient as their attribute `gradient`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from right.elsewhere import right_numpy_logsumexp, right_numpy_softmax
from table import Function, wrong

Array = np.ndarray[Any, Any]


def offering(gradient: Callable[..., dict[str, Array]]) -> Callable[[Function], Function]:
    """Gives a function the gradient that it offers."""

    def decorate(function: Function) -> Function:
        function.gradient = gradient  # type: ignore[attr-defined]
        return function

    return decorate


def stable_sigmoid(x: Array) -> Array:
    """The right one."""
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, np.ones_like(z)) / (1 + z)


def finite_maximum(x: Array, axis: int) -> Array:
    """The maximum where it is finite, else 0, so that nothing is inf - inf."""
    m = x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(m), m, np.zeros_like(m))


def stable_softmax(x: Array, axis: int) -> Array:
    """The right one, for scores below infinity."""
    z = np.exp(x - finite_maximum(x, axis))
    return z / z.sum(axis=axis, keepdims=True)


@wrong("sigmoid", "gradients", "tail", framework="numpy")
@offering(lambda upstream, x: {"x": upstream * stable_sigmoid(x) * (1 - stable_sigmoid(x))})
def sigmoid_gradient_cancels(x: Array) -> Array:
    """The gradient is s (1 - s) of the rounded s: 0 in the upper tail."""
    return stable_sigmoid(x)


@wrong("sigmoid", "numerics", "overflow", "nan", framework="numpy")
def sigmoid_of_the_tutorials(x: Array) -> Array:
    """exp(x) / (exp(x) + 1), as the tutorials have it."""
    with np.errstate(all="ignore"):
        return np.exp(x) / (np.exp(x) + 1)


@wrong("softmax", "numerics", "overflow", "maximum", framework="numpy")
def softmax_of_the_tutorials(x: Array, *, axis: int = -1) -> Array:
    """exp(x) / sum exp(x), as the tutorials have it."""
    with np.errstate(all="ignore"):
        return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


@wrong("softmax", "numerics", "maximum", "row", framework="numpy")
def softmax_global_maximum(x: Array, *, axis: int = -1) -> Array:
    """np.max(x) without an axis: the maximum of everything."""
    with np.errstate(all="ignore"):
        z = np.exp(x - np.max(x)) if x.size else x
        return z / z.sum(axis=axis, keepdims=True)


@wrong("softmax", "gradients", "everywhere", framework="numpy")
@offering(lambda upstream, x, axis=-1: {"x": upstream * stable_softmax(x, axis)})
def softmax_gradient_without_the_sum(x: Array, *, axis: int = -1) -> Array:
    """The gradient is p g: the term with the sum over p g is missing."""
    if np.isposinf(x).any():
        raise NotImplementedError("finite scores only")
    with np.errstate(all="ignore"):
        return stable_softmax(x, axis)


@wrong("softmax", "semantics", "dtype", "float64", framework="numpy")
def softmax_returns_float64(x: Array, *, axis: int = -1) -> Array:
    """Returns float64 whatever comes in."""
    with np.errstate(all="ignore"):
        return stable_softmax(np.asarray(x, np.float64), axis)


@wrong("logsumexp", "numerics", "classes", framework="numpy")
def logsumexp_running_sum(x: Array, *, axis: int = -1) -> Array:
    """A running sum from left to right in the dtype that comes in."""
    with np.errstate(all="ignore"):
        m = finite_maximum(x, axis)
        total = np.add.accumulate(np.exp(x - m), axis=axis, dtype=x.dtype)
        last = np.take(total, -1, axis=axis) if x.shape[axis] else total.sum(axis=axis)
        return np.log(last) + m.squeeze(axis)


@wrong("logsumexp", "numerics", "classes", framework="numpy")
def logsumexp_one_by_one(x: Array, *, axis: int = -1) -> Array:
    """np.logaddexp.reduce: a logarithm is rounded at every step."""
    with np.errstate(all="ignore"):
        return np.logaddexp.reduce(x, axis=axis, initial=-np.inf).astype(x.dtype)


@wrong("log_softmax", "numerics", "underflow", "infinit", framework="numpy")
def log_softmax_log_of_softmax_numpy(x: Array, *, axis: int = -1) -> Array:
    """log(softmax(x)): minus infinity where softmax underflows."""
    with np.errstate(all="ignore"):
        return np.log(stable_softmax(x, axis))


@wrong("one_hot", "error handling", "negative", "label", "wrap", framework="numpy")
def one_hot_by_the_identity(target: Array, *, num_classes: int) -> Array:
    """np.eye(n)[target]: label -1 is the last class."""
    return np.eye(num_classes, dtype=np.int64)[target]


@wrong("cross_entropy", "error handling", "negative", "label", "wrap", framework="numpy")
def cross_entropy_by_indexing(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """log_probs[arange(N), target]: label -1 is the last class."""
    if logits.ndim != 2 or target.dtype.kind == "f":
        raise NotImplementedError("labels of (N, C) logits only")
    with np.errstate(all="ignore"):
        z = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
        log_probs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        rows = -log_probs[np.arange(len(target)), target]
        return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


@wrong("binary_cross_entropy", "numerics", "next to 0", "0 or 1", framework="numpy")
def binary_of_the_tutorials(probs: Array, target: Array, *, reduction: str = "mean") -> Array:
    """-(t log(p + 1e-9) + (1 - t) log(1 - p + 1e-9)), as the tutorials have it."""
    with np.errstate(all="ignore"):
        rows = -(target * np.log(probs + 1e-9) + (1 - target) * np.log(1 - probs + 1e-9)).astype(probs.dtype)
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


def _scalar_upstream_is_one(
    upstream: Array, logits: Array, target: Array, reduction: str = "mean"
) -> dict[str, Array]:
    upstream = upstream if reduction == "none" else np.ones_like(upstream)
    count = logits.size if reduction == "mean" else 1
    return {"logits": (upstream * (stable_sigmoid(logits) - target) / count).astype(logits.dtype)}


@wrong(
    "binary_cross_entropy_with_logits",
    "gradients",
    "upstream",
    framework="numpy",
)
@offering(_scalar_upstream_is_one)
def numpy_scalar_upstream_is_ignored(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """The gradient that it offers looks at the upstream gradient of the rows alone."""
    with np.errstate(all="ignore"):
        x, t = np.asarray(logits, np.float64), np.asarray(target, np.float64)
        rows = np.where(t == 0, 0, t * np.logaddexp(0, -x)) + np.where(
            t == 1, 0, (1 - t) * np.logaddexp(0, x)
        )
    if reduction not in ("none", "sum", "mean") or logits.shape != target.shape:
        raise ValueError("an unknown reduction, or a target of another shape")
    rows = rows.astype(np.promote_types(logits.dtype, target.dtype))
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


@wrong(
    "softmax",
    "semantics",
    "padded",
    "wider buffer",
    framework="numpy",
)
def numpy_rows_at_their_length(x: Array, *, axis: int = -1) -> Array:
    """Rows of a wider buffer are read one behind the other (a pointer, and the row's length)."""
    with np.errstate(all="ignore"):
        if x.ndim == 2 and x.strides[1] == x.itemsize and x.strides[0] > x.shape[1] * x.itemsize > x.itemsize:
            x = np.lib.stride_tricks.as_strided(x, x.shape, (x.shape[1] * x.itemsize, x.itemsize))
        return right_numpy_softmax(x, axis=axis)


@wrong(
    "logsumexp",
    "numerics",
    "below",
    "underflows",
    framework="numpy",
)
def numpy_logsumexp_starts_at_minus_1e30(x: Array, *, axis: int = -1) -> Array:
    """The maximum starts at -1e30, as `max(initial=-1e30)` has it."""
    with np.errstate(all="ignore"):
        if not x.size or not (np.isfinite(x) & (x < -1e30)).all(axis=axis).any():
            return right_numpy_logsumexp(x, axis=axis)
        m = x.max(axis=axis, keepdims=True, initial=-1e30)
        return (np.log(np.exp(x - m).sum(axis=axis)) + m.squeeze(axis)).astype(x.dtype)


@wrong(
    "sigmoid",
    "semantics",
    "three axes",
    "more than two axes",
    framework="numpy",
)
def numpy_sigmoid_of_three_axes_is_turned(x: Array) -> Array:
    """On three axes the last two are exchanged, under the old shape."""
    y = stable_sigmoid(x)
    return y.transpose(0, 2, 1).reshape(y.shape) if y.ndim == 3 else y
