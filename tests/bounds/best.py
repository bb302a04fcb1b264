"""The best known algorithms in the same precision: log1p, sums without the maximum, nothing that cancels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from bounds.arithmetic import Arithmetic, Array
from bounds.standard import (
    Arguments,
    elements,
    labels_of,
    log_logistic,
    log_sigmoid,
    logistic,
    nll_loss,
    reaching,
    reduced,
    sigmoid,
    times,
)


class Row:
    """A row of logits whose maximum, an exact 1 among the exponentials, is left out of their sum."""

    def __init__(self, a: Arithmetic, x: Array) -> None:
        self.a = a
        self.m = np.max(x, axis=-1, keepdims=True)
        self.top = np.argmax(x, axis=-1)[..., None] == np.arange(x.shape[-1])
        self.z = a.r(x - self.m)
        self.others = np.where(self.top, 0, a.r(np.exp(self.z)))
        self.rest_sum = a.total(self.others)
        self.log = a.r(np.log1p(self.rest_sum))

    @cached_property
    def y(self) -> Array:
        return self.a.r(self.z - self.log)

    @cached_property
    def p(self) -> Array:
        e = np.where(self.top, 1, self.others)
        return self.a.r(e / self.a.r(1 + self.rest_sum))

    def log_pullback(self, g: Array) -> Array:
        """g - p G; an entry with p over 1/2 is minus the sum of the others."""
        result = self.a.r(g - self.a.r(self.p * self.a.total(g)))
        return np.where(self.top & (self.p > 0.5), -self.a.total(np.where(self.top, 0, result)), result)

    def pullback(self, g: Array) -> Array:
        """p (g - sum g p), with g counted from its value at the maximum."""
        a = self.a
        shifted = a.r(g - np.sum(np.where(self.top, g, 0), axis=-1, keepdims=True))
        return a.r(self.p * a.r(shifted - a.total(a.r(shifted * self.p))))


def softmax(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    row = Row(a, a.take(arguments["x"]))
    return row.p if quantity == "value" else row.pullback(g)


def log_softmax(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    row = Row(a, a.take(arguments["x"]))
    return row.y if quantity == "value" else row.log_pullback(g)


def logsumexp(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    row = Row(a, a.take(arguments["x"]))
    return a.r(row.m + row.log)[..., 0] if quantity == "value" else a.r(row.p * g[..., None])


def cross_entropy(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x = a.take(arguments["logits"])
    smoothing, reduction = float(str(arguments.get("label_smoothing", 0.0))), arguments["reduction"]
    n = x.shape[-1]
    if np.asarray(arguments["target"]).dtype.kind == "f":
        target, kept = a.take(arguments["target"]), np.ones(x.shape[:-1], dtype=bool)
        total: Array = a.r(a.take(kept.size))
    else:
        kept, target, _, total = labels_of(a, arguments, n)
    weights = a.take(np.ones(n) if arguments.get("weight") is None else arguments["weight"])
    t = target
    if smoothing:
        t = a.r(a.r(target * a.take(1 - smoothing)) + a.take(smoothing / n)) * kept[..., None]
    row = Row(a, x)
    if quantity == "value":
        rows = a.total(a.r(times(a.r(t * weights), -row.y)))[..., 0]
        return reduced(a, np.where(kept, rows, 0), reduction, total)
    upstream = np.where(kept, reaching(a, g, reduction, total, kept.shape), 0)[..., None]
    if quantity == "gradient:target":
        return a.r(a.r(times(a.r(weights * a.take(1 - smoothing)), -row.y)) * upstream)
    return row.log_pullback(a.r(-a.r(t * weights) * upstream))


def binary_cross_entropy(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    p, t, weight = elements(a, arguments, "probs")
    reduction = arguments["reduction"]
    count = a.r(a.take(p.size))
    if quantity == "value":
        log_p, log_rest = a.r(np.log(p)), a.r(np.log1p(-p))
        loss = a.r(-a.r(times(t, log_p)) - a.r(times(a.r(1 - t), log_rest)))
        return reduced(a, a.r(loss * weight), reduction, count)
    upstream = a.r(reaching(a, g, reduction, count, p.shape) * weight)
    if quantity == "gradient:probs":
        return a.r(a.r(a.r(p - t) / a.r(p * a.r(1 - p))) * upstream)
    near = a.r(np.log1p(a.r(a.r(1 - 2 * p) / p)))
    far = a.r(a.r(np.log1p(-p)) - a.r(np.log(p)))
    return a.r(np.where(np.abs(p - 0.5) > 0.25, far, near) * upstream)


def with_logits(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x, t, weight = elements(a, arguments, "logits")
    reduction = arguments["reduction"]
    positive = a.take(1.0 if arguments.get("pos_weight") is None else arguments["pos_weight"])
    count = a.r(a.take(x.size))
    right, left, other = -log_logistic(a, -x), -log_logistic(a, x), a.r(1 - t)
    if quantity == "value":
        loss = a.r(a.r(a.r(t * positive) * left) + a.r(other * right))
        return reduced(a, a.r(loss * weight), reduction, count)
    upstream = a.r(reaching(a, g, reduction, count, x.shape) * weight)
    if quantity == "gradient:logits":
        rising, falling = a.r(other * logistic(a, x)), a.r(a.r(t * positive) * logistic(a, -x))
        return a.r(a.r(rising - falling) * upstream)
    # Of pos softplus(-x) - softplus(x) and (pos - 1) softplus(-x) - x, the one of smaller terms.
    more = a.r(positive - 1)
    first, second = a.r(a.r(positive * left) - right), a.r(a.r(more * left) - x)
    smaller = 12 * np.abs(more) * left + np.abs(x) < 12 * (right + positive * left)
    return a.r(np.where(smaller, second, first) * upstream)


BEST: dict[str, Callable[[Arithmetic, Arguments, str, Array], Array]] = {
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": with_logits,
}
