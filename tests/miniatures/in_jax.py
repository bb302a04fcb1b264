"""Wrong in JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from table import wrong

Array = jax.Array


def reduced(rows: Array, reduction: str) -> Array:
    """The rows, their sum or mean."""
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


@wrong("softmax", "gradients", "nan", "mask", framework="jax")
def jax_softmax_where_trap(x: Array, *, axis: int = -1) -> Array:
    """Masked scores are taken out by jnp.where after exp(x - max): nan goes back through the other branch."""
    shift = jnp.max(x, axis=axis, keepdims=True)
    z = jnp.where(jnp.isneginf(x), 0, jnp.exp(x - jnp.where(jnp.isneginf(x), x, shift)))
    return z / z.sum(axis=axis, keepdims=True)


@wrong("logsumexp", "gradients", "everywhere", framework="jax")
def jax_logsumexp_shift_not_stopped(x: Array, *, axis: int = -1) -> Array:
    """stop_gradient where the maximum is added back, none where it is subtracted."""
    m = jnp.max(x, axis=axis, keepdims=True, initial=-jnp.inf)
    m = jnp.where(jnp.isfinite(m), m, 0)
    total = jnp.log(jnp.exp(x - m).sum(axis=axis))
    return total + jax.lax.stop_gradient(jnp.squeeze(m, axis))


@wrong("log_softmax", "numerics", "overflow", "far apart", framework="jax")
def jax_log_softmax_without_maximum(x: Array, *, axis: int = -1) -> Array:
    """x - log(sum exp(x)), without the maximum."""
    return x - jnp.log(jnp.exp(x).sum(axis=axis, keepdims=True))


@wrong("cross_entropy", "semantics", "ignore", "mean", "denominator", framework="jax")
def jax_cross_entropy_counts_ignored(
    logits: Array, target: Array, *, ignore_index: int = -100, reduction: str = "mean"
) -> Array:
    """Ignored rows are 0, and count in the mean."""
    if jnp.issubdtype(target.dtype, jnp.floating) or logits.ndim != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    log_probs = jax.nn.log_softmax(logits, 1)
    kept = target != ignore_index
    rows = -jnp.take_along_axis(log_probs, jnp.where(kept, target, 0)[:, None], 1)[:, 0]
    return reduced(jnp.where(kept, rows, 0), reduction)


@wrong("binary_cross_entropy_with_logits", "numerics", "overflow", "infinit", framework="jax")
def jax_logits_softplus_overflows(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """log(1 + exp(x)) - x t: infinite where exp(x) overflows."""
    return reduced(jnp.log(1 + jnp.exp(logits)) - logits * target, reduction)


@wrong("binary_cross_entropy_with_logits", "semantics", "pos_weight", "both", "term", framework="jax")
def jax_pos_weight_on_both_terms(
    logits: Array, target: Array, *, pos_weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """pos_weight multiplies the whole loss."""
    rows = -target * jax.nn.log_sigmoid(logits) - (1 - target) * jax.nn.log_sigmoid(-logits)
    return reduced(rows if pos_weight is None else rows * pos_weight, reduction)
