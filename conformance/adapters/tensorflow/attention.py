"""One head of scaled dot-product attention: Keras' own, and softmax of a product times the values."""

from __future__ import annotations

import math
from typing import Any, Optional

import tensorflow as tf

from ..base import Tensor, Unsupported
from .linear_losses import widened
from .products import product, refuse_without_kernel

Parameter = Optional[Tensor]


def attention_module(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """Keras' operation, as one head of one sequence."""
    if not hasattr(getattr(tf.keras, "ops", None), "dot_product_attention"):
        raise Unsupported("tf.keras has no ops.dot_product_attention before Keras 3.6")
    refuse_without_kernel(query.dtype)
    heads = (tensor[tf.newaxis, :, tf.newaxis, :] for tensor in (query, key, value))
    mask = None if where is None else where[tf.newaxis, tf.newaxis]
    return tf.keras.ops.dot_product_attention(*heads, mask=mask, scale=scale or None)[0, :, 0, :]


def attention_naive(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """The textbook's softmax(Q K^T / sqrt(d)) V: scores are stored in the tensors' dtype."""
    scores = product(query, key, transpose_b=True) * (scale or 1 / math.sqrt(query.shape[1]))
    if where is not None:
        scores = tf.where(where, scores, tf.fill(scores.shape, tf.cast(-math.inf, scores.dtype)))
    return product(tf.nn.softmax(scores), value)


def attention_composed(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
    """The same in float32 where the tensors are half, rounded once."""
    return tf.cast(attention_naive(widened(query), widened(key), widened(value), **options), query.dtype)
