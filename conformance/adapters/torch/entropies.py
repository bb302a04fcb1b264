"""Entropy of a categorical distribution by its logits: torch.distributions, and as trainers write it out."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..base import Tensor
from .token_scores import classes_of


def entropy(logits: Tensor) -> Tensor:
    """That of torch.distributions.Categorical, which has the classes last."""
    last = logits.permute(0, *range(2, logits.dim()), 1) if logits.dim() > 2 else logits
    return torch.distributions.Categorical(logits=last).entropy()


def entropy_composed(logits: Tensor) -> Tensor:
    """-sum p log p by log-softmax; a class of probability 0 adds nothing."""
    log_p = F.log_softmax(logits, dim=classes_of(logits))
    p = log_p.exp()
    return -(p * log_p.masked_fill(p == 0, 0)).sum(dim=classes_of(logits))


def entropy_naive(logits: Tensor) -> Tensor:
    """-sum p log p by softmax and its logarithm."""
    p = F.softmax(logits, dim=classes_of(logits))
    return -(p * torch.log(p)).sum(dim=classes_of(logits))


def entropy_manual(logits: Tensor) -> Tensor:
    """logsumexp(x) - sum p x, as trainers of language models write it."""
    axis = classes_of(logits)
    return torch.logsumexp(logits, dim=axis) - (F.softmax(logits, dim=axis) * logits).sum(dim=axis)
