"""Cross-entropy of a linear layer's outputs: PyTorch's own since 2.13, in one piece and in chunks of rows."""

from __future__ import annotations

from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import nn

from ..base import Tensor, Unsupported

Parameter = Optional[Tensor]


def linear_cross_entropy(
    hidden: Tensor, head: Tensor, target: Tensor, *, bias: Parameter = None, **parameters: Any
) -> Tensor:
    """torch's reference path (no options)."""
    if not hasattr(F, "linear_cross_entropy"):
        raise Unsupported("torch has no linear_cross_entropy before 2.13")
    return F.linear_cross_entropy(hidden, head, target, linear_bias=bias, **parameters)


def linear_cross_entropy_chunked(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Parameter = None,
    weight: Parameter = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """torch's own chunks of rows, as its options choose them; smoothed, it would fall back."""
    if not hasattr(nn, "LinearCrossEntropyOptions"):
        raise Unsupported("torch has no LinearCrossEntropyOptions before 2.13")
    return F.linear_cross_entropy(
        hidden,
        head,
        target,
        linear_bias=bias,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        options=nn.LinearCrossEntropyOptions(),
    )


def widened(tensor: Parameter) -> Parameter:
    """A half type in float32."""
    half = tensor is not None and tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if half and tensor is not None else tensor


def linear_cross_entropy_composed(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    *,
    bias: Parameter = None,
    weight: Parameter = None,
    **parameters: Any,
) -> Tensor:
    """Logits and loss in float32 where the tensors are half: no logit is rounded to a half type."""
    logits = F.linear(widened(hidden), widened(head), widened(bias))
    return F.cross_entropy(logits, target, weight=widened(weight), **parameters).to(hidden.dtype)


def linear_cross_entropy_naive(
    hidden: Tensor, head: Tensor, target: Tensor, *, bias: Parameter = None, **parameters: Any
) -> Tensor:
    """Two calls: logits are stored in the tensors' dtype."""
    return F.cross_entropy(F.linear(hidden, head, bias), target, **parameters)
