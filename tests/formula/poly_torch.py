"""Poly cross-entropy in PyTorch: right, and wrong in one thing each."""

from __future__ import annotations

import torch


def log_p_of(logits, target):
    axis = min(1, logits.dim() - 1)
    log_p = torch.nn.functional.log_softmax(logits, axis)
    return log_p.gather(axis, target.unsqueeze(axis)).squeeze(axis)


def reduced(rows, reduction):
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


def right(logits, target, *, epsilon=1.0, reduction="mean"):
    log_p = log_p_of(logits, target)
    return reduced(-log_p + epsilon * (1 - log_p.exp()), reduction)


def wrong_sign(logits, target, *, epsilon=1.0, reduction="mean"):
    log_p = log_p_of(logits, target)
    return reduced(-log_p - epsilon * (1 - log_p.exp()), reduction)


def wrong_constant(logits, target, *, epsilon=1.0, reduction="mean"):
    log_p = log_p_of(logits, target)
    return reduced(-log_p + 1.001 * epsilon * (1 - log_p.exp()), reduction)


def overflow(logits, target, *, epsilon=1.0, reduction="mean"):
    axis = min(1, logits.dim() - 1)
    p = logits.exp() / logits.exp().sum(axis, keepdim=True)
    log_p = p.log().gather(axis, target.unsqueeze(axis)).squeeze(axis)
    return reduced(-log_p + epsilon * (1 - log_p.exp()), reduction)


class _Rows(torch.autograd.Function):
    """The rows' losses, whose backward pass forgets the factor 1 + epsilon p."""

    @staticmethod
    def forward(ctx, logits, target, epsilon):
        log_p = log_p_of(logits, target)
        ctx.save_for_backward(logits, target)
        return -log_p + epsilon * (1 - log_p.exp())

    @staticmethod
    def backward(ctx, upstream):
        logits, target = ctx.saved_tensors
        axis = min(1, logits.dim() - 1)
        gradient = torch.softmax(logits, axis)
        gradient.scatter_add_(axis, target.unsqueeze(axis), -torch.ones_like(upstream).unsqueeze(axis))
        return gradient * upstream.unsqueeze(axis), None, None


def missing_factor(logits, target, *, epsilon=1.0, reduction="mean"):
    return reduced(_Rows.apply(logits, target, epsilon), reduction)
