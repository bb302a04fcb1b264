"""Generalised Jensen-Shannon divergence of two distributions by their logits, composed."""

from __future__ import annotations

import math

import tensorflow as tf

from ..base import Tensor
from .divergences import batch_reduced
from .keras_losses import class_axis


def js_div_composed(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By terms of log-softmax and the logarithm of the mixture; a probability of 0 removes its term."""
    axis = class_axis(logits)
    log_q, log_p = tf.nn.log_softmax(logits, axis=axis), tf.nn.log_softmax(target, axis=axis)
    neither = tf.math.is_inf(log_q) & tf.math.is_inf(log_p)
    a, b = (tf.where(neither, tf.zeros_like(log), log) for log in (log_p, log_q))
    both = tf.stack([a + math.log(beta), b + math.log1p(-beta)])
    log_m = tf.reduce_logsumexp(both, axis=0)
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return batch_reduced(tf.reduce_sum(rows, axis=axis), reduction)


def divergence(log_p: Tensor, log_m: Tensor) -> Tensor:
    """The terms p (log p - log m)."""
    p = tf.exp(log_p)
    return p * tf.where(p == 0, tf.zeros_like(p), log_p - log_m)


def js_div_naive(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By probabilities: p log(p / m)."""
    axis = class_axis(logits)
    q, p = tf.nn.softmax(logits, axis=axis), tf.nn.softmax(target, axis=axis)
    m = beta * p + (1 - beta) * q
    rows = beta * p * tf.math.log(p / m) + (1 - beta) * q * tf.math.log(q / m)
    return batch_reduced(tf.reduce_sum(rows, axis=axis), reduction)
