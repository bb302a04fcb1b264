"""Negative log-likelihoods in NumPy: values alone, or gradients by hand, of the weight or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _loss(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    kept = target != ignore_index
    labels = np.where(kept, target, 0)
    share = np.where(kept, np.ones(len(labels)) if weight is None else weight.astype(float)[labels], 0)
    rows = -share * np.where(kept, log_probs.astype(float)[np.arange(len(labels)), labels], 0)
    whole = rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.sum() / share.sum()
    return np.asarray(whole).astype(log_probs.dtype)


def _gradients(
    upstream: Array,
    log_probs: Array,
    target: Array,
    *,
    weight: Array,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> dict[str, Array]:
    kept = target != ignore_index
    labels = np.where(kept, target, 0)
    rows, flow = np.arange(len(labels)), np.broadcast_to(upstream.astype(float), labels.shape)
    picked = np.where(kept, log_probs.astype(float)[rows, labels], 0)
    share = np.where(kept, weight.astype(float)[labels], 0)
    slope = -picked
    if reduction == "mean":
        slope = (slope + (share * picked).sum() / share.sum()) / share.sum()
        share = share / share.sum()
    logits, weights = np.zeros(log_probs.shape), np.zeros(weight.shape)
    logits[rows, labels] = -share * flow
    np.add.at(weights, labels, np.where(kept, slope * flow, 0))
    return {"log_probs": logits.astype(log_probs.dtype), "weight": weights.astype(weight.dtype)}


def values(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right, without a gradient."""
    return _loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def of_the_scores(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right, with the gradient with respect to the scores alone."""
    return _loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def of_both(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right, with both gradients."""
    return _loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def doubled(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Wrong: the gradient with respect to the weight is twice what it is."""
    return _loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


of_both.gradient = _gradients  # type: ignore[attr-defined]
of_the_scores.gradient = lambda *inputs, **options: _gradients(*inputs, **options)["log_probs"]  # type: ignore[attr-defined]
doubled.gradient = lambda *inputs, **options: {  # type: ignore[attr-defined]
    name: gradient * (2 if name == "weight" else 1)
    for name, gradient in _gradients(*inputs, **options).items()
}
