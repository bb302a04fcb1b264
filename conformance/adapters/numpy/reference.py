"""The readable reference: what each operation is, in NumPy, by the standard stable algorithm.

NumPy has no autograd: the gradients are written by hand beside the functions, as their attribute
``gradient``. It takes the upstream gradient and the function's own arguments, and returns gradients by
input name. Arrays are float32 or float64, labels are integers.
"""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..base import Array, Function, Unsupported, counted

Gradients = Dict[str, Array]


def with_gradient(gradient: Callable[..., Gradients]) -> Callable[[Function], Function]:
    """Give a function its gradient, by hand."""

    def decorate(function: Function) -> Function:
        function.gradient = gradient  # type: ignore[attr-defined]
        return function

    return decorate


def times(coefficient: Array, term: Array) -> Array:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0. A nan stays."""
    return np.where((coefficient == 0) & np.isinf(term), 0, coefficient * term).astype(term.dtype)


# Of one number.


def sigmoid_gradient(upstream: Array, x: Array) -> Gradients:
    return {"x": upstream * sigmoid(x) * sigmoid(-x)}


@with_gradient(sigmoid_gradient)
def sigmoid(x: Array) -> Array:
    exp = np.exp(-np.abs(x))
    return np.where(x < 0, exp, 1).astype(x.dtype) / (1 + exp)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log_sigmoid_gradient(upstream: Array, x: Array) -> Gradients:
    return {"x": upstream * sigmoid(-x)}


@with_gradient(log_sigmoid_gradient)
def log_sigmoid(x: Array) -> Array:
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


# Of a row of scores. A maximum that occurs once shifts to 0 even if it is infinite.


def with_rows(function: Function) -> Function:
    """The function for zero-dimensional arrays too, each a row of one."""

    @functools.wraps(function)
    def of_rows(*arrays: Array, axis: int = -1) -> Any:
        if arrays[-1].ndim:
            return function(*arrays, axis=axis)
        result = function(*[array.reshape(1) for array in arrays], axis=axis)
        if isinstance(result, dict):
            return {name: array.reshape(()) for name, array in result.items()}
        return result.reshape(())

    return of_rows


def filled(x: Array, where: Optional[Array]) -> Array:
    """-inf in the place of what a mask leaves out."""
    return x if where is None else np.where(where, x, -np.inf).astype(x.dtype)


def with_mask(function: Function) -> Function:
    """The function of scores that a mask leaves; what it gives by input's name is 0 at the others.

    Arrays before the scores, upstream gradients and directions, count as 0 there where they have their shape.
    """

    def of_the_rest(*arrays: Array, axis: int = -1, where: Optional[Array] = None) -> Any:
        if where is None:
            return function(*arrays, axis=axis)
        *flows, x = arrays
        flows = [
            np.where(where, each, 0).astype(x.dtype) if each.shape == x.shape else each for each in flows
        ]
        result = function(*flows, filled(x, where), axis=axis)
        if isinstance(result, dict):
            return {name: np.where(where, array, 0).astype(x.dtype) for name, array in result.items()}
        return result

    return of_the_rest


def shifted(x: Array, axis: int) -> Tuple[Array, Array]:
    """x less its maximum, and the maximum."""
    highest = x.max(axis=axis, keepdims=True, initial=-np.inf)
    alone = (x == highest).sum(axis=axis, keepdims=True) == 1
    return np.where((x == highest) & alone, 0, x - highest).astype(x.dtype), highest


@with_mask
@with_rows
def softmax_gradient(upstream: Array, x: Array, *, axis: int = -1) -> Gradients:
    p = softmax(x, axis=axis)
    to_x = p * (upstream - (p * upstream).sum(axis=axis, keepdims=True))
    return {"x": np.where(p == 0, 0, to_x).astype(x.dtype)}


@with_gradient(softmax_gradient)
@with_mask
@with_rows
def softmax(x: Array, *, axis: int = -1) -> Array:
    z, _ = shifted(x, axis)
    exp = np.exp(z)
    return np.where(np.isneginf(z), 0, exp / exp.sum(axis=axis, keepdims=True)).astype(x.dtype)


@with_mask
@with_rows
def log_softmax_gradient(upstream: Array, x: Array, *, axis: int = -1) -> Gradients:
    return {"x": upstream - softmax(x, axis=axis) * upstream.sum(axis=axis, keepdims=True)}


@with_gradient(log_softmax_gradient)
@with_mask
@with_rows
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    z, _ = shifted(x, axis)
    return np.where(np.isneginf(z), z, z - np.log(np.exp(z).sum(axis=axis, keepdims=True)))


@with_mask
@with_rows
def logsumexp_gradient(upstream: Array, x: Array, *, axis: int = -1) -> Gradients:
    return {"x": np.expand_dims(upstream, axis) * softmax(x, axis=axis)}


@with_gradient(logsumexp_gradient)
@with_mask
@with_rows
def logsumexp(x: Array, *, axis: int = -1) -> Array:
    z, highest = shifted(x, axis)
    total = np.log(np.exp(z).sum(axis=axis, keepdims=True))
    return np.where(np.isinf(highest), highest, highest + total).squeeze(axis)


# Of labels.


def check_labels(labels: Array, num_classes: int) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
        raise IndexError("a label lies outside 0 .. {}".format(num_classes - 1))


def one_hot(target: Array, *, num_classes: int) -> Array:
    counted(num_classes)
    check_labels(target, num_classes)
    return (target[..., np.newaxis] == np.arange(num_classes)).astype(np.int64)


def check_rows(log_probs: Array, target: Array, weight: Optional[Array], axis: int) -> None:
    """ValueError for labels, probabilities or class weights of another shape: some would be broadcast."""
    rows = log_probs.shape[:axis] + log_probs.shape[axis + 1 :]
    if target.shape != (log_probs.shape if target.dtype.kind == "f" else rows):
        raise ValueError("a target of shape {} for {}".format(target.shape, log_probs.shape))
    if weight is not None and weight.shape != log_probs.shape[axis : axis + 1]:
        raise ValueError("a weight of shape {} for {}".format(weight.shape, log_probs.shape))


# Losses over classes: each row is - sum over c of coefficient_c log p_c.


class Terms:
    """What labels or class probabilities, weight, ignored label and smoothing come to.

    `coefficient` of each class (the shape of log_probs), `share` of each row in the mean's denominator,
    `ignored` rows, the class `axis`, `probabilities` of the classes (of a label one-hot), and `factor`: the
    class weights with what smoothing leaves of a target.
    """

    def __init__(
        self, log_probs: Array, target: Array, weight: Optional[Array], ignore_index: int, smoothing: float
    ) -> None:
        kind = log_probs.dtype
        self.axis = 1 if log_probs.ndim > 1 else 0
        classes = log_probs.shape[self.axis]
        check_rows(log_probs, target, weight, self.axis)
        if not 0 <= smoothing <= 1:
            raise ValueError("a label smoothing of {} lies outside 0 .. 1".format(smoothing))
        weight = np.ones(classes, kind) if weight is None else weight
        along = weight.reshape([classes if i == self.axis else 1 for i in range(log_probs.ndim)])
        remaining = kind.type(1 - smoothing)
        self.factor = along * remaining
        if target.dtype.kind == "f":  # class probabilities
            self.probabilities = target
            self.share = np.ones([n for i, n in enumerate(target.shape) if i != self.axis], kind)
            self.ignored = self.share == 0
        else:
            self.ignored = target == ignore_index
            labels = np.where(self.ignored, 0, target)
            hot = one_hot(labels, num_classes=classes)
            self.probabilities = np.moveaxis(hot, -1, self.axis).astype(kind)
            self.share = np.where(self.ignored, 0, weight[labels]).astype(kind)
        self.coefficient = self.probabilities * self.factor
        if smoothing:
            self.coefficient = self.coefficient + along * kind.type(smoothing / classes)

    def over_classes(self, rows: Array) -> Array:
        """An array of rows, with the class axis back in place."""
        return np.expand_dims(rows, self.axis)

    def reduce(self, rows: Array, reduction: str) -> Array:
        return reduced(np.where(self.ignored, 0, rows).astype(rows.dtype), self.share, reduction)

    def to_log_probs(self, upstream: Array, reduction: str) -> Tuple[Array, Array]:
        """The gradients with respect to each row's loss and to log_probs, given that of the reduced loss."""
        rows = self.over_classes(np.where(self.ignored, 0, to_rows(upstream, self.share, reduction)))
        return rows, -times(self.coefficient, rows.astype(self.coefficient.dtype))


