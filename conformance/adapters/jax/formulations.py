"""JAX: each operation's formulations, as its users write them.

``jax.nn`` has the activations; JAX has no losses of its own, so that each is ``composed``. Under ``jit``
nothing can be checked: a label out of range is an error op by op only.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import jax
import jax.numpy as jnp
import numpy as np

from ..base import Function, Table, Tensor, Unsupported, counted, signature_of
from . import attention, divergences, entropies, focal_losses, mixtures, token_scores
from .capped_losses import capped_by
from .linear_losses import CHUNK_ROWS, linear_by

Parameter = Optional[Tensor]


def class_axis(x: Tensor) -> int:
    """Where the canonical signatures have the classes: axis 1, or 0 of a one-dimensional array."""
    return 1 if x.ndim > 1 else 0


def known_zero(value: Any) -> bool:
    """Whether a parameter is 0 and not merely a traced number that may be."""
    return not isinstance(value, jax.core.Tracer) and value == 0


def reduced(rows: Tensor, reduction: str, share: Parameter = None) -> Tensor:
    """The rows, their sum, their mean, or their sum over the sum of their shares."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    if reduction == "sum":
        return total(rows).astype(rows.dtype)
    return jnp.mean(rows) if share is None else (total(rows) / total(share)).astype(rows.dtype)


def total(x: Tensor) -> Tensor:
    """The sum of all elements; of a half type in float32, as whoever composes a loss has to."""
    return jnp.sum(x.astype(jnp.float32) if x.dtype.itemsize == 2 else x)


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0."""
    return coefficient * jnp.where((coefficient == 0) & jnp.isinf(term), 0, term)


# Activations.


def softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    """exp(x) / sum exp(x)"""
    exp = jnp.exp(x)
    return exp / jnp.sum(exp, axis=axis, keepdims=True)


def softmax(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """jax.nn's own, which takes a mask"""
    return jax.nn.softmax(x, axis=axis, **mask_of(where))


