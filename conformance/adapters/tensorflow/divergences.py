"""Kullback-Leibler divergence of log-probabilities: Keras' loss class of probabilities, and its terms."""

from __future__ import annotations

from typing import Any, Dict

import tensorflow as tf

from ..base import Tensor, Unsupported


def batch_reduced(rows: Tensor, reduction: str) -> Tensor:
    """The rows, their sum, their mean, or that over the batch; half types are summed in float32."""
    if reduction == "none":
        return rows
    wide = tf.cast(rows, tf.float32) if rows.dtype.size == 2 else rows
    if reduction == "mean":
        return tf.cast(tf.reduce_mean(wide), rows.dtype)
    if reduction not in ("sum", "batchmean"):
        raise Unsupported("no reduction {}".format(reduction))
    total = tf.reduce_sum(wide)
    divisor = rows.shape[0] if reduction == "batchmean" and rows.shape.rank else 1
    return tf.cast(total / divisor, rows.dtype)


def kl_div_module(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Keras' KLDivergence of probabilities, whose mean is over the rows of a batch: `batchmean`."""
    if reduction not in ("sum", "batchmean"):
        raise Unsupported(
            "Keras' KLDivergence sums over the last axis: it has no reduction {}".format(reduction)
        )
    if input.shape.rank != 2:
        raise Unsupported(
            "Keras' KLDivergence takes a mean over all axes but the last, batchmean over the first"
        )
    options: Dict[str, Any] = {"reduction": "sum" if reduction == "sum" else "sum_over_batch_size"}
    loss = tf.keras.losses.KLDivergence
    try:
        return loss(dtype=input.dtype.name, **options)(target, tf.exp(input))
    except TypeError:  # Keras 2 takes no dtype
        return loss(**options)(target, tf.exp(input))


def kl_div_composed(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """t log t by xlogy; a target of 0 removes its term."""
    if log_target:
        p = tf.exp(target)
        difference = tf.where(p == 0, tf.zeros_like(p), target - input)
        return batch_reduced(p * difference, reduction)
    return batch_reduced(tf.math.xlogy(target, target) - tf.math.multiply_no_nan(input, target), reduction)


def kl_div_naive(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The textbook's p log(p / q), of probabilities."""
    p = tf.exp(target) if log_target else target
    return batch_reduced(p * tf.math.log(p / tf.exp(input)), reduction)
