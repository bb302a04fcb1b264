"""Weighted cross-entropy in NumPy, with a tensor of a name that no adapter knows."""

from __future__ import annotations

import numpy as np


def right(logits, target, *, class_weight=None, ignore_index=-100, reduction="mean"):
    axis = min(1, logits.ndim - 1)
    shifted = logits - logits.max(axis, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    kept = target != ignore_index
    index = np.where(kept, target, 0)
    taken = np.take_along_axis(log_p, np.expand_dims(index, axis), axis).squeeze(axis)
    one = logits.dtype.type(1)
    factor = np.where(kept, one if class_weight is None else class_weight[index], one - one)
    rows = np.where(kept, -factor * taken, one - one)
    if reduction == "none":
        return rows
    return rows.sum() if reduction == "sum" else rows.sum() / factor.sum()


def unweighted(logits, target, *, ignore_index=-100, reduction="mean"):
    return right(logits, target, ignore_index=ignore_index, reduction=reduction)


def forgetful(logits, target, *, class_weight=None, ignore_index=-100, reduction="mean"):
    """Divides a mean by the number of rows."""
    rows = right(logits, target, class_weight=class_weight, ignore_index=ignore_index, reduction="none")
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()
