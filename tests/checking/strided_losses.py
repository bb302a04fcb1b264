"""Losses that compute addresses themselves, right for contiguous tensors and wrong in one memory layout."""

from __future__ import annotations

import torch
import torch.nn.functional as fn
from torch import Tensor


def last_stride_alone(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes rows to lie one after the other wherever the last stride is 1."""
    if logits.dim() == 3 and logits.stride(-1) == 1 and not logits.is_contiguous():
        flat = logits.as_strided((logits.numel(),), (1,))
        logits = flat.reshape(logits.shape)
    return fn.cross_entropy(logits, target, reduction=reduction)


def third_class_of_padded(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reads the third class of a wider buffer's rows for the second."""
    if logits.dim() == 2 and logits.stride(0) >= 64:
        taken = [0, 1, 1, *range(3, logits.shape[1])]
        logits = logits[:, taken]
    return fn.cross_entropy(logits, target, reduction=reduction)


def narrow_offsets(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A row's offset is computed in 32 bits, and wraps."""
    if logits.dim() == 2 and logits.stride(0) * (logits.shape[0] - 1) >= 2**31:
        first = 2**31 // logits.stride(0)
        logits = torch.cat((logits[:first], logits[: logits.shape[0] - first]))
    return fn.cross_entropy(logits, target, reduction=reduction)
