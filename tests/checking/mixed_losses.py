"""Losses that are right while all tensors have one dtype."""

from __future__ import annotations

import torch
import torch.nn.functional as fn
from torch import Tensor


def in_the_logits_dtype(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Log-probabilities are rounded to the logits' dtype, whatever the result's is."""
    if target.is_floating_point():
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        rows = -(target * fn.log_softmax(wide, 1).to(logits.dtype)).sum(1)
        rows = rows.to(torch.promote_types(logits.dtype, target.dtype))
        return rows if reduction == "none" else getattr(rows, reduction)()
    return fn.cross_entropy(logits, target, reduction=reduction)


def promotes(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Everything is converted to the result's dtype first."""
    if target.is_floating_point():
        logits = logits.to(torch.promote_types(logits.dtype, target.dtype))
        target = target.to(logits.dtype)
    return fn.cross_entropy(logits, target, reduction=reduction)
