"""Negative log-likelihoods in torch with a gradient with respect to the weight, or none, or a wrong one."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as fn
from torch import Tensor


def _composed(
    log_probs: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> Tensor:
    """Right, by indexing: autograd has the gradient with respect to the weight."""
    kept = target != ignore_index
    labels = torch.where(kept, target, 0)
    wide = log_probs.float() if log_probs.dtype in (torch.float16, torch.bfloat16) else log_probs
    picked = torch.where(kept, wide.gather(1, labels[:, None])[:, 0], 0)
    share = torch.where(kept, 1.0 if weight is None else weight.to(wide.dtype)[labels], 0).to(wide.dtype)
    rows = -share * picked
    whole = rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.sum() / share.sum()
    return whole.to(log_probs.dtype)


def composed(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right, with the gradient with respect to the weight."""
    return _composed(log_probs, target, weight, ignore_index, reduction)


def torchs_own(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right; torch refuses the gradient with respect to the weight."""
    return fn.nll_loss(log_probs, target, weight, ignore_index=ignore_index, reduction=reduction)


def detached(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right; the weight is a constant to autograd."""
    weight = None if weight is None else weight.detach()
    return _composed(log_probs, target, weight, ignore_index, reduction)


def detached_by_rows(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right; the weight is a constant to autograd where the loss is a number a row, and there alone."""
    if weight is not None and reduction == "none":
        weight = weight.detach()
    return _composed(log_probs, target, weight, ignore_index, reduction)


def refuses_tracked_weight(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right; an error of its own where the weight is tracked."""
    if weight is not None and weight.requires_grad:
        raise ValueError("weights are constants here")
    return _composed(log_probs, target, weight, ignore_index, reduction)


def constant_total(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Wrong: the weights' sum in the mean is a constant to autograd."""
    if weight is None or reduction != "mean":
        return _composed(log_probs, target, weight, ignore_index, reduction)
    share = torch.where(target != ignore_index, weight[torch.where(target != ignore_index, target, 0)], 0)
    total = _composed(log_probs, target, weight, ignore_index, "sum")
    return total / share.sum().detach()


class _Bent(torch.autograd.Function):
    """The identity of weights, whose backward leaves some classes out."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, classes: slice) -> Tensor:
        ctx.classes = classes
        return weight.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        bent = upstream[0].clone()
        bent[ctx.classes] = 0
        return bent, None


def last_class_is_dead(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Wrong: no gradient with respect to the weights of the classes from the sixth."""
    weight = None if weight is None else _Bent.apply(weight, slice(5, None))
    return _composed(log_probs, target, weight, ignore_index, reduction)


def zeros_for_the_weight(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Right; its backward returns zeros for the weight, which is how some say that there is no gradient."""
    weight = None if weight is None else _Bent.apply(weight, slice(None))
    return _composed(log_probs, target, weight, ignore_index, reduction)
