"""Entropy of a categorical distribution by its logits, composed: TensorFlow itself has no distributions."""

from __future__ import annotations

import tensorflow as tf

from ..base import Tensor
from .keras_losses import class_axis


def entropy_composed(logits: Tensor) -> Tensor:
    """-sum p log p by log-softmax; a class of probability 0 adds nothing."""
    log_p = tf.nn.log_softmax(logits, axis=class_axis(logits))
    p = tf.exp(log_p)
    return -tf.reduce_sum(p * tf.where(p == 0, tf.zeros_like(p), log_p), axis=class_axis(logits))


def entropy_naive(logits: Tensor) -> Tensor:
    """-sum p log p by softmax and its logarithm."""
    p = tf.nn.softmax(logits, axis=class_axis(logits))
    return -tf.reduce_sum(p * tf.math.log(p), axis=class_axis(logits))


def entropy_manual(logits: Tensor) -> Tensor:
    """logsumexp(x) - sum p x, as trainers of language models write it."""
    axis = class_axis(logits)
    mean = tf.reduce_sum(tf.nn.softmax(logits, axis=axis) * logits, axis=axis)
    return tf.reduce_logsumexp(logits, axis=axis) - mean
