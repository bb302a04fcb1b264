"""One head of scaled dot-product attention: what torch has, and softmax of a product times the values."""

from __future__ import annotations

import math
from typing import Any, Dict, Optional

import torch
import torch.nn.functional as F

from ..base import Tensor, Unsupported
from .linear_losses import widened

Parameter = Optional[Tensor]


def attention(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """torch's own, as one head of one sequence."""
    if not hasattr(F, "scaled_dot_product_attention"):
        raise Unsupported("torch has no scaled_dot_product_attention before 2.0")
    options: Dict[str, Any] = {} if where is None else {"attn_mask": where[None, None]}
    if scale:
        options["scale"] = scale
    heads = (tensor[None, None] for tensor in (query, key, value))
    return F.scaled_dot_product_attention(*heads, **options)[0, 0]


def attention_naive(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Parameter = None
) -> Tensor:
    """The textbook's softmax(Q K^T / sqrt(d)) V: scores are stored in the tensors' dtype."""
    scores = query @ key.transpose(0, 1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if where is not None:
        scores = scores.masked_fill(~where, float("-inf"))
    return torch.softmax(scores, -1) @ value


def attention_composed(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
    """The same in float32 where the tensors are half, rounded once."""
    return attention_naive(widened(query), widened(key), widened(value), **options).to(query.dtype)
