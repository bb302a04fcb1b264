"""Generalised Jensen-Shannon divergence of two distributions by their logits, as distillation takes it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ..base import Tensor
from .divergences import batch_reduced
from .token_scores import classes_of


def js_div(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """Two calls of kl_div from the logarithm of the mixture, a log-sum-exp of both."""
    axis = classes_of(logits)
    log_q, log_p = F.log_softmax(logits, dim=axis), F.log_softmax(target, dim=axis)
    both = torch.stack([log_p + math.log(beta), log_q + math.log1p(-beta)])
    log_m = torch.logsumexp(both, dim=0)
    to_p = F.kl_div(log_m, log_p, reduction="none", log_target=True)
    to_q = F.kl_div(log_m, log_q, reduction="none", log_target=True)
    return batch_reduced((beta * to_p + (1 - beta) * to_q).sum(dim=axis), reduction)


def js_div_composed(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By terms of log-softmax and the logarithm of the mixture; a probability of 0 removes its term."""
    axis = classes_of(logits)
    log_q, log_p = F.log_softmax(logits, dim=axis), F.log_softmax(target, dim=axis)
    neither = torch.isneginf(log_q) & torch.isneginf(log_p)
    a, b = log_p.masked_fill(neither, 0), log_q.masked_fill(neither, 0)
    log_m = torch.logaddexp(a + math.log(beta), b + math.log1p(-beta))
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return batch_reduced(rows.sum(dim=axis), reduction)


def divergence(log_p: Tensor, log_m: Tensor) -> Tensor:
    """The terms p (log p - log m)."""
    p = log_p.exp()
    return p * (log_p - log_m).masked_fill(p == 0, 0)


def js_div_naive(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By probabilities: p log(p / m)."""
    axis = classes_of(logits)
    q, p = F.softmax(logits, dim=axis), F.softmax(target, dim=axis)
    m = beta * p + (1 - beta) * q
    rows = beta * p * torch.log(p / m) + (1 - beta) * q * torch.log(q / m)
    return batch_reduced(rows.sum(dim=axis), reduction)
