"""One head of scaled dot-product attention: the reference, its gradients by hand, and the textbook form."""

from __future__ import annotations

import math
from typing import Optional, Tuple

import numpy as np

from ..base import Array
from .reference import Gradients, softmax, softmax_gradient, with_gradient


def scores_of(query: Array, key: Array, scale: float) -> Tuple[Array, Array]:
    """The scaled products of queries and keys, and what they are scaled by."""
    factor = query.dtype.type(scale or 1 / math.sqrt(query.shape[1]))
    return query @ key.T * factor, factor


def attention_gradient(
    upstream: Array,
    query: Array,
    key: Array,
    value: Array,
    *,
    scale: float = 0.0,
    where: Optional[Array] = None,
) -> Gradients:
    scores, factor = scores_of(query, key, scale)
    to_scores = factor * softmax_gradient(upstream @ value.T, scores, where=where)["x"]
    weights = softmax(scores, where=where)
    return {"query": to_scores @ key, "key": to_scores.T @ query, "value": weights.T @ upstream}


@with_gradient(attention_gradient)
def attention(
    query: Array, key: Array, value: Array, *, scale: float = 0.0, where: Optional[Array] = None
) -> Array:
    return softmax(scores_of(query, key, scale)[0], where=where) @ value


def attention_naive(
    query: Array, key: Array, value: Array, *, scale: float = 0.0, where: Optional[Array] = None
) -> Array:
    scores = scores_of(query, key, scale)[0]
    exp = np.exp(scores if where is None else np.where(where, scores, -np.inf).astype(scores.dtype))
    return exp / exp.sum(axis=1, keepdims=True) @ value
