"""Cross-entropy of soft-capped logits with a z-loss, as language models are trained by it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from ..base import Tensor, Unsupported
from .linear_losses import widened
from .token_scores import classes_of


def capped(logits: Tensor, softcap: float, logit_scale: float) -> Tensor:
    """softcap tanh(logit_scale x / softcap); a softcap of 0 caps nothing."""
    z = logits if logit_scale == 1 else logits * logit_scale
    return softcap * torch.tanh(z / softcap) if softcap else z


def log_sum_exp(z: Tensor) -> Tensor:
    """By exp(z - max), forward and backward: torch.logsumexp goes back by exp(z - logsumexp), which loses."""
    axis = classes_of(z)
    top = z.detach().max(dim=axis, keepdim=True)[0]
    return torch.log(torch.exp(z - top).sum(dim=axis)) + top.squeeze(axis)


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
    """torch's cross_entropy of the capped logits, its rows and their z-loss reduced by hand."""
    if reduction not in ("none", "sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    z = capped(logits, softcap, logit_scale)
    smoothed: Any = {"label_smoothing": label_smoothing} if label_smoothing else {}
    rows = F.cross_entropy(z, target, ignore_index=ignore_index, reduction="none", **smoothed)
    kept = target != ignore_index
    if z_loss:
        total = log_sum_exp(z)
        rows = rows + z_loss * (total * total).masked_fill(~kept, 0)
    if reduction == "none":
        return rows
    return rows.sum() if reduction == "sum" else rows.sum() / (divisor or kept.sum())


def capped_cross_entropy_composed(logits: Tensor, target: Tensor, **parameters: Any) -> Tensor:
    """The same in float32 where the logits are half, rounded once."""
    loss = capped_cross_entropy(widened(logits), target, **parameters)
    return loss.to(logits.dtype) if logits.is_floating_point() else loss
