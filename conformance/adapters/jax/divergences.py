"""Kullback-Leibler divergence of log-probabilities, composed: JAX has it of probabilities alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ..base import Tensor, Unsupported


def batch_reduced(rows: Tensor, reduction: str) -> Tensor:
    """The rows, their sum, their mean, or that over the batch; half types are summed in float32."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean", "batchmean"):
        raise Unsupported("no reduction {}".format(reduction))
    if reduction == "mean":
        return jnp.mean(rows)
    total = jnp.sum(rows.astype(jnp.float32) if rows.dtype.itemsize == 2 else rows)
    divisor = rows.shape[0] if reduction == "batchmean" and rows.ndim else 1
    return (total / divisor).astype(rows.dtype)


def kl_div_composed(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """t log t as minus entr(t), whose slope at 0 is infinite; a target of 0 removes its term."""
    if log_target:
        p = jnp.exp(target)
        return batch_reduced(p * jnp.where(p == 0, 0, target - input), reduction)
    term = target * jnp.where((target == 0) & jnp.isinf(input), 0, input)
    return batch_reduced(-jax.scipy.special.entr(target) - term, reduction)


def kl_div_naive(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The textbook's p log(p / q), of probabilities."""
    p = jnp.exp(target) if log_target else target
    return batch_reduced(p * jnp.log(p / jnp.exp(input)), reduction)
