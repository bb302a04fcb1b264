"""Entropy of a categorical distribution by its logits, composed."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..base import Tensor
from .token_scores import classes_of


def entropy_composed(logits: Tensor) -> Tensor:
    """-sum p log p by log-softmax; a class of probability 0 adds nothing."""
    log_p = jax.nn.log_softmax(logits, axis=classes_of(logits))
    p = jnp.exp(log_p)
    return -jnp.sum(p * jnp.where(p == 0, 0, log_p), axis=classes_of(logits))


def entropy_naive(logits: Tensor) -> Tensor:
    """-sum p log p by softmax, and entr, which knows 0 log 0."""
    p = jax.nn.softmax(logits, axis=classes_of(logits))
    return jnp.sum(jax.scipy.special.entr(p), axis=classes_of(logits))


def entropy_manual(logits: Tensor) -> Tensor:
    """logsumexp(x) - sum p x, as trainers of language models write it."""
    axis = classes_of(logits)
    mean = jnp.sum(jax.nn.softmax(logits, axis=axis) * logits, axis=axis)
    return jax.nn.logsumexp(logits, axis=axis) - mean
