"""Kullback-Leibler divergence of log-probabilities: the reference, gradients by hand, the textbook form."""

from __future__ import annotations

import numpy as np

from ..base import Array, Unsupported
from .reference import Gradients, check_elements, times, with_gradient


def divisor_of(rows: Array, reduction: str) -> int:
    """What the sum of the rows is divided by."""
    if reduction not in ("sum", "mean", "batchmean"):
        raise Unsupported("no reduction {}".format(reduction))
    return int({"sum": 1, "mean": rows.size, "batchmean": rows.shape[0] if rows.ndim else 1}[reduction])


def batch_reduced(rows: Array, reduction: str) -> Array:
    """The rows, or their sum over its divisor."""
    return rows if reduction == "none" else rows.sum() / rows.dtype.type(divisor_of(rows, reduction))


def kl_div_gradient(
    upstream: Array, input: Array, target: Array, *, log_target: bool = False, reduction: str = "mean"
) -> Gradients:
    p = np.exp(target) if log_target else target
    share = upstream if reduction == "none" else upstream / input.dtype.type(divisor_of(p, reduction))
    rows = np.broadcast_to(share, p.shape)
    log_p = target if log_target else np.log(target)
    to_p = np.where((p == 0) & np.isinf(input), -np.inf, log_p - input + 1).astype(p.dtype)
    to_target = times(rows * p, to_p) if log_target else times(rows, to_p)
    return {"input": -(rows * p), "target": to_target}


@with_gradient(kl_div_gradient)
def kl_div(input: Array, target: Array, *, log_target: bool = False, reduction: str = "mean") -> Array:
    check_elements(input, target)
    p = np.exp(target) if log_target else target
    log_p = target if log_target else np.log(np.where(p == 0, 1, p).astype(p.dtype))
    rows = p * np.where(p == 0, 0, log_p - input).astype(p.dtype)
    return batch_reduced(rows, reduction)


def kl_div_naive(input: Array, target: Array, *, log_target: bool = False, reduction: str = "mean") -> Array:
    p = np.exp(target) if log_target else target
    return batch_reduced(p * np.log(p / np.exp(input)), reduction)