def softmax_composed(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """exp(log_softmax(x))"""
    return jnp.exp(jax.nn.log_softmax(x, axis=axis, **mask_of(where)))


def log_softmax(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """jax.nn's own, which takes a mask"""
    return jax.nn.log_softmax(x, axis=axis, **mask_of(where))


def mask_of(where: Parameter) -> Any:
    """The keywords of a mask, if there is one."""
    if where is not None and "where" not in signature_of(jax.nn.softmax).parameters:
        raise Unsupported("jax.nn.softmax has no parameter where before JAX 0.2.8")
    return {} if where is None else {"where": where}


def logsumexp(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """jax.nn's own, which takes a mask since JAX 0.4.27"""
    if where is None:
        return jax.nn.logsumexp(x, axis=axis)
    if "where" not in signature_of(jax.nn.logsumexp).parameters:
        raise Unsupported("jax.nn.logsumexp has no parameter where before JAX 0.4.27")
    return jax.nn.logsumexp(x, axis=axis, where=where)


def log_softmax_composed(x: Tensor, *, axis: int = -1) -> Tensor:
    """x - logsumexp(x)"""
    return x - jax.nn.logsumexp(x, axis=axis, keepdims=True)


def log_softmax_naive(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(softmax(x))"""
    return jnp.log(jax.nn.softmax(x, axis=axis))


def log_softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(exp(x) / sum exp(x))"""
    return jnp.log(softmax_manual(x, axis=axis))


def one_hot_manual(target: Tensor, *, num_classes: int) -> Tensor:
    """By comparison with 0 .. num_classes - 1."""
    return (target[..., None] == jnp.arange(counted(num_classes))).astype(jnp.float32)


# Losses over classes.


def check_labels(labels: Tensor, classes: int) -> None:
    """IndexError for a label out of range, where labels are there to be looked at."""
    if isinstance(labels, jax.core.Tracer) or labels.size == 0:
        return
    if np.min(labels) < 0 or np.max(labels) >= classes:
        raise IndexError("a label lies outside 0 .. {}".format(classes - 1))


def rows_of_labels(
    log_probs: Tensor, target: Tensor, weight: Parameter, ignore_index: Any
) -> Tuple[Tensor, Tensor, Tensor]:
    """Labels fit to pick by, each row's weight (0 where ignored), and which rows are ignored."""
    ignored = target == ignore_index
    labels = jnp.where(ignored, 0, target)
    check_labels(labels, log_probs.shape[class_axis(log_probs)])
    share = jnp.ones(labels.shape, log_probs.dtype) if weight is None else weight[labels]
    return labels, jnp.where(ignored, 0, share), ignored


def picked(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Each row's entry at its label."""
    axis = class_axis(log_probs)
    return jnp.take_along_axis(log_probs, jnp.expand_dims(labels, axis), axis=axis).squeeze(axis)


def by_one_hot(log_probs: Tensor, labels: Tensor) -> Tensor:
    """The same as a sum over classes of one-hot times log-probabilities."""
    axis = class_axis(log_probs)
    hot = jax.nn.one_hot(labels, log_probs.shape[axis], axis=axis, dtype=log_probs.dtype)
    return jnp.sum(hot * log_probs, axis=axis)


def nll_loss_by(pick: Function) -> Function:
    """NLL by one way to take each row's entry at its label."""

    def nll_loss(
        log_probs: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> Tensor:
        labels, share, ignored = rows_of_labels(log_probs, target, weight, ignore_index)
        rows = jnp.where(ignored, 0, -pick(log_probs, labels) * share)
        return reduced(rows, reduction, share)

    return nll_loss


def over_classes(log_probs: Tensor, target: Tensor, weight: Parameter, product: Function) -> Tensor:
    """Each row's - sum of probability times weight times log-probability."""
    axis = class_axis(log_probs)
    if weight is not None:
        target = target * weight.reshape([-1 if i == axis else 1 for i in range(log_probs.ndim)])
    return -jnp.sum(product(target, log_probs), axis=axis)


def cross_entropy_by(log_softmax: Function, nll_loss: Function, product: Function = jnp.multiply) -> Function:
    """Cross-entropy as one formulation of log-softmax, then one of NLL; probabilities by a product."""

    def cross_entropy(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        axis = class_axis(logits)
        log_probs = log_softmax(logits, axis=axis)
        evenly = label_smoothing / logits.shape[axis]
        if jnp.issubdtype(target.dtype, jnp.floating):
            if not known_zero(label_smoothing):
                target = target * (1 - label_smoothing) + evenly
            rows = over_classes(log_probs, target, weight, product)
            return reduced(rows, reduction, jnp.ones(rows.shape, rows.dtype))
        loss = nll_loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)
        if known_zero(label_smoothing):
            return loss
        _, share, ignored = rows_of_labels(logits, target, weight, ignore_index)
        rows = over_classes(log_probs, jnp.ones_like(log_probs), weight, product)
        smooth = reduced(jnp.where(ignored, 0, rows), reduction, share)
        return (1 - label_smoothing) * loss + evenly * smooth

    return cross_entropy


def with_mask_by(cross_entropy: Function) -> Function:
    """Cross-entropy of the logits that a mask leaves: -inf takes the others' place."""

    def function(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        where: Parameter = None,
    ) -> Tensor:
        kept = logits if where is None else jnp.where(where, logits, -jnp.inf)
        options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        return cross_entropy(kept, target, label_smoothing=label_smoothing, **options)

    return function


# Binary losses.


def binary_cross_entropy_composed(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """log and log1p, where 0 log 0 = 0"""
    log_p = jnp.log(jnp.where((target == 0) & (probs == 0), 1, probs))
    log_1_p = jnp.log1p(-jnp.where((target == 1) & (probs == 1), 0, probs))
    rows = -target * log_p - (1 - target) * log_1_p
    return reduced(rows if weight is None else rows * weight, reduction)


def binary_cross_entropy_manual(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p))"""
    rows = -(target * jnp.log(probs) + (1 - target) * jnp.log(1 - probs))
    return reduced(rows if weight is None else rows * weight, reduction)


def with_logits_by(log_sigmoid: Function, product: Function = jnp.multiply) -> Function:
    """Binary cross-entropy of logits by a formulation of log-sigmoid, and of its product with the target."""

    def binary_cross_entropy_with_logits(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        pos_weight: Parameter = None,
        reduction: str = "mean",
    ) -> Tensor:
        positive = target if pos_weight is None else target * pos_weight
        rows = -product(positive, log_sigmoid(logits)) - product(1 - target, log_sigmoid(-logits))
        return reduced(rows if weight is None else rows * weight, reduction)

    return binary_cross_entropy_with_logits


def with_logits_naive(
    logits: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy of the sigmoid"""
    return binary_cross_entropy_composed(jax.nn.sigmoid(logits), target, weight=weight, reduction=reduction)


FUNCTIONS: Table = {
    "sigmoid": {
        "functional": lambda x: jax.nn.sigmoid(x),
        "manual": lambda x: 1 / (1 + jnp.exp(-x)),
    },
    "log_sigmoid": {
        "functional": lambda x: jax.nn.log_sigmoid(x),
        "composed": lambda x: -jax.nn.softplus(-x),
        "naive": lambda x: jnp.log(jax.nn.sigmoid(x)),
    },
    "softmax": {
        "functional": softmax,
        "composed": softmax_composed,
        "manual": softmax_manual,
    },
    "log_softmax": {
        "functional": log_softmax,
        "composed": log_softmax_composed,
        "naive": log_softmax_naive,
        "manual": log_softmax_manual,
    },
    "logsumexp": {
        "functional": logsumexp,
        "manual": lambda x, *, axis=-1: jnp.log(jnp.sum(jnp.exp(x), axis=axis)),
    },
    "one_hot": {
        "functional": lambda target, *, num_classes: jax.nn.one_hot(target, counted(num_classes)),
        "manual": one_hot_manual,
    },
    "nll_loss": {"composed": nll_loss_by(picked), "one_hot": nll_loss_by(by_one_hot)},
    "cross_entropy": {
        "composed": with_mask_by(cross_entropy_by(log_softmax, nll_loss_by(picked), times)),
        "one_hot": cross_entropy_by(log_softmax, nll_loss_by(by_one_hot)),
        "naive": cross_entropy_by(log_softmax_naive, nll_loss_by(picked)),
        "manual": cross_entropy_by(log_softmax_manual, nll_loss_by(by_one_hot)),
    },
    "binary_cross_entropy": {
        "composed": binary_cross_entropy_composed,
        "manual": binary_cross_entropy_manual,
    },
    "binary_cross_entropy_with_logits": {
        "composed": with_logits_by(lambda x: jax.nn.log_sigmoid(x), times),
        "naive": with_logits_naive,
        "manual": with_logits_by(lambda x: -jnp.log(1 + jnp.exp(-x))),
    },
    "linear_cross_entropy": {
        "chunked": linear_by(
            cross_entropy_by(log_softmax, nll_loss_by(picked), times), chunk_rows=CHUNK_ROWS
        ),
        "composed": linear_by(cross_entropy_by(log_softmax, nll_loss_by(picked), times)),
        "naive": linear_by(cross_entropy_by(log_softmax, nll_loss_by(picked), times), lambda array: array),
    },
    "attention": {
        "functional": attention.attention,
        "composed": attention.attention_composed,
        "naive": attention.attention_naive,
    },
    "entropy": {
        "composed": entropies.entropy_composed,
        "naive": entropies.entropy_naive,
        "manual": entropies.entropy_manual,
    },
    "js_div": {
        "composed": mixtures.js_div_composed,
        "naive": mixtures.js_div_naive,
    },
    "sigmoid_focal_loss": {
        "composed": focal_losses.sigmoid_focal_loss_composed,
        "naive": focal_losses.sigmoid_focal_loss_naive,
    },
    "kl_div": {"composed": divergences.kl_div_composed, "naive": divergences.kl_div_naive},
    "capped_cross_entropy": {
        "composed": capped_by(cross_entropy_by(log_softmax, nll_loss_by(picked), times))
    },
    "token_log_prob": {
        "composed": token_scores.token_log_prob,
        "naive": token_scores.token_log_prob_naive,
    },
}
