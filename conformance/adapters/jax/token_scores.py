"""Log-probabilities of labels (token scores), as reinforcement learning of language models takes them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..base import Tensor


def at_labels(log_probs: Tensor, target: Tensor) -> Tensor:
    """Each row's entry at its label."""
    axis = 1 if log_probs.ndim > 1 else 0
    return jnp.take_along_axis(log_probs, jnp.expand_dims(target, axis), axis=axis).squeeze(axis)


def classes_of(logits: Tensor) -> int:
    """The axis of the classes."""
    return 1 if logits.ndim > 1 else 0


def token_log_prob(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """A gather of log-softmax."""
    return at_labels(jax.nn.log_softmax(logits / temperature, axis=classes_of(logits)), target)


def token_log_prob_naive(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """The logarithm of a gather of softmax."""
    return jnp.log(at_labels(jax.nn.softmax(logits / temperature, axis=classes_of(logits)), target))
