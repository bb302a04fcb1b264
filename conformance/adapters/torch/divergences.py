"""Kullback-Leibler divergence of log-probabilities: what torch has, and its terms written out."""

from __future__ import annotations

import torch

from ..base import Tensor, Unsupported


def batch_reduced(rows: Tensor, reduction: str) -> Tensor:
    """The rows, their sum, their mean, or the sum over the size of the batch."""
    if reduction == "none":
        return rows
    if reduction == "batchmean":
        return rows.sum() / (rows.shape[0] if rows.dim() else 1)
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    return rows.sum() if reduction == "sum" else rows.mean()


def kl_div_composed(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """t log t as minus torch's entropy of t, whose slope at 0 is infinite; a target of 0 removes its term."""
    if log_target:
        p = target.exp()
        return batch_reduced(p * (target - input).masked_fill(p == 0, 0), reduction)
    if not hasattr(torch, "special") or not hasattr(torch.special, "entr"):
        raise Unsupported("torch has no special.entr before 1.9")
    term = target * input.masked_fill((target == 0) & torch.isinf(input), 0)
    return batch_reduced(-torch.special.entr(target) - term, reduction)


def kl_div_naive(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The textbook's p log(p / q), of probabilities."""
    p = target.exp() if log_target else target
    return batch_reduced(p * torch.log(p / input.exp()), reduction)
