"""The standard stable algorithms, every operation and gradient, as a framework would write them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bounds.arithmetic import Arithmetic, Array

Arguments = dict[str, object]


def log_sum(a: Arithmetic, x: Array) -> tuple[Array, Array]:
    """The shifted row, and the logarithm of the sum of its exponentials."""
    z = a.r(x - np.max(x, axis=-1, keepdims=True))
    return z, a.r(np.log(a.total(a.r(np.exp(z)))))


def log_softmax_row(a: Arithmetic, x: Array) -> Array:
    z, log = log_sum(a, x)
    return a.r(z - log)


def softmax_row(a: Arithmetic, x: Array) -> Array:
    e = a.r(np.exp(a.r(x - np.max(x, axis=-1, keepdims=True))))
    return a.r(e / a.total(e))


def log_softmax_pullback(a: Arithmetic, y: Array, g: Array) -> Array:
    return a.r(g - a.r(a.r(np.exp(y)) * a.total(g)))


def softmax(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    p = softmax_row(a, a.take(arguments["x"]))
    return p if quantity == "value" else a.r(p * a.r(g - a.total(a.r(g * p))))


def log_softmax(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    y = log_softmax_row(a, a.take(arguments["x"]))
    return y if quantity == "value" else log_softmax_pullback(a, y, g)


def logsumexp(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x = a.take(arguments["x"])
    if quantity == "value":
        return a.r(np.max(x, axis=-1, keepdims=True) + log_sum(a, x)[1])[..., 0]
    return a.r(softmax_row(a, x) * g[..., None])


def logistic(a: Arithmetic, x: Array) -> Array:
    e = a.r(np.exp(-np.abs(x)))
    return a.r(np.where(x < 0, e, np.ones_like(e)) / a.r(1 + e))


def log_logistic(a: Arithmetic, x: Array) -> Array:
    return a.r(np.minimum(x, 0) - a.r(np.log1p(a.r(np.exp(-np.abs(x))))))


def sigmoid(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x = a.take(arguments["x"])
    return logistic(a, x) if quantity == "value" else a.r(a.r(g * logistic(a, x)) * logistic(a, -x))


def log_sigmoid(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x = a.take(arguments["x"])
    return log_logistic(a, x) if quantity == "value" else a.r(g * logistic(a, -x))


def reduced(a: Arithmetic, rows: Array, reduction: object, weight: Array) -> Array:
    """The rows, or their sum, or that over `weight`: a mean leaves the accumulator once, at its end."""
    if reduction == "none":
        return rows
    total = a.total(rows.reshape(-1), store=reduction == "sum")[0]
    return total if reduction == "sum" else a.r(total / weight)


def reaching(a: Arithmetic, g: Array, reduction: object, weight: Array, shape: tuple[int, ...]) -> Array:
    """The upstream gradient of each row."""
    return np.broadcast_to(a.r(g / weight) if reduction == "mean" else g, shape)


def labels_of(a: Arithmetic, arguments: Arguments, classes: int) -> tuple[Array, Array, Array, Array]:
    """Which rows are kept, one-hot labels, the rows' weights, and their sum."""
    target = np.asarray(arguments["target"])
    kept = target != arguments.get("ignore_index", -100)
    index = np.where(kept, target, 0)
    hot = a.take(np.arange(classes) == index[..., None]) * kept[..., None]
    weights = np.ones(classes) if arguments.get("weight") is None else arguments["weight"]
    weight = np.where(kept, a.take(weights)[index], a.take(0.0))
    return kept, hot, weight, a.total(weight.reshape(-1))[0]


