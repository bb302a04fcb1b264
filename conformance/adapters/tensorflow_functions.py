"""TensorFlow: each operation's formulations, as its users write them. Gradients by the tape.

``functional`` is ``tf.nn`` and ``tf.math``, ``module`` is ``tf.keras``: they have the parameters that they
have, others are unsupported. What TensorFlow lacks (NLL, class weights, ignored labels) is ``composed``.
"""

from __future__ import annotations

from typing import Any, Callable, Tuple

import tensorflow as tf

from . import keras_losses
from .base import Function, Table, Tensor, Unsupported, counted
from .keras_losses import Parameter, class_axis, classes_last


def reduced(rows: Tensor, reduction: str, total: Function = tf.reduce_sum, share: Parameter = None) -> Tensor:
    """The rows, their sum, their mean, or their sum over the sum of their shares."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    if reduction == "sum":
        return tf.cast(total(rows), rows.dtype)
    if share is None:
        return tf.reduce_mean(rows)
    return tf.cast(total(rows) / total(share), rows.dtype)


def total(x: Tensor) -> Tensor:
    """The sum of all elements; of a half type in float32, as whoever composes a loss has to."""
    return tf.reduce_sum(tf.cast(x, tf.float32) if x.dtype.size == 2 else x)


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0."""
    return coefficient * tf.where((coefficient == 0) & tf.math.is_inf(term), tf.zeros_like(term), term)


# Activations.


def softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    """exp(x) / sum exp(x)"""
    exp = tf.exp(x)
    return exp / tf.reduce_sum(exp, axis=axis, keepdims=True)


def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """tf.nn's own"""
    return tf.nn.log_softmax(x, axis=axis)


def log_softmax_composed(x: Tensor, *, axis: int = -1) -> Tensor:
    """x - logsumexp(x)"""
    return x - tf.reduce_logsumexp(x, axis=axis, keepdims=True)


