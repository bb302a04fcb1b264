"""Cross-entropy of a linear layer's outputs: the reference with its gradient by hand, and chunks of rows."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ..base import Array, Unsupported
from .reference import Gradients, Terms, cross_entropy, cross_entropy_gradient, with_gradient

#: Rows of a chunk.
CHUNK_ROWS = 2


def linear(hidden: Array, head: Array, bias: Optional[Array]) -> Array:
    """hidden @ head^T + bias"""
    logits = hidden @ head.T
    return logits if bias is None else logits + bias


def linear_cross_entropy_gradient(
    upstream: Array,
    hidden: Array,
    head: Array,
    target: Array,
    *,
    bias: Optional[Array] = None,
    **parameters: Any,
) -> Gradients:
    logits = linear(hidden, head, bias)
    slopes = cross_entropy_gradient(upstream, logits, target, **parameters)["logits"]
    return {"hidden": slopes @ head, "head": slopes.T @ hidden, "bias": slopes.sum(axis=0)}


@with_gradient(linear_cross_entropy_gradient)
def linear_cross_entropy(
    hidden: Array, head: Array, target: Array, *, bias: Optional[Array] = None, **parameters: Any
) -> Array:
    return cross_entropy(linear(hidden, head, bias), target, **parameters)


def linear_cross_entropy_chunked(
    hidden: Array,
    head: Array,
    target: Array,
    *,
    bias: Optional[Array] = None,
    weight: Optional[Array] = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    if reduction not in ("none", "sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    options = {"weight": weight, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
    rows = np.zeros(target.shape, hidden.dtype)
    share = np.zeros(target.shape, hidden.dtype)
    for start in range(0, len(hidden), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        logits = linear(hidden[part], head, bias)
        rows[part] = cross_entropy(logits, target[part], reduction="none", **options)
        share[part] = Terms(logits, target[part], weight, ignore_index, label_smoothing).share
    if reduction == "none":
        return rows
    return rows.sum() / share.sum() if reduction == "mean" else rows.sum()
