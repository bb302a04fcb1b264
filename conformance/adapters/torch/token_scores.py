"""Log-probabilities of labels (token scores), as reinforcement learning of language models takes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..base import Tensor


def at_labels(log_probs: Tensor, target: Tensor) -> Tensor:
    """Each row's entry at its label."""
    axis = 1 if log_probs.dim() > 1 else 0
    return log_probs.gather(axis, target.unsqueeze(axis)).squeeze(axis)


def classes_of(logits: Tensor) -> int:
    """The axis of the classes."""
    return 1 if logits.dim() > 1 else 0


def token_log_prob(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Minus the cross-entropy of each row."""
    return -F.cross_entropy(logits / temperature, target, reduction="none")


def token_log_prob_composed(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """A gather of log-softmax."""
    return at_labels(F.log_softmax(logits / temperature, dim=classes_of(logits)), target)


def token_log_prob_naive(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """The logarithm of a gather of softmax."""
    return torch.log(at_labels(F.softmax(logits / temperature, dim=classes_of(logits)), target))
