"""Generalised Jensen-Shannon divergence of two distributions by their logits, composed."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from ..base import Tensor
from .divergences import batch_reduced
from .token_scores import classes_of


def js_div_composed(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By terms of log-softmax and the logarithm of the mixture; a probability of 0 removes its term."""
    axis = classes_of(logits)
    log_q, log_p = jax.nn.log_softmax(logits, axis=axis), jax.nn.log_softmax(target, axis=axis)
    neither = jnp.isneginf(log_q) & jnp.isneginf(log_p)
    a, b = jnp.where(neither, 0, log_p), jnp.where(neither, 0, log_q)
    log_m = jnp.logaddexp(a + math.log(beta), b + math.log1p(-beta))
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return batch_reduced(rows.sum(axis=axis), reduction)


def divergence(log_p: Tensor, log_m: Tensor) -> Tensor:
    """The terms p (log p - log m)."""
    p = jnp.exp(log_p)
    return p * jnp.where(p == 0, 0, log_p - log_m)


def js_div_naive(logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean") -> Tensor:
    """By probabilities: p log(p / m)."""
    axis = classes_of(logits)
    q, p = jax.nn.softmax(logits, axis=axis), jax.nn.softmax(target, axis=axis)
    m = beta * p + (1 - beta) * q
    rows = beta * p * jnp.log(p / m) + (1 - beta) * q * jnp.log(q / m)
    return batch_reduced(rows.sum(axis=axis), reduction)
