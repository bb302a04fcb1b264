"""Cross-entropy of a linear layer's outputs, composed: in one piece, and in chunks of rows."""

from __future__ import annotations

from typing import Any, Callable, Optional

import tensorflow as tf

from ..base import Function, Tensor, Unsupported
from .products import product

Parameter = Optional[Tensor]
#: Rows of a chunk.
CHUNK_ROWS = 2
#: How many chunks there are at most: each is a part of the program.
MAX_CHUNKS = 32


def widened(tensor: Tensor) -> Tensor:
    """A half type in float32."""
    return tf.cast(tensor, tf.float32) if tensor.dtype.size == 2 else tensor


def linear(hidden: Tensor, head: Tensor, bias: Parameter, wide: Callable[[Tensor], Tensor]) -> Tensor:
    """hidden @ head^T + bias."""
    logits = product(wide(hidden), wide(head), transpose_b=True)
    return logits if bias is None else logits + wide(bias)


def linear_by(
    cross_entropy: Function, wide: Callable[[Tensor], Tensor] = widened, chunk_rows: Optional[int] = None
) -> Function:
    """The loss by one of cross-entropy, of widened logits or not, in chunks of so many rows or in one."""

    def rows_of(hidden: Tensor, head: Tensor, target: Tensor, bias: Parameter, **parameters: Any) -> Tensor:
        return cross_entropy(linear(hidden, head, bias, wide), target, reduction="none", **parameters)

    def linear_cross_entropy(
        hidden: Tensor,
        head: Tensor,
        target: Tensor,
        *,
        bias: Parameter = None,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        if reduction not in ("none", "sum", "mean"):
            raise Unsupported("no reduction {}".format(reduction))
        factors = None if weight is None else wide(weight)
        options = {"weight": factors, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        number = int(hidden.shape[0])
        size = max(chunk_rows, -(-number // MAX_CHUNKS)) if chunk_rows else max(number, 1)
        parts = [
            rows_of(hidden[i : i + size], head, target[i : i + size], bias, **options)
            for i in range(0, max(number, 1), size)
        ]
        rows = tf.concat(parts, 0)
        if reduction == "none":
            return tf.cast(rows, hidden.dtype)
        if reduction == "sum":
            return tf.cast(tf.reduce_sum(rows), hidden.dtype)
        kept = target != tf.cast(ignore_index, target.dtype)
        labels = tf.where(kept, target, tf.zeros_like(target))
        share = tf.ones(target.shape, rows.dtype) if factors is None else tf.gather(factors, labels)
        total = tf.reduce_sum(tf.where(kept, share, tf.zeros_like(share)))
        return tf.cast(tf.reduce_sum(rows) / total, hidden.dtype)

    return linear_cross_entropy
