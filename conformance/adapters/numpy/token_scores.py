"""Log-probabilities of labels (token scores): the reference, its gradient by hand, and the textbook form."""

from __future__ import annotations

import numpy as np

from ..base import Array
from .reference import Gradients, check_labels, log_softmax, log_softmax_gradient, softmax, with_gradient


def at_labels(log_probs: Array, target: Array) -> Array:
    """Each row's entry at its label."""
    axis = 1 if log_probs.ndim > 1 else 0
    if target.shape != log_probs.shape[:axis] + log_probs.shape[axis + 1 :]:
        raise ValueError("a target of shape {} for {}".format(target.shape, log_probs.shape))
    check_labels(target, log_probs.shape[axis])
    return np.take_along_axis(log_probs, np.expand_dims(target, axis), axis=axis).squeeze(axis)


def classes_of(logits: Array) -> int:
    """The axis of the classes."""
    return 1 if logits.ndim > 1 else 0


def token_log_prob_gradient(
    upstream: Array, logits: Array, target: Array, *, temperature: float = 1.0
) -> Gradients:
    axis, divisor = classes_of(logits), logits.dtype.type(temperature)
    to_log_probs = np.zeros(logits.shape, logits.dtype)
    np.put_along_axis(to_log_probs, np.expand_dims(target, axis), np.expand_dims(upstream, axis), axis=axis)
    return {"logits": log_softmax_gradient(to_log_probs, logits / divisor, axis=axis)["x"] / divisor}


@with_gradient(token_log_prob_gradient)
def token_log_prob(logits: Array, target: Array, *, temperature: float = 1.0) -> Array:
    scaled = logits / logits.dtype.type(temperature)
    return at_labels(log_softmax(scaled, axis=classes_of(logits)), target)


def token_log_prob_naive(logits: Array, target: Array, *, temperature: float = 1.0) -> Array:
    scaled = logits / logits.dtype.type(temperature)
    return np.log(at_labels(softmax(scaled, axis=classes_of(logits)), target))
