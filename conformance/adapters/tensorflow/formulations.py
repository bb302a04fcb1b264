"""TensorFlow: each operation's formulations, as its users write them. Gradients by the tape.

``functional`` is ``tf.nn`` and ``tf.math``, ``module`` is ``tf.keras``: they have the parameters that they
have, others are unsupported. What TensorFlow lacks (NLL, class weights, ignored labels) is ``composed``.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Tuple

import tensorflow as tf

from ..base import Function, Table, Tensor, Unsupported, counted
from . import attention, divergences, entropies, focal_losses, keras_losses, mixtures, token_scores
from .capped_losses import capped_by
from .keras_losses import Parameter, class_axis, classes_last
from .linear_losses import CHUNK_ROWS, linear_by


def reduced(rows: Tensor, reduction: str, share: Parameter = None) -> Tensor:
    """The rows, their sum, their mean, or their sum over the sum of their shares."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    if reduction == "sum":
        return tf.reduce_sum(rows)
    return tf.reduce_mean(rows) if share is None else tf.reduce_sum(rows) / tf.reduce_sum(share)


def reduced_widely(rows: Tensor, reduction: str, share: Parameter = None) -> Tensor:
    """The same, a half type in float32, as whoever composes a loss has to."""
    if reduction == "none" or rows.dtype.size != 2:
        return reduced(rows, reduction, share)
    wide = None if share is None else tf.cast(share, tf.float32)
    return tf.cast(reduced(tf.cast(rows, tf.float32), reduction, wide), rows.dtype)


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0."""
    return tf.math.multiply_no_nan(term, coefficient)


# Activations.


def softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    """exp(x) / sum exp(x)"""
    exp = tf.exp(x)
    return exp / tf.reduce_sum(exp, axis=axis, keepdims=True)


def unmasked(x: Tensor, where: Parameter) -> Tensor:
    """-inf in the place of what a mask leaves out."""
    return x if where is None else tf.where(where, x, tf.fill(x.shape, tf.cast(-math.inf, x.dtype)))


def softmax_module(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """Keras' layer, which takes a mask"""
    mask = {} if where is None else {"mask": where}
    return tf.keras.layers.Softmax(axis=axis, dtype=x.dtype.name)(x, **mask)


