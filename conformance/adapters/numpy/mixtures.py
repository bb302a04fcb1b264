"""Generalised Jensen-Shannon divergence of two distributions by their logits: the reference, by hand."""

from __future__ import annotations

from typing import Tuple

import numpy as np

from ..base import Array
from .divergences import batch_reduced, divisor_of
from .reference import Gradients, check_elements, log_softmax, softmax, with_gradient
from .token_scores import classes_of


def over_mixture(logits: Array, target: Array, beta: float) -> Tuple[Array, Array]:
    """log(q / m) and log(p / m), 0 where the probability is 0."""
    axis, kind = classes_of(logits), logits.dtype.type
    log_q, log_p = log_softmax(logits, axis=axis), log_softmax(target, axis=axis)
    top = np.maximum(log_p, log_q)
    above = np.where(np.isneginf(top), 0, top).astype(logits.dtype)
    mixture = kind(beta) * np.exp(log_p - above) + kind(1 - beta) * np.exp(log_q - above)
    log_m = above + np.log(mixture)
    over_q, over_p = (np.where(np.isneginf(log), 0, log - log_m).astype(kind) for log in (log_q, log_p))
    return over_q, over_p


def js_div_gradient(
    upstream: Array, logits: Array, target: Array, *, beta: float = 0.5, reduction: str = "mean"
) -> Gradients:
    axis = classes_of(logits)
    rows = softmax(logits, axis=axis).sum(axis=axis)
    share = upstream if reduction == "none" else upstream / logits.dtype.type(divisor_of(rows, reduction))
    g = np.expand_dims(np.broadcast_to(share, rows.shape), axis)
    gradients = {}
    for name, x, log, part in zip(
        ("logits", "target"), (logits, target), over_mixture(logits, target, beta), (1 - beta, beta)
    ):
        p = softmax(x, axis=axis)
        centred = log - (p * log).sum(axis=axis, keepdims=True)
        gradients[name] = g * logits.dtype.type(part) * p * centred
    return gradients


@with_gradient(js_div_gradient)
def js_div(logits: Array, target: Array, *, beta: float = 0.5, reduction: str = "mean") -> Array:
    check_elements(logits, target)
    if not 0 < beta < 1:
        raise ValueError("beta is {}, and lies between 0 and 1".format(beta))
    axis, kind = classes_of(logits), logits.dtype.type
    log_q, log_p = over_mixture(logits, target, beta)
    terms = kind(beta) * softmax(target, axis=axis) * log_p
    terms = terms + kind(1 - beta) * softmax(logits, axis=axis) * log_q
    return batch_reduced(terms.sum(axis=axis), reduction)


def js_div_naive(logits: Array, target: Array, *, beta: float = 0.5, reduction: str = "mean") -> Array:
    axis, kind = classes_of(logits), logits.dtype.type
    q, p = softmax(logits, axis=axis), softmax(target, axis=axis)
    m = kind(beta) * p + kind(1 - beta) * q
    rows = kind(beta) * p * np.log(p / m) + kind(1 - beta) * q * np.log(q / m)
    return batch_reduced(rows.sum(axis=axis), reduction)
