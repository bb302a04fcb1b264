"""Cross-entropy of soft-capped logits with a z-loss: the reference, and its gradient by hand."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from ..base import Array, Unsupported
from .reference import Gradients, cross_entropy, cross_entropy_gradient, logsumexp, softmax, with_gradient
from .token_scores import classes_of


def capped(logits: Array, softcap: float, logit_scale: float) -> Tuple[Array, Array]:
    """softcap tanh(logit_scale x / softcap), and its slope; a softcap of 0 caps nothing."""
    number = logits.dtype.type
    z, slope = logits * number(logit_scale), np.full_like(logits, logit_scale)
    if not softcap:
        return z, slope
    z = z / number(softcap)
    tail = np.exp(-2 * np.abs(z))
    return number(softcap) * np.tanh(z), slope * (4 * tail / (1 + tail) ** 2)


def divided_by(reduction: str, divisor: float, kept: Array) -> float:
    """What the rows' sum is divided by."""
    if reduction not in ("none", "sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    return (divisor or np.float64(kept.sum())) if reduction == "mean" else 1.0


def capped_cross_entropy_gradient(
    upstream: Array,
    logits: Array,
    target: Array,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Gradients:
    kept = target != ignore_index
    z, slope = capped(logits, softcap, logit_scale)
    rows = np.broadcast_to(upstream / divided_by(reduction, divisor, kept), target.shape).astype(z.dtype)
    options: Any = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": "none"}
    to_z = cross_entropy_gradient(rows, z, target, **options)["logits"]
    if z_loss:
        axis = classes_of(z)
        to_total = np.where(kept, rows * z.dtype.type(2 * z_loss) * logsumexp(z, axis=axis), 0)
        to_z = to_z + np.expand_dims(to_total, axis).astype(z.dtype) * softmax(z, axis=axis)
    return {"logits": to_z * slope}


@with_gradient(capped_cross_entropy_gradient)
def capped_cross_entropy(
    logits: Array,
    target: Array,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Array:
    kept = target != ignore_index
    z, _ = capped(logits, softcap, logit_scale)
    options: Any = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": "none"}
    rows = cross_entropy(z, target, **options)
    if z_loss:
        total = logsumexp(z, axis=classes_of(z))
        rows = rows + z.dtype.type(z_loss) * np.where(kept, total * total, 0).astype(z.dtype)
    over = divided_by(reduction, divisor, kept)
    return rows if reduction == "none" else (rows.sum() / over).astype(z.dtype)
