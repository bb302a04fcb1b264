"""The losses: over classes, a sum of coefficients times logarithms; binary, a term an element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import inf, log, mp, mpf

from oracle.activations import sigmoid_of
from oracle.rows import Index, Row, indices_by_row, log_softmax_of, log_softmax_pull
from oracle.values import Array, number, zeros


def product(coefficient: mpf, factor: mpf) -> mpf:
    """The product, where a coefficient of 0 removes its term whatever the factor is."""
    return mpf(0) if coefficient == 0 else coefficient * factor


def spelled(parameters: dict[str, Any]) -> str:
    """The reduction meant, by its name, by its former name, or by torch's two former parameters."""
    size_average, reduce = parameters.get("size_average"), parameters.get("reduce")
    reduction = str(parameters.get("reduction", "mean"))
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    return "mean" if reduction == "elementwise_mean" else reduction


def reduced(terms: Array, divisor: mpf, reduction: str) -> Array:
    """The terms themselves, their sum, or their sum divided."""
    if reduction == "none":
        return terms
    out = np.empty((), dtype=object)
    out[()] = sum(terms.flat, mpf(0)) / (divisor if reduction == "mean" else 1)
    return out


class Classes:
    """A loss -sum_c a_c y_c over each row of scores: its coefficients a_c, and what its mean is divided by.

    With labels a mean is over the weights of the labels that count, with probabilities over the rows.
    """

    def __init__(self, scores: Array, target: Array, parameters: dict[str, Any]) -> None:
        self.scores = scores
        self.axis = 0 if scores.ndim == 1 else 1
        n = scores.shape[self.axis]
        weight = parameters.get("weight")
        self.weight = [number(1) if weight is None else number(weight[c]) for c in range(n)]
        smoothing = number(parameters.get("label_smoothing", 0.0))
        self.kept, share = 1 - smoothing, smoothing / n
        ignored = parameters.get("ignore_index", -100)
        self.reduction = spelled(parameters)
        self.coefficients: dict[Index, Row] = {}
        self.shares: dict[Index, Row] = {}  # the coefficients before the weights
        self.labels: dict[Index, int] = {}
        self.divisor = mpf(0)
        for row, indices in indices_by_row(scores.shape, self.axis):
            if target.dtype.kind != "i":
                probabilities = [number(target[p]) for p in indices]
                self.divisor += 1
            elif target[row] == ignored:
                self.coefficients[row] = self.shares[row] = [mpf(0)] * n
                continue
            else:
                probabilities = [number(c == target[row]) for c in range(n)]
                self.labels[row] = int(target[row])
                self.divisor += self.weight[target[row]]
            self.shares[row] = [self.kept * p + share for p in probabilities]
            self.coefficients[row] = [w * a for w, a in zip(self.weight, self.shares[row], strict=True)]

    def value(self, logarithms: Callable[[Row], Row]) -> Array:
        """The loss, where a row's logarithms of probabilities are that function of its scores."""
        terms = zeros(tuple(np.delete(self.scores.shape, self.axis)))
        for row, indices in indices_by_row(self.scores.shape, self.axis):
            y = logarithms([number(self.scores[p]) for p in indices])
            terms[row] = -sum(product(a, b) for a, b in zip(self.coefficients[row], y, strict=True))
        return reduced(terms, self.divisor, self.reduction)

    def gradient(self, pull: Callable[[Row, Row], Row]) -> Array:
        """The gradient, where that of sum_c a_c y_c is that function of a row's coefficients and scores."""
        out = zeros(self.scores.shape)
        for row, indices in indices_by_row(self.scores.shape, self.axis):
            slopes = pull(self.coefficients[row], [number(self.scores[p]) for p in indices])
            for p, slope in zip(indices, slopes, strict=True):
                out[p] = -slope / (self.divisor if self.reduction == "mean" else 1)
        return out

    def weight_gradient(self, logarithms: Callable[[Row], Row]) -> Array:
        """The slope in each weight w_c: the loss is sum_c w_c n_c, its mean that over sum_c w_c d_c."""
        totals, counts = [mpf(0)] * len(self.weight), [0] * len(self.weight)
        for row, indices in indices_by_row(self.scores.shape, self.axis):
            y = logarithms([number(self.scores[p]) for p in indices])
            totals = [n - product(a, b) for n, a, b in zip(totals, self.shares[row], y, strict=True)]
            if row in self.labels:
                counts[self.labels[row]] += 1
        if self.reduction == "mean" and not self.labels:
            totals = [n / self.divisor for n in totals]
        elif self.reduction == "mean":
            totals = [self.quotient_slope(c, totals, counts) for c in range(len(totals))]
        return np.array(totals, dtype=object)

    def quotient_slope(self, c: int, totals: Row, counts: list[int]) -> mpf:
        """sum_k w_k (n_c d_k - n_k d_c) / D^2; what is left where the terms cancel is none but rounding."""
        terms = [
            w * (totals[c] * d - n * counts[c]) for w, n, d in zip(self.weight, totals, counts, strict=True)
        ]
        largest = max(abs(w * n * d) for w in self.weight for n in totals for d in counts)
        rounding = largest * mpf(2) ** (64 - mp.prec)
        return mpf(0) if abs(sum(terms)) <= rounding else sum(terms) / self.divisor**2