def reduced(rows: Array, share: Array, reduction: str) -> Array:
    """The rows, their sum, or that over the sum of their shares."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    return rows.sum() / share.sum() if reduction == "mean" else rows.sum()


def to_rows(upstream: Array, share: Array, reduction: str) -> Array:
    """The gradient with respect to each row of what `reduced` returns; of a mean over nothing 0 / 0."""
    if reduction == "mean":
        total = share.sum()
        upstream = upstream / total if total else np.full_like(upstream, np.nan)
    return np.broadcast_to(upstream, share.shape)


def nll_loss_gradient(
    upstream: Array,
    log_probs: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Gradients:
    terms = Terms(log_probs, target, weight, ignore_index, 0.0)
    # A nan is the label's alone: the loss does not look at other classes.
    to_log_probs = np.where(terms.probabilities == 0, 0, terms.to_log_probs(upstream, reduction)[1])
    return {"log_probs": to_log_probs.astype(log_probs.dtype)}


@with_gradient(nll_loss_gradient)
def nll_loss(
    log_probs: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    terms = Terms(log_probs, target, weight, ignore_index, 0.0)
    labels = terms.over_classes(np.where(terms.ignored, 0, target))
    picked = np.take_along_axis(log_probs, labels, axis=terms.axis).squeeze(terms.axis)
    return terms.reduce(-times(terms.share, picked), reduction)


def cross_entropy_gradient(
    upstream: Array,
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    where: Optional[Array] = None,
) -> Gradients:
    logits = filled(logits, where)
    terms = Terms(logits, target, weight, ignore_index, label_smoothing)
    rows, to_log_probs = terms.to_log_probs(upstream, reduction)
    to_logits = log_softmax_gradient(to_log_probs, logits, axis=terms.axis)["x"]
    constant = (
        terms.over_classes(terms.ignored) if where is None else terms.over_classes(terms.ignored) | ~where
    )
    gradients = {"logits": np.where(constant, 0, to_logits).astype(logits.dtype)}
    if target.dtype.kind == "f":
        gradients["target"] = -times(terms.factor * rows, log_softmax(logits, axis=terms.axis))
    return gradients


@with_gradient(cross_entropy_gradient)
def cross_entropy(
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    where: Optional[Array] = None,
) -> Array:
    logits = filled(logits, where)
    terms = Terms(logits, target, weight, ignore_index, label_smoothing)
    log_probs = log_softmax(logits, axis=terms.axis)
    return terms.reduce(-times(terms.coefficient, log_probs).sum(axis=terms.axis), reduction)


# Binary losses, element by element.


def mean_of(rows: Array, weight: Optional[Array], reduction: str, product: Function = times) -> Array:
    """The weighted elements, their sum, or their mean over the number of elements."""
    rows = rows if weight is None else product(np.broadcast_to(weight, rows.shape), rows)
    return reduced(rows, np.ones(rows.shape, rows.dtype), reduction)


def check_elements(x: Array, target: Array) -> None:
    """ValueError where the shapes differ: broadcast, N targets of shape (N, 1) would make N by N losses."""
    if x.shape != target.shape:
        raise ValueError("a target of shape {} for an input of {}".format(target.shape, x.shape))


def to_elements(upstream: Array, like: Array, weight: Optional[Array], reduction: str) -> Array:
    """The gradient with respect to each element's loss, its weight included."""
    elements = to_rows(upstream, np.ones(like.shape, like.dtype), reduction)
    return elements if weight is None else elements * weight


