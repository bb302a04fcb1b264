"""Negative log-likelihoods in JAX, whose compositions define the gradient with respect to the weight."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

Array = jax.Array


def _composed(
    log_probs: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str
) -> tuple[Array, Array]:
    """The loss but for its divisor, and the divisor."""
    kept = target != ignore_index
    labels = jnp.where(kept, target, 0)
    wide = log_probs.astype(jnp.promote_types(log_probs.dtype, jnp.float32))
    picked = jnp.where(kept, jnp.take_along_axis(wide, labels[:, None], 1)[:, 0], 0)
    share = jnp.where(kept, jnp.ones_like(picked) if weight is None else weight.astype(wide.dtype)[labels], 0)
    rows = -share * picked
    return rows if reduction == "none" else rows.sum(), share.sum() if reduction == "mean" else jnp.ones_like(
        picked[0]
    )


def composed(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right, with the gradient with respect to the weight."""
    loss, divisor = _composed(log_probs, target, weight, ignore_index, reduction)
    return (loss / divisor).astype(log_probs.dtype)


def stopped(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right; the weight is a constant: JAX returns zeros for it."""
    weight = None if weight is None else jax.lax.stop_gradient(weight)
    loss, divisor = _composed(log_probs, target, weight, ignore_index, reduction)
    return (loss / divisor).astype(log_probs.dtype)


def constant_total(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Wrong: the weights' sum in the mean is a constant."""
    loss, divisor = _composed(log_probs, target, weight, ignore_index, reduction)
    return (loss / jax.lax.stop_gradient(divisor)).astype(log_probs.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _fused(log_probs: Array, target: Array, weight: Array, ignore_index: int, reduction: str) -> Array:
    return composed(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def _forward(
    log_probs: Array, target: Array, weight: Array, ignore_index: int, reduction: str
) -> tuple[Array, tuple[Array, Array, Array]]:
    return _fused(log_probs, target, weight, ignore_index, reduction), (log_probs, target, weight)


def _backward(
    ignore_index: int, reduction: str, kept: tuple[Array, Array, Array], upstream: Array
) -> tuple[Array, None, None]:
    log_probs, target, weight = kept
    loss = partial(composed, target=target, weight=weight, ignore_index=ignore_index, reduction=reduction)
    return *jax.vjp(loss, log_probs)[1](upstream), None, None


_fused.defvjp(_forward, _backward)


def fused(
    log_probs: Array,
    target: Array,
    *,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Right; its backward pass, written by hand, has None for the weight."""
    weight = jnp.ones_like(log_probs[0]) if weight is None else weight
    return _fused(log_probs, target, weight, ignore_index, reduction)