def nll_loss(log_probs: Array, target: Array, **parameters: Any) -> Array:
    """Minus the label's score."""
    return Classes(log_probs, target, parameters).value(lambda row: row)


def nll_loss_gradient(log_probs: Array, target: Array, **parameters: Any) -> Array:
    """The loss is linear in the scores."""
    return Classes(log_probs, target, parameters).gradient(lambda a, row: a)


def nll_loss_weight_gradient(log_probs: Array, target: Array, **parameters: Any) -> Array:
    """The slope in each class's weight."""
    return Classes(log_probs, target, parameters).weight_gradient(lambda row: row)


def left_in(logits: Array, target: Array, parameters: dict[str, Any]) -> tuple[Array, Array, dict[str, Any]]:
    """The arguments with -inf for the logits that `where` does not hold true for."""
    where = parameters.get("where")
    if where is None:
        return logits, target, parameters
    filled = np.where(where, logits, logits.dtype.type(-np.inf) if logits.dtype != object else -inf)
    return filled, target, {name: value for name, value in parameters.items() if name != "where"}


def cross_entropy(logits: Array, target: Array, **parameters: Any) -> Array:
    """Minus the target's expectation of log-softmax."""
    return Classes(*left_in(logits, target, parameters)).value(log_softmax_of)


def cross_entropy_gradient(logits: Array, target: Array, **parameters: Any) -> Array:
    """By the derivative of log-softmax."""
    return Classes(*left_in(logits, target, parameters)).gradient(log_softmax_pull)


def cross_entropy_target_gradient(logits: Array, target: Array, **parameters: Any) -> Array:
    """The loss is linear in the probabilities: an entry's slope is -w_c (1 - smoothing) log p_c."""
    loss = Classes(*left_in(logits, target, parameters))
    scale = [w * loss.kept for w in loss.weight]
    return loss.gradient(
        lambda _, row: [product(*pair) for pair in zip(scale, log_softmax_of(row), strict=True)]
    )


def cross_entropy_weight_gradient(logits: Array, target: Array, **parameters: Any) -> Array:
    """The slope in each class's weight."""
    return Classes(*left_in(logits, target, parameters)).weight_gradient(log_softmax_of)


Term = Callable[[mpf, mpf, mpf], mpf]


def elementwise(term: Term, scores: Array, target: Array, parameters: dict[str, Any]) -> Array:
    """weight * term(score, target, pos_weight) of each element."""

    def stretched(name: str) -> Array:
        given = parameters.get(name)
        return np.broadcast_to(np.ones(()) if given is None else given, scores.shape)

    weight, pos_weight = stretched("weight"), stretched("pos_weight")
    out = zeros(scores.shape)
    for i in np.ndindex(scores.shape):
        t = term(number(scores[i]), number(target[i]), number(pos_weight[i]))
        out[i] = product(number(weight[i]), t)
    return out


def binary_loss(term: Term) -> Callable[..., Array]:
    """The loss with that term an element; its mean is over the number of elements."""

    def loss(scores: Array, target: Array, **parameters: Any) -> Array:
        terms = elementwise(term, scores, target, parameters)
        return reduced(terms, mpf(terms.size), spelled(parameters))

    return loss