def nll_loss(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
    x = a.take(arguments["log_probs"])
    kept, hot, weight, total = labels_of(a, arguments, x.shape[-1])
    if quantity == "value":
        picked = np.where(kept, np.sum(np.where(hot != 0, x, 0), axis=-1), 0)
        return reduced(a, a.r(-picked * weight), arguments["reduction"], total)
    upstream = a.r(reaching(a, g, arguments["reduction"], total, kept.shape) * weight)
    return np.where(hot != 0, -upstream[..., None], 0)


def times(coefficient: Array, x: Array) -> Array:
    return np.where(coefficient == 0, 0, coefficient * x)


def cross_entropy_by(way: str) -> Callable[[Arithmetic, Arguments, str, Array], Array]:
    """`composed` (log_softmax, then the loss, and back), or `fused` (p - t times the upstream)."""

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
        y = log_softmax_row(a, x)
        if quantity == "value":
            rows = a.total(a.r(times(a.r(t * weights), -y)))[..., 0]
            return reduced(a, np.where(kept, rows, 0), reduction, total)
        upstream = np.where(kept, reaching(a, g, reduction, total, kept.shape), 0)[..., None]
        if quantity == "gradient:target":
            return a.r(a.r(times(a.r(weights * a.take(1 - smoothing)), -y)) * upstream)
        coefficient = a.r(t * weights)
        if way == "composed":
            return log_softmax_pullback(a, y, a.r(-coefficient * upstream))
        p = softmax_row(a, x)
        return a.r(a.r(a.r(p * a.total(coefficient)) - coefficient) * upstream)

    return cross_entropy


def elements(a: Arithmetic, arguments: Arguments, name: str) -> tuple[Array, Array, Array]:
    x, t = a.take(arguments[name]), a.take(arguments["target"])
    weight = np.ones(x.shape) if arguments.get("weight") is None else arguments["weight"]
    return x, t, np.broadcast_to(a.take(weight), x.shape)


def binary_cross_entropy_by(way: str) -> Callable[[Arithmetic, Arguments, str, Array], Array]:
    """`together` differentiates to (p - t) / (p (1 - p)), `apart` to -t / p + (1 - t) / (1 - p)."""

    def binary_cross_entropy(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
        p, t, weight = elements(a, arguments, "probs")
        reduction = arguments["reduction"]
        count = a.r(a.take(p.size))
        rest, other = a.r(1 - p), a.r(1 - t)
        if quantity == "value":
            log_p, log_rest = a.r(np.log(p)), a.r(np.log(rest))
            loss = a.r(-a.r(times(t, log_p)) - a.r(times(other, log_rest)))
            return reduced(a, a.r(loss * weight), reduction, count)
        upstream = a.r(reaching(a, g, reduction, count, p.shape) * weight)
        if quantity == "gradient:target":
            return a.r(a.r(a.r(np.log(rest)) - a.r(np.log(p))) * upstream)
        if way == "together":
            return a.r(a.r(a.r(p - t) / a.r(p * rest)) * upstream)
        left, right = a.r(a.r(t * upstream) / p), a.r(a.r(other * upstream) / rest)
        return a.r(right - left)

    return binary_cross_entropy


def with_logits_by(way: str) -> Callable[[Arithmetic, Arguments, str, Array], Array]:
    """`apart` adds up the two logarithms; `difference` is max(x, 0) - x t + log(1 + exp(-|x|)).

    `ramps` differs from it where there is a positive weight, and is then TensorFlow's documented
    (1 - t) x + (1 + (q - 1) t) (log(1 + exp(-|x|)) + max(-x, 0)), its gradient term by term.
    """

    def with_logits(a: Arithmetic, arguments: Arguments, quantity: str, g: Array) -> Array:
        x, t, weight = elements(a, arguments, "logits")
        reduction = arguments["reduction"]
        positive = a.take(1.0 if arguments.get("pos_weight") is None else arguments["pos_weight"])
        count = a.r(a.take(x.size))
        right, left, other = log_logistic(a, x), log_logistic(a, -x), a.r(1 - t)
        if quantity == "value":
            if way in ("difference", "ramps") and arguments.get("pos_weight") is None:
                q = a.r(np.log1p(a.r(np.exp(-np.abs(x)))))
                loss = a.r(a.r(np.maximum(x, 0) - a.r(x * t)) + q)
            else:
                loss = a.r(-a.r(a.r(t * positive) * right) - a.r(other * left))
            return reduced(a, a.r(loss * weight), reduction, count)
        upstream = a.r(reaching(a, g, reduction, count, x.shape) * weight)
        if quantity == "gradient:target":
            return a.r(a.r(left - a.r(positive * right)) * upstream)
        if way == "ramps" and arguments.get("pos_weight") is not None:
            scale, share = a.r(1 + a.r(a.r(positive - 1) * t)), logistic(a, -np.abs(x))
            ramp, curve = np.where(x < 0, -scale, 0), a.r(scale * np.where(x < 0, share, -share))
            return a.r(a.r(a.r(other + ramp) + curve) * upstream)
        if way in ("difference", "ramps"):
            scale, most = a.r(a.r(t * positive) + other), a.r(t * positive)
            return a.r(a.r(a.r(scale * logistic(a, x)) - most) * upstream)
        rising, falling = a.r(other * logistic(a, x)), a.r(a.r(t * positive) * logistic(a, -x))
        return a.r(a.r(rising - falling) * upstream)

    return with_logits


STANDARD: dict[str, dict[str, Callable[[Arithmetic, Arguments, str, Array], Array]]] = {
    "sigmoid": {"": sigmoid},
    "log_sigmoid": {"": log_sigmoid},
    "softmax": {"": softmax},
    "log_softmax": {"": log_softmax},
    "logsumexp": {"": logsumexp},
    "nll_loss": {"": nll_loss},
    "cross_entropy": {way: cross_entropy_by(way) for way in ("composed", "fused")},
    "binary_cross_entropy": {way: binary_cross_entropy_by(way) for way in ("together", "apart")},
    "binary_cross_entropy_with_logits": {
        way: with_logits_by(way) for way in ("apart", "difference", "ramps")
    },
}
