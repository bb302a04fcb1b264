"""Entropy of a categorical distribution by its logits: the reference, gradient by hand, other forms."""

from __future__ import annotations

import numpy as np

from ..base import Array
from .reference import Gradients, log_softmax, logsumexp, shifted, softmax, times, with_gradient
from .token_scores import classes_of


def entropy_gradient(upstream: Array, logits: Array) -> Gradients:
    axis = classes_of(logits)
    p, (z, _) = softmax(logits, axis=axis), shifted(logits, axis)
    mean = times(p, z).sum(axis=axis, keepdims=True)
    return {"logits": -times(np.expand_dims(upstream, axis) * p, z - mean)}


@with_gradient(entropy_gradient)
def entropy(logits: Array) -> Array:
    if not logits.ndim:
        raise ValueError("a single number has no axis of classes")
    axis = classes_of(logits)
    return -times(softmax(logits, axis=axis), log_softmax(logits, axis=axis)).sum(axis=axis)


def entropy_naive(logits: Array) -> Array:
    p = softmax(logits, axis=classes_of(logits))
    return -(p * np.log(p)).sum(axis=classes_of(logits))


def entropy_manual(logits: Array) -> Array:
    axis = classes_of(logits)
    return logsumexp(logits, axis=axis) - (softmax(logits, axis=axis) * logits).sum(axis=axis)