def softmax_composed(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """exp(log_softmax(x)), of what a mask leaves"""
    return tf.exp(tf.nn.log_softmax(unmasked(x, where), axis=axis))


def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """tf.nn's own"""
    return tf.nn.log_softmax(x, axis=axis)


def log_softmax_composed(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """x - logsumexp(x), of what a mask leaves"""
    if where is not None:
        return unmasked(tf.nn.log_softmax(unmasked(x, where), axis=axis), where)
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
    target: Tensor, weight: Parameter, ignore_index: int, like: Tensor
) -> Tuple[Tensor, Tensor, Tensor]:
    """Labels fit to pick by, which rows count (1, or 0 if ignored), and each row's weight, 0 if ignored."""
    ignored = target == tf.cast(ignore_index, target.dtype)
    labels = tf.where(ignored, tf.zeros_like(target), target)
    counts = tf.cast(~ignored, like.dtype)
    return labels, counts, counts if weight is None else times(counts, tf.gather(weight, labels))


def picked(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Each row's entry at its label, by one gather_nd: a batched gather's gradient takes 100 operations."""
    index = tf.cast(labels, tf.int32) if labels.dtype == tf.int16 else labels
    if labels.shape.rank == 1:
        return tf.gather_nd(log_probs, at_rows(index))
    flat = tf.reshape(classes_last(log_probs), [-1, log_probs.shape[class_axis(log_probs)]])
    return tf.reshape(tf.gather_nd(flat, at_rows(tf.reshape(index, [-1]))), labels.shape)


def at_rows(index: Tensor) -> Tensor:
    """Pairs of each row's number and its index."""
    return tf.stack([tf.cast(tf.range(index.shape[0]), index.dtype), index], axis=1)


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
        labels, _, share = rows_of_labels(target, weight, ignore_index, log_probs)
        return reduced_widely(-times(share, pick(log_probs, labels)), reduction, share)

    return nll_loss


def over_classes(log_probs: Tensor, target: Tensor, weight: Parameter, product: Function) -> Tensor:
    """Each row's - sum of probability times weight times log-probability."""
    axis = class_axis(log_probs)
    if weight is not None:
        weight = tf.reshape(weight, [-1 if i == axis else 1 for i in range(log_probs.shape.rank)])
        log_probs = product(weight, log_probs)
    return -tf.reduce_sum(product(target, log_probs), axis=axis)


def cross_entropy_by(log_softmax: Function, pick: Function, product: Function = tf.multiply) -> Function:
    """Cross-entropy by ways to take log-softmax, to pick by labels, and to multiply by probabilities."""

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
            return reduced_widely(over_classes(log_probs, target, weight, product), reduction)
        labels, counts, share = rows_of_labels(target, weight, ignore_index, logits)
        rows = -times(share, pick(log_probs, labels))
        if label_smoothing != 0:
            smooth = times(counts, over_classes(log_probs, tf.ones_like(log_probs), weight, product))
            rows = rows * (1 - label_smoothing) + smooth * evenly
        return reduced_widely(rows, reduction, share)

    return cross_entropy


def with_mask_by(cross_entropy: Function) -> Function:
    """Cross-entropy of the logits that a mask leaves: -inf takes the others' place."""

    def function(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        where: Parameter = None,
    ) -> Tensor:
        options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        return cross_entropy(unmasked(logits, where), target, label_smoothing=label_smoothing, **options)

    return function


# Binary losses.


def binary_cross_entropy_functional(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Keras' function, which means over the last axis: one of length 1 keeps the elements apart."""
    rows = tf.keras.losses.binary_crossentropy(tf.expand_dims(target, -1), tf.expand_dims(probs, -1))
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
    ones = tf.ones_like(target)
    # The older tf.where: the gradient of the newer one takes 14 operations.
    log_p = tf.math.log(tf.compat.v1.where((target == 0) & (probs == 0), ones, probs))
    log_1_p = tf.math.log1p(-tf.compat.v1.where((target == 1) & (probs == 1), tf.zeros_like(probs), probs))
    return weighted(-(times(target, log_p) + times(ones - target, log_1_p)), weight, reduction)


def binary_cross_entropy_manual(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p))"""
    rows = -(target * tf.math.log(probs) + (1 - target) * tf.math.log(1 - probs))
    return weighted(rows, weight, reduction)


def weighted(rows: Tensor, weight: Parameter, reduction: str) -> Tensor:
    """The rows times their weights; their sum, or their mean over all elements."""
    return reduced_widely(rows if weight is None else rows * weight, reduction)


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
        negative = tf.ones_like(target) - target
        rows = -(product(positive, log_sigmoid(logits)) + product(negative, log_sigmoid(-logits)))
        return weighted(rows, weight, reduction)

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
        "module": softmax_module,
        "composed": softmax_composed,
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
        "composed": with_mask_by(cross_entropy_by(log_softmax, picked, times)),
        "one_hot": cross_entropy_by(log_softmax, by_one_hot),
        "naive": cross_entropy_by(log_softmax_naive, picked),
        "manual": cross_entropy_by(log_softmax_manual, by_one_hot),
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
    "linear_cross_entropy": {
        "chunked": linear_by(cross_entropy_by(log_softmax, picked, times), chunk_rows=CHUNK_ROWS),
        "composed": linear_by(cross_entropy_by(log_softmax, picked, times)),
        "naive": linear_by(cross_entropy_by(log_softmax, picked, times), lambda tensor: tensor),
    },
    "attention": {
        "module": attention.attention_module,
        "composed": attention.attention_composed,
        "naive": attention.attention_naive,
    },
    "entropy": {
        "composed": entropies.entropy_composed,
        "naive": entropies.entropy_naive,
        "manual": entropies.entropy_manual,
    },
    "js_div": {
        "composed": mixtures.js_div_composed,
        "naive": mixtures.js_div_naive,
    },
    "sigmoid_focal_loss": {
        "module": focal_losses.sigmoid_focal_loss_module,
        "composed": focal_losses.sigmoid_focal_loss_composed,
        "naive": focal_losses.sigmoid_focal_loss_naive,
    },
    "kl_div": {
        "module": divergences.kl_div_module,
        "composed": divergences.kl_div_composed,
        "naive": divergences.kl_div_naive,
    },
    "capped_cross_entropy": {"composed": capped_by(cross_entropy_by(log_softmax, picked, times))},
    "token_log_prob": {
        "functional": token_scores.token_log_prob,
        "composed": token_scores.token_log_prob_composed,
        "naive": token_scores.token_log_prob_naive,
    },
}
