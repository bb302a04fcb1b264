"""One head of scaled dot-product attention: what JAX has, and softmax of a product times the values."""

from __future__ import annotations

import math
from typing import Any, Optional

import jax
import jax.numpy as jnp

from ..base import Tensor, Unsupported
from .linear_losses import widened

Parameter = Optional[Tensor]


def attention(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """jax.nn's own, as one head of one sequence."""
    if not hasattr(jax.nn, "dot_product_attention"):
        raise Unsupported("jax.nn has no dot_product_attention before JAX 0.4.31")
    if value.shape[1] != query.shape[1]:
        raise Unsupported("jax.nn.dot_product_attention takes values of as many features as keys have")
    heads = (array[:, None, :] for array in (query, key, value))
    mask = None if where is None else where[None]
    return jax.nn.dot_product_attention(*heads, mask=mask, scale=scale or None)[:, 0, :]


def attention_naive(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """The textbook's softmax(Q K^T / sqrt(d)) V: scores are stored in the arrays' dtype."""
    scores = jnp.matmul(query, key.T) * (scale or 1 / math.sqrt(query.shape[1]))
    if where is not None:
        scores = jnp.where(where, scores, -jnp.inf)
    return jnp.matmul(jax.nn.softmax(scores, axis=-1), value)


def attention_composed(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
    """The same in float32 where the arrays are half, rounded once."""
    return attention_naive(widened(query), widened(key), widened(value), **options).astype(query.dtype)
