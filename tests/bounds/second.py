"""Second derivatives along the suite's direction: by double backward, and the best known way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bounds.arithmetic import Arithmetic, Array
from bounds.best import Row
from bounds.standard import (
    Arguments,
    elements,
    labels_of,
    log_softmax_row,
    logistic,
    reaching,
    softmax_row,
    times,
)
from conformance.operations import direction

Second = Callable[[Arithmetic, Arguments, Array], Array]


def along(a: Arithmetic, x: Array) -> Array:
    return a.take(direction(x.shape))


def sigmoid(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    """The derivative of s in s (1 - s), from the rounded s; 1 - s as s(-x)."""
    x = a.take(arguments["x"])
    s, rest = logistic(a, x), logistic(a, -x)
    inner = a.r(a.r(g * along(a, x)) * a.r(1 - a.r(2 * s)))
    return a.r(a.r(inner * s) * rest)


def best_sigmoid(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    """e (1 - e) / (1 + e)^3 by expm1."""
    x = a.take(arguments["x"])
    less = a.r(np.expm1(-np.abs(x)))
    e = a.r(np.exp(-np.abs(x)))
    over = a.r(1 + e)
    odd = a.r(np.where(x > 0, less, -less) / over)
    return a.r(a.r(a.r(odd * a.r(g * along(a, x))) * a.r(e / over)) / over)


def log_sigmoid(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x = a.take(arguments["x"])
    return a.r(a.r(a.r(-g * along(a, x)) * logistic(a, x)) * logistic(a, -x))


def softmax(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    """softmax_double_backward of PyTorch, then softmax's own backward."""
    x = a.take(arguments["x"])
    p, v = softmax_row(a, x), along(a, x)
    h = a.r(a.r(g * v) - a.r(a.total(a.r(p * g)) * v))
    h = a.r(h - a.r(g * a.total(a.r(p * v))))
    return a.r(p * a.r(h - a.total(a.r(p * h))))


def best_softmax(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    """The same on upstream and direction counted from their values at the maximum."""
    x = a.take(arguments["x"])
    row, v = Row(a, x), along(a, x)
    g, v = (a.r(values - np.sum(np.where(row.top, values, 0), axis=-1, keepdims=True)) for values in (g, v))
    h = a.r(a.r(g * v) - a.r(a.total(a.r(row.p * g)) * v))
    h = a.r(h - a.r(g * a.total(a.r(row.p * v))))
    return a.r(row.p * a.r(h - a.total(a.r(row.p * h))))


def apart(a: Arithmetic, p: Array, v: Array, factor: Array) -> Array:
    """factor p v - p sum(factor p v), as autodiff through log_softmax and exp has it."""
    inner = a.r(a.r(p * factor) * v)
    return a.r(inner - a.r(p * a.total(inner)))


def log_softmax(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x = a.take(arguments["x"])
    p = a.r(np.exp(log_softmax_row(a, x)))
    return apart(a, p, along(a, x), -a.total(g))


def best_log_softmax(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x = a.take(arguments["x"])
    return a.r(-a.total(g) * Row(a, x).pullback(along(a, x)))


def logsumexp(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x = a.take(arguments["x"])
    return apart(a, softmax_row(a, x), along(a, x), g[..., None])


def best_logsumexp(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x = a.take(arguments["x"])
    return a.r(g[..., None] * Row(a, x).pullback(along(a, x)))


def nll_loss(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    return np.zeros_like(a.take(arguments["log_probs"]))


def cross_entropy_by(best: bool) -> Second:
    def cross_entropy(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
        x = a.take(arguments["logits"])
        n, smoothing = x.shape[-1], float(str(arguments.get("label_smoothing", 0.0)))
        if np.asarray(arguments["target"]).dtype.kind == "f":
            target, kept = a.take(arguments["target"]), np.ones(x.shape[:-1], dtype=bool)
            total: Array = a.r(a.take(kept.size))
        else:
            kept, target, _, total = labels_of(a, arguments, n)
        weights = a.take(np.ones(n) if arguments.get("weight") is None else arguments["weight"])
        if smoothing:
            target = a.r(a.r(target * a.take(1 - smoothing)) + a.take(smoothing / n)) * kept[..., None]
        upstream = np.where(kept, reaching(a, g, arguments["reduction"], total, kept.shape), 0)[..., None]
        factor = a.total(a.r(a.r(target * weights) * upstream))
        if best:
            return a.r(factor * Row(a, x).pullback(along(a, x)))
        return apart(a, a.r(np.exp(log_softmax_row(a, x))), along(a, x), factor)

    return cross_entropy


def binary_cross_entropy(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    """t g / p / p + (1 - t) g / (1 - p) / (1 - p): upstream first, since 1 / p / p overflows a half type."""
    p, t, weight = elements(a, arguments, "probs")
    count = a.r(a.take(p.size))
    rest = a.r(1 - p)
    upstream = a.r(reaching(a, g, arguments["reduction"], count, p.shape) * weight)
    upstream = a.r(upstream * along(a, p))
    of_p, of_rest = a.r(a.r(t * upstream) / p), a.r(a.r(a.r(1 - t) * upstream) / rest)
    return a.r(a.r(of_p / p) + a.r(of_rest / rest))


def with_logits(a: Arithmetic, arguments: Arguments, g: Array) -> Array:
    x, t, weight = elements(a, arguments, "logits")
    positive = a.take(1.0 if arguments.get("pos_weight") is None else arguments["pos_weight"])
    count = a.r(a.take(x.size))
    upstream = a.r(reaching(a, g, arguments["reduction"], count, x.shape) * weight)
    both = a.r(logistic(a, x) * logistic(a, -x))
    coefficient = a.r(a.r(t * positive) + a.r(1 - t))
    return a.r(a.r(times(coefficient, both) * upstream) * along(a, x))


STANDARD_SECOND: dict[str, Second] = {
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy_by(best=False),
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": with_logits,
}
BEST_SECOND: dict[str, Second] = {
    "sigmoid": best_sigmoid,
    "softmax": best_softmax,
    "log_softmax": best_log_softmax,
    "logsumexp": best_logsumexp,
    "cross_entropy": cross_entropy_by(best=True),
}
