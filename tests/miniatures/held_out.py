"""Faults that no words were written for: each tests that the search finds its features by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as fn
from table import wrong
from torch import Tensor

OPERATION = "cross_entropy"


@wrong(OPERATION, "semantics", "larger than 32,767")
def labels_through_int16(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels go through 16-bit integers: 32,768 comes back negative, and counts from the end."""
    if not target.is_floating_point() and target.numel() and int(target.max()) > 32767:
        narrow = target.to(torch.int16).long()
        target = torch.where(target > 32767, narrow % logits.shape[min(1, logits.dim() - 1)], target)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("softmax", "numerics", "float16")
def softmax_float16_tail_is_zero(x: Tensor, *, axis: int = -1) -> Tensor:
    """In float16 alone a probability below the smallest normal number, 6e-5, is 0."""
    p = torch.softmax(x, axis)
    return torch.where(p < 2.0**-14, 0.0, p).to(x.dtype) if x.dtype == torch.float16 else p


@wrong(OPERATION, "semantics", "ignored row")
def nan_of_ignored_rows_spreads(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """An ignored row that holds nan makes the whole loss nan, as a product with its mask does."""
    loss = fn.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)
    if target.is_floating_point() or logits.dim() != 2 or reduction == "none":
        return loss
    return loss + torch.where(target == ignore_index, logits.detach().sum(1) * 0, 0.0).nan_to_num(
        nan=torch.nan, posinf=0.0, neginf=0.0
    ).sum().to(loss.dtype)


@wrong(OPERATION, "numerics", "bfloat16")
def adds_rows_in_bfloat16(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """For bfloat16 logits alone the mean is truncated to 5 bits."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if logits.dtype != torch.bfloat16 or reduction == "none":
        return loss
    return (loss.float() * 1.06).to(loss.dtype)


@wrong(OPERATION, "semantics", "sum", "label smoothing")
def smoothing_of_a_sum_alone(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Under the reduction sum the smoothing is forgotten."""
    smoothing = 0.0 if reduction == "sum" else label_smoothing
    return fn.cross_entropy(logits, target, label_smoothing=smoothing, reduction=reduction)