def binary_cross_entropy_gradient(
    upstream: Array, probs: Array, target: Array, *, weight: Optional[Array] = None, reduction: str = "mean"
) -> Gradients:
    rows = to_elements(upstream, probs, weight, reduction)
    soft = (probs - target) / probs / (1 - probs)
    to_probs = np.where(target == 0, 1 / (1 - probs), np.where(target == 1, -1 / probs, soft))
    return {"probs": times(rows, to_probs), "target": times(rows, np.log1p(-probs) - np.log(probs))}


@with_gradient(binary_cross_entropy_gradient)
def binary_cross_entropy(
    probs: Array, target: Array, *, weight: Optional[Array] = None, reduction: str = "mean"
) -> Array:
    check_elements(probs, target)
    if ((probs < 0) | (probs > 1)).any():
        raise ValueError("a probability lies outside 0 .. 1")
    if ((target < 0) | (target > 1)).any():
        raise ValueError("a target lies outside 0 .. 1")
    rows = -times(target, np.log(probs)) - times(1 - target, np.log1p(-probs))
    return mean_of(rows, weight, reduction)


def binary_cross_entropy_with_logits_gradient(
    upstream: Array,
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    pos_weight: Optional[Array] = None,
    reduction: str = "mean",
) -> Gradients:
    rows = to_elements(upstream, logits, weight, reduction)
    positive = logits.dtype.type(1) if pos_weight is None else pos_weight
    to_logits = (1 - target) * sigmoid(logits) - target * positive * sigmoid(-logits)
    to_target = times(positive - 1, softplus(-logits)) - logits
    # The same, without inf - inf; of finite logits this one cancels where the two are near one another.
    infinite = times(positive, softplus(-logits)) - softplus(logits)
    to_target = np.where(np.isinf(logits), infinite, to_target)
    return {"logits": rows * to_logits, "target": times(rows, to_target)}


@with_gradient(binary_cross_entropy_with_logits_gradient)
def binary_cross_entropy_with_logits(
    logits: Array,
    target: Array,
    *,
    weight: Optional[Array] = None,
    pos_weight: Optional[Array] = None,
    reduction: str = "mean",
) -> Array:
    check_elements(logits, target)
    positive = target if pos_weight is None else target * pos_weight
    rows = times(1 - target, softplus(logits)) + times(positive, softplus(-logits))
    return mean_of(rows, weight, reduction)