def binary_gradient(slope: Term) -> Callable[..., Array]:
    """The gradient of a binary loss whose terms have that slope."""

    def gradient(scores: Array, target: Array, **parameters: Any) -> Array:
        slopes = elementwise(slope, scores, target, parameters)
        divisor = slopes.size if spelled(parameters) == "mean" else 1
        for i in np.ndindex(slopes.shape):
            slopes[i] /= divisor
        return slopes

    return gradient


def factor_gradient(name: str, slope: Term) -> Callable[..., Array]:
    """The gradient with respect to `weight` or `pos_weight`, where each element's share of it is that slope.

    An element of a factor that was stretched over several elements of the loss gets the sum of their shares.
    """

    def gradient(scores: Array, target: Array, **parameters: Any) -> Array:
        kept = parameters if name == "pos_weight" else {**parameters, name: None}
        slopes = elementwise(slope, scores, target, kept)
        divisor = slopes.size if spelled(parameters) == "mean" else 1
        given = parameters[name]
        out = zeros(given.shape)
        sources = np.broadcast_to(np.arange(given.size).reshape(given.shape), scores.shape)
        for i in np.ndindex(slopes.shape):
            out[np.unravel_index(sources[i], given.shape)] += slopes[i] / divisor
        return out

    return gradient


def logarithm(p: mpf) -> mpf:
    """The logarithm, -inf at 0."""
    return -inf if p == 0 else log(p)


def bce_term(p: mpf, t: mpf, _: mpf) -> mpf:
    """-(t log p + (1 - t) log(1 - p))."""
    return -product(t, logarithm(p)) - product(1 - t, logarithm(1 - p))


def bce_slope(p: mpf, t: mpf, _: mpf) -> mpf:
    """-t / p + (1 - t) / (1 - p), brought over one denominator where both terms are there."""
    if t == 0:
        return 1 / (1 - p)
    if t == 1:
        return -1 / p
    return (p - t) / (p * (1 - p))


def bce_target_slope(p: mpf, t: mpf, _: mpf) -> mpf:
    """log(1 - p) - log p."""
    return logarithm(1 - p) - logarithm(p)


def logits_term(x: mpf, t: mpf, pos: mpf) -> mpf:
    """-(pos t log s(x) + (1 - t) log(1 - s(x))), where 1 - s(x) = s(-x)."""
    return -product(pos * t, log(sigmoid_of(x))) - product(1 - t, log(sigmoid_of(-x)))


def logits_slope(x: mpf, t: mpf, pos: mpf) -> mpf:
    """-pos t s(-x) + (1 - t) s(x): the derivative of log s is 1 - s."""
    return (1 - t) * sigmoid_of(x) - pos * t * sigmoid_of(-x)


def logits_target_slope(x: mpf, t: mpf, pos: mpf) -> mpf:
    """log s(-x) - pos log s(x), where log s(-x) - log s(x) is -x exactly."""
    return (1 - pos) * log(sigmoid_of(x)) - x


def logits_pos_weight_slope(x: mpf, t: mpf, _: mpf) -> mpf:
    """-t log s(x)."""
    return -product(t, log(sigmoid_of(x)))


VALUES: dict[str, Callable[..., Array]] = {
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_loss(bce_term),
    "binary_cross_entropy_with_logits": binary_loss(logits_term),
}
GRADIENTS: dict[tuple[str, str], Callable[..., Array]] = {
    ("nll_loss", "log_probs"): nll_loss_gradient,
    ("cross_entropy", "logits"): cross_entropy_gradient,
    ("cross_entropy", "target"): cross_entropy_target_gradient,
    ("binary_cross_entropy", "probs"): binary_gradient(bce_slope),
    ("binary_cross_entropy", "target"): binary_gradient(bce_target_slope),
    ("binary_cross_entropy_with_logits", "logits"): binary_gradient(logits_slope),
    ("binary_cross_entropy_with_logits", "target"): binary_gradient(logits_target_slope),
    ("nll_loss", "weight"): nll_loss_weight_gradient,
    ("cross_entropy", "weight"): cross_entropy_weight_gradient,
    ("binary_cross_entropy", "weight"): factor_gradient("weight", bce_term),
    ("binary_cross_entropy_with_logits", "weight"): factor_gradient("weight", logits_term),
    ("binary_cross_entropy_with_logits", "pos_weight"): factor_gradient(
        "pos_weight", logits_pos_weight_slope
    ),
}
