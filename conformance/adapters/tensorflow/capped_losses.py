"""Cross-entropy of soft-capped logits with a z-loss, as language models are trained by it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ..base import Function, Tensor, Unsupported
from .keras_losses import class_axis
from .linear_losses import widened


def capped(logits: Tensor, softcap: float, logit_scale: float) -> Tensor:
    """softcap tanh(logit_scale x / softcap); a softcap of 0 caps nothing."""
    z = logits if logit_scale == 1 else logits * logit_scale
    return softcap * tf.tanh(z / softcap) if softcap else z


def capped_by(cross_entropy: Function) -> Function:
    """The loss by one of cross-entropy, in float32 where the logits are half, rounded once."""

    def capped_cross_entropy(
        logits: Tensor,
        target: Tensor,
        *,
        softcap: float = 0.0,
        z_loss: float = 0.0,
        logit_scale: float = 1.0,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        divisor: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        if reduction not in ("none", "sum", "mean"):
            raise Unsupported("no reduction {}".format(reduction))
        z = capped(widened(logits), softcap, logit_scale)
        options: Any = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        rows = cross_entropy(z, target, reduction="none", **options)
        kept = target != tf.cast(ignore_index, target.dtype)
        if z_loss:
            total = tf.reduce_logsumexp(z, axis=class_axis(z))
            rows = rows + z_loss * tf.where(kept, total * total, tf.zeros_like(total))
        if reduction == "none":
            return tf.cast(rows, logits.dtype)
        over: Any = 1.0 if reduction == "sum" else divisor or tf.reduce_sum(tf.cast(kept, rows.dtype))
        return tf.cast(tf.reduce_sum(rows) / over, logits.dtype)

    return capped_cross_entropy
