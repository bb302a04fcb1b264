"""NumPy: the reference, and the other formulations."""

from __future__ import annotations

from typing import Optional

import numpy as np

from ..base import Array, Function, Table, counted
from . import (
    attention,
    capped_losses,
    divergences,
    entropies,
    focal_losses,
    linear_losses,
    mixtures,
    reference,
    token_scores,
)
from .reference import Terms, log_sigmoid, logsumexp, mean_of, sigmoid, times, with_rows


@with_rows
def softmax_manual(x: Array, *, axis: int = -1) -> Array:
    exp = np.exp(x)
    return exp / exp.sum(axis=axis, keepdims=True)


def log_softmax_naive(x: Array, *, axis: int = -1) -> Array:
    return np.log(reference.softmax(x, axis=axis))


def log_softmax_manual(x: Array, *, axis: int = -1) -> Array:
    return np.log(softmax_manual(x, axis=axis))


@with_rows
def log_softmax_composed(x: Array, *, axis: int = -1) -> Array:
    return x - np.expand_dims(logsumexp(x, axis=axis), axis)


def one_hot_manual(target: Array, *, num_classes: int) -> Array:
    counted(num_classes)
    zeros = np.zeros(target.shape + (num_classes,), np.int64)
    np.put_along_axis(zeros, target[..., np.newaxis], 1, axis=-1)
    return zeros


def cross_entropy_by(log_softmax: Function, product: Function = times) -> Function:
    """Cross-entropy by a formulation of log-softmax, and one of its product with the coefficients."""

    def cross_entropy(
        logits: Array,
        target: Array,
        *,
        weight: Optional[Array] = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Array:
        terms = Terms(logits, target, weight, ignore_index, label_smoothing)
        log_probs = log_softmax(logits, axis=terms.axis)
        return terms.reduce(-product(terms.coefficient, log_probs).sum(axis=terms.axis), reduction)

    return cross_entropy


def binary_cross_entropy_manual(
    probs: Array, target: Array, *, weight: Optional[Array] = None, reduction: str = "mean"
) -> Array:
    rows = -(target * np.log(probs) + (1 - target) * np.log(1 - probs))
    return mean_of(rows, weight, reduction, np.multiply)


def with_logits_by(softplus: Function, product: Function = np.multiply) -> Function:
    """Binary cross-entropy of logits by a formulation of log(1 + exp(x)), and of its products."""

    def binary_cross_entropy_with_logits(
        logits: Array,
        target: Array,
        *,
        weight: Optional[Array] = None,
        pos_weight: Optional[Array] = None,
        reduction: str = "mean",
    ) -> Array:
        positive = target if pos_weight is None else target * pos_weight
        rows = product(1 - target, softplus(logits)) + product(positive, softplus(-logits))
        return mean_of(rows, weight, reduction, product)

    return binary_cross_entropy_with_logits


def binary_cross_entropy_with_logits_naive(
    logits: Array, target: Array, *, weight: Optional[Array] = None, reduction: str = "mean"
) -> Array:
    return reference.binary_cross_entropy(sigmoid(logits), target, weight=weight, reduction=reduction)


FUNCTIONS: Table = {
    "sigmoid": {"functional": reference.sigmoid, "manual": lambda x: 1 / (1 + np.exp(-x))},
    "log_sigmoid": {
        "functional": reference.log_sigmoid,
        "composed": lambda x: -np.logaddexp(x.dtype.type(0), -x),
        "naive": lambda x: np.log(sigmoid(x)),
    },
    "softmax": {
        "functional": reference.softmax,
        "composed": lambda x, axis=-1: np.exp(reference.log_softmax(x, axis=axis)),
        "manual": softmax_manual,
    },
    "log_softmax": {
        "functional": reference.log_softmax,
        "composed": log_softmax_composed,
        "naive": log_softmax_naive,
        "manual": log_softmax_manual,
    },
    "logsumexp": {
        "functional": reference.logsumexp,
        "manual": with_rows(lambda x, axis=-1: np.log(np.exp(x).sum(axis=axis))),
    },
    "one_hot": {"functional": reference.one_hot, "manual": one_hot_manual},
    "nll_loss": {
        "functional": reference.nll_loss,
        "one_hot": cross_entropy_by(lambda log_probs, axis: log_probs, np.multiply),
    },
    "cross_entropy": {
        "functional": reference.cross_entropy,
        "composed": cross_entropy_by(reference.log_softmax),
        "one_hot": cross_entropy_by(reference.log_softmax, np.multiply),
        "naive": cross_entropy_by(log_softmax_naive),
        "manual": cross_entropy_by(log_softmax_manual, np.multiply),
    },
    "binary_cross_entropy": {
        "functional": reference.binary_cross_entropy,
        "manual": binary_cross_entropy_manual,
    },
    "binary_cross_entropy_with_logits": {
        "functional": reference.binary_cross_entropy_with_logits,
        "composed": with_logits_by(lambda x: -log_sigmoid(-x), times),
        "naive": binary_cross_entropy_with_logits_naive,
        "manual": with_logits_by(lambda x: np.log(1 + np.exp(x))),
    },
    "linear_cross_entropy": {
        "functional": linear_losses.linear_cross_entropy,
        "chunked": linear_losses.linear_cross_entropy_chunked,
    },
    "attention": {"functional": attention.attention, "naive": attention.attention_naive},
    "entropy": {
        "functional": entropies.entropy,
        "naive": entropies.entropy_naive,
        "manual": entropies.entropy_manual,
    },
    "js_div": {
        "functional": mixtures.js_div,
        "naive": mixtures.js_div_naive,
    },
    "sigmoid_focal_loss": {
        "functional": focal_losses.sigmoid_focal_loss,
        "naive": focal_losses.sigmoid_focal_loss_naive,
    },
    "kl_div": {"functional": divergences.kl_div, "naive": divergences.kl_div_naive},
    "capped_cross_entropy": {"functional": capped_losses.capped_cross_entropy},
    "token_log_prob": {
        "functional": token_scores.token_log_prob,
        "naive": token_scores.token_log_prob_naive,
    },
}