def log_softmax_naive(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(softmax(x))"""
    return tf.math.log(tf.nn.softmax(x, axis=axis))


def log_softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(exp(x) / sum exp(x))"""
    return tf.math.log(softmax_manual(x, axis=axis))


def one_hot_manual(target: Tensor, *, num_classes: int) -> Tensor:
    """By comparison with 0 .. num_classes - 1."""
    return tf.cast(target[..., tf.newaxis] == tf.range(counted(num_classes), dtype=target.dtype), tf.float32)


def layer(make: Callable[..., Function]) -> Function:
    """A Keras layer, told the dtype: it would cast to float32 if it were not."""

    def function(x: Tensor, **parameters: Any) -> Tensor:
        return make(dtype=x.dtype.name, **parameters)(x)

    return function


# Losses over classes.


def cross_entropy_functional(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """One row a loss; its users reduce it."""
    if target.dtype.is_floating:
        rows = tf.nn.softmax_cross_entropy_with_logits(labels=target, logits=logits, axis=class_axis(logits))
    else:
        rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=classes_last(logits))
    return reduced(rows, reduction)


def rows_of_labels(
    log_probs: Tensor, target: Tensor, weight: Parameter, ignore_index: int
) -> Tuple[Tensor, Tensor, Tensor]:
    """Labels fit to pick by, each row's weight (0 where ignored), and which rows are ignored."""
    ignored = target == tf.cast(ignore_index, target.dtype)
    labels = tf.where(ignored, tf.zeros_like(target), target)
    share = tf.ones_like(labels, log_probs.dtype) if weight is None else tf.gather(weight, labels)
    return labels, tf.where(ignored, tf.zeros_like(share), share), ignored


def picked(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Each row's entry at its label, by one gather_nd: a batched gather's gradient takes 100 operations."""
    flat = tf.reshape(classes_last(log_probs), [-1, log_probs.shape[class_axis(log_probs)]])
    index = tf.reshape(tf.cast(labels, tf.int32) if labels.dtype == tf.int16 else labels, [-1])
    rows = tf.cast(tf.range(index.shape[0]), index.dtype)
    return tf.reshape(tf.gather_nd(flat, tf.stack([rows, index], axis=1)), labels.shape)


def by_one_hot(log_probs: Tensor, labels: Tensor) -> Tensor:
    """The same as a sum over classes of one-hot times log-probabilities."""
    axis = class_axis(log_probs)
    hot = tf.one_hot(labels, log_probs.shape[axis], axis=axis, dtype=log_probs.dtype)
    return tf.reduce_sum(hot * log_probs, axis=axis)


def nll_loss_by(pick: Function) -> Function:
    """NLL by one way to take each row's entry at its label."""

    def nll_loss(
        log_probs: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> Tensor:
        labels, share, ignored = rows_of_labels(log_probs, target, weight, ignore_index)
        rows = tf.where(ignored, tf.zeros_like(share), -pick(log_probs, labels) * share)
        return reduced(rows, reduction, total, share)

    return nll_loss


def over_classes(log_probs: Tensor, target: Tensor, weight: Parameter, product: Function) -> Tensor:
    """Each row's - sum of probability times weight times log-probability."""
    axis = class_axis(log_probs)
    if weight is not None:
        target = target * tf.reshape(weight, [-1 if i == axis else 1 for i in range(log_probs.shape.rank)])
    return -tf.reduce_sum(product(target, log_probs), axis=axis)


def cross_entropy_by(log_softmax: Function, nll_loss: Function, product: Function = tf.multiply) -> Function:
    """Cross-entropy as one formulation of log-softmax, then one of NLL; probabilities by a product."""

    def cross_entropy(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        axis = class_axis(logits)
        log_probs = log_softmax(logits, axis=axis)
        evenly = label_smoothing / logits.shape[axis]
        if target.dtype.is_floating:
            if label_smoothing != 0:
                target = target * (1 - label_smoothing) + evenly
            rows = over_classes(log_probs, target, weight, product)
            return reduced(rows, reduction, total, tf.ones_like(rows))
        loss = nll_loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)
        if label_smoothing == 0:
            return loss
        _, share, ignored = rows_of_labels(logits, target, weight, ignore_index)
        rows = over_classes(log_probs, tf.ones_like(log_probs), weight, product)
        smooth = reduced(tf.where(ignored, tf.zeros_like(rows), rows), reduction, total, share)
        return (1 - label_smoothing) * loss + evenly * smooth

    return cross_entropy


# Binary losses.


def binary_cross_entropy_functional(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Keras' function, which means over the last axis: one of length 1 keeps the elements apart."""
    rows = tf.keras.losses.binary_crossentropy(target[..., tf.newaxis], probs[..., tf.newaxis])
    return reduced(rows, reduction)


def with_logits_functional(
    logits: Tensor, target: Tensor, *, pos_weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """tf.nn's two functions"""
    if pos_weight is None:
        return reduced(tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits), reduction)
    rows = tf.nn.weighted_cross_entropy_with_logits(labels=target, logits=logits, pos_weight=pos_weight)
    return reduced(rows, reduction)


def binary_cross_entropy_composed(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """log and log1p, where 0 log 0 = 0"""
    one, zero = tf.ones_like(probs), tf.zeros_like(probs)
    log_p = tf.math.log(tf.where((target == 0) & (probs == 0), one, probs))
    log_1_p = tf.math.log1p(-tf.where((target == 1) & (probs == 1), zero, probs))
    rows = -target * log_p - (1 - target) * log_1_p
    return mean_of_elements(rows if weight is None else rows * weight, reduction)


def binary_cross_entropy_manual(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p))"""
    rows = -(target * tf.math.log(probs) + (1 - target) * tf.math.log(1 - probs))
    return mean_of_elements(rows if weight is None else rows * weight, reduction)


def mean_of_elements(rows: Tensor, reduction: str) -> Tensor:
    """The rows, their sum or their mean, half types summed in float32."""
    return reduced(rows, reduction, total, tf.ones_like(rows))


def with_logits_by(log_sigmoid: Function, product: Function = tf.multiply) -> Function:
    """Binary cross-entropy of logits by a formulation of log-sigmoid, and of its product with the target."""

    def binary_cross_entropy_with_logits(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        pos_weight: Parameter = None,
        reduction: str = "mean",
    ) -> Tensor:
        positive = target if pos_weight is None else target * pos_weight
        rows = -product(positive, log_sigmoid(logits)) - product(1 - target, log_sigmoid(-logits))
        return mean_of_elements(rows if weight is None else rows * weight, reduction)

    return binary_cross_entropy_with_logits


def with_logits_naive(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy of the sigmoid"""
    return binary_cross_entropy_functional(tf.math.sigmoid(logits), target, reduction=reduction)


FUNCTIONS: Table = {
    "sigmoid": {
        "functional": lambda x: tf.math.sigmoid(x),
        "module": layer(lambda **options: tf.keras.layers.Activation("sigmoid", **options)),
        "manual": lambda x: 1 / (1 + tf.exp(-x)),
    },
    "log_sigmoid": {
        "functional": lambda x: tf.math.log_sigmoid(x),
        "composed": lambda x: -tf.math.softplus(-x),
        "naive": lambda x: tf.math.log(tf.math.sigmoid(x)),
    },
    "softmax": {
        "functional": lambda x, *, axis=-1: tf.nn.softmax(x, axis=axis),
        "module": lambda x, *, axis=-1: tf.keras.layers.Softmax(axis=axis, dtype=x.dtype.name)(x),
        "composed": lambda x, *, axis=-1: tf.exp(tf.nn.log_softmax(x, axis=axis)),
        "manual": softmax_manual,
    },
    "log_softmax": {
        "functional": log_softmax,
        "composed": log_softmax_composed,
        "naive": log_softmax_naive,
        "manual": log_softmax_manual,
    },
    "logsumexp": {
        "functional": lambda x, *, axis=-1: tf.reduce_logsumexp(x, axis=axis),
        "manual": lambda x, *, axis=-1: tf.math.log(tf.reduce_sum(tf.exp(x), axis=axis)),
    },
    "one_hot": {
        "functional": lambda target, *, num_classes: tf.one_hot(target, counted(num_classes)),
        "manual": one_hot_manual,
    },
    "nll_loss": {"composed": nll_loss_by(picked), "one_hot": nll_loss_by(by_one_hot)},
    "cross_entropy": {
        "functional": cross_entropy_functional,
        "module": keras_losses.cross_entropy,
        "composed": cross_entropy_by(log_softmax, nll_loss_by(picked), times),
        "one_hot": cross_entropy_by(log_softmax, nll_loss_by(by_one_hot)),
        "naive": cross_entropy_by(log_softmax_naive, nll_loss_by(picked)),
        "manual": cross_entropy_by(log_softmax_manual, nll_loss_by(by_one_hot)),
    },
    "binary_cross_entropy": {
        "functional": binary_cross_entropy_functional,
        "module": keras_losses.binary_cross_entropy,
        "composed": binary_cross_entropy_composed,
        "manual": binary_cross_entropy_manual,
    },
    "binary_cross_entropy_with_logits": {
        "functional": with_logits_functional,
        "module": keras_losses.binary_cross_entropy_with_logits,
        "composed": with_logits_by(lambda x: tf.math.log_sigmoid(x), times),
        "naive": with_logits_naive,
        "manual": with_logits_by(lambda x: -tf.math.log(1 + tf.exp(-x))),
    },
}
