"""Log-probabilities of labels (token scores), as reinforcement learning of language models takes them."""

from __future__ import annotations

import tensorflow as tf

from ..base import Tensor
from .keras_losses import class_axis, classes_last


def at_labels(log_probs: Tensor, target: Tensor) -> Tensor:
    """Each row's entry at its label, as a sum over classes of what stands at it."""
    axis = class_axis(log_probs)
    chosen = tf.one_hot(target, log_probs.shape[axis], axis=axis, on_value=True, off_value=False)
    return tf.reduce_sum(tf.where(chosen, log_probs, tf.zeros_like(log_probs)), axis=axis)


def token_log_prob(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Minus the cross-entropy of each row."""
    scaled = classes_last(logits / tf.cast(temperature, logits.dtype))
    return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=scaled)


def token_log_prob_composed(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """An entry of log-softmax."""
    scaled = logits / tf.cast(temperature, logits.dtype)
    return at_labels(tf.nn.log_softmax(scaled, axis=class_axis(logits)), target)


def token_log_prob_naive(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """The logarithm of an entry of softmax."""
    scaled = logits / tf.cast(temperature, logits.dtype)
    return tf.math.log(at_labels(tf.nn.softmax(scaled, axis=class_axis(logits)), target))
