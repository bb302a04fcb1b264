"""Cross-entropy of soft-capped logits with a z-loss, as language models are trained by it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ..base import Function, Tensor, Unsupported
from .linear_losses import widened
from .token_scores import classes_of


def capped(logits: Tensor, softcap: float, logit_scale: float) -> Tensor:
    """softcap tanh(logit_scale x / softcap); a softcap of 0 caps nothing."""
    z = logits if logit_scale == 1 else logits * logit_scale
    return softcap * jnp.tanh(z / softcap) if softcap else z


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
        kept = target != ignore_index
        if z_loss:
            rows = rows + z_loss * jnp.where(kept, jax.nn.logsumexp(z, axis=classes_of(z)) ** 2, 0)
        dtype = logits.dtype if jnp.issubdtype(logits.dtype, jnp.floating) else rows.dtype
        if reduction == "none":
            return rows.astype(dtype)
        over = 1 if reduction == "sum" else divisor or jnp.sum(kept)
        return (jnp.sum(rows) / over).astype(dtype)

    return capped_cross_entropy
