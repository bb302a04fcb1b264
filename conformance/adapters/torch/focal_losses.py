"""Sigmoid focal loss, composed: torchvision has it, torch has not."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..base import Tensor
from .divergences import batch_reduced


def weighed(rows: Tensor, p: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """The elements times a_t (1 - p_t)^gamma."""
    agree = p * target + (1 - p) * (1 - target)
    rows = rows * (1 - agree) ** gamma
    return rows if alpha < 0 else (alpha * target + (1 - alpha) * (1 - target)) * rows


def sigmoid_focal_loss_composed(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid, and binary cross-entropy with logits, as detectors write it."""
    rows = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return batch_reduced(weighed(rows, torch.sigmoid(logits), target, alpha, gamma), reduction)


def sigmoid_focal_loss_naive(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid and its logarithm."""
    p = torch.sigmoid(logits)
    rows = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))
    return batch_reduced(weighed(rows, p, target, alpha, gamma), reduction)
