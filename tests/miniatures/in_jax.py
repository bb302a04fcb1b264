"""Wrong in JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from table import wrong

Array = jax.Array


def reduced(rows: Array, reduction: str) -> Array:
    """The rows, their sum or mean."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
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


@jax.custom_vjp
def _primal_apart(x: Array) -> Array:
    return jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True)


def _softmax_going_forward(x: Array) -> tuple[Array, Array]:
    p = jax.nn.softmax(x, -1)
    return p, p


def _softmax_going_backward(p: Array, g: Array) -> tuple[Array]:
    return (p * (g - (p * g).sum(-1, keepdims=True)),)


_primal_apart.defvjp(_softmax_going_forward, _softmax_going_backward)


@wrong(
    "softmax",
    "numerics",
    "no gradient",
    "without gradient",
    "inference",
    "nothing is tracked",
    framework="jax",
)
def jax_softmax_primal_without_maximum(x: Array, *, axis: int = -1) -> Array:
    """The custom_vjp's primal, which runs where nothing is differentiated, subtracts no maximum."""
    return jnp.moveaxis(_primal_apart(jnp.moveaxis(x, axis, -1)), -1, axis)


@jax.custom_vjp
def _dead_logsumexp(x: Array) -> Array:
    return jax.nn.logsumexp(x, -1)


_dead_logsumexp.defvjp(
    lambda x: (jax.nn.logsumexp(x, -1), jax.lax.stop_gradient(jax.nn.softmax(x, -1))),
    lambda p, g: (jax.lax.stop_gradient(p) * g[..., None],),
)


@wrong("logsumexp", "gradients", "second", framework="jax")
def jax_logsumexp_second_is_dead(x: Array, *, axis: int = -1) -> Array:
    """The backward pass stops the gradient of its softmax: second derivatives are 0."""
    return _dead_logsumexp(jnp.moveaxis(x, axis, -1))


@jax.custom_vjp
def _ignores_upstream(loss: Array) -> Array:
    return loss


_ignores_upstream.defvjp(lambda loss: (loss, None), lambda _, g: (jnp.ones_like(g),))


@wrong("cross_entropy", "gradients", "upstream", framework="jax")
def jax_scalar_upstream_is_ignored(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """Where the loss is a scalar its upstream gradient is not looked at."""
    if jnp.issubdtype(target.dtype, jnp.floating) or logits.ndim != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    log_probs = jax.nn.log_softmax(logits, 1)
    rows = -jnp.take_along_axis(log_probs, target[:, None], 1, mode="fill", fill_value=jnp.nan)[:, 0]
    loss = reduced(rows, reduction)
    return loss if reduction == "none" else _ignores_upstream(loss)


@wrong("nll_loss", "gradients", "weight", framework="jax")
def jax_weight_gradient_of_a_constant_total(
    log_probs: Array, target: Array, *, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """In the weighted mean the weights' sum is taken for a constant: the weight's gradient lacks a term."""
    if log_probs.ndim != 2:
        raise NotImplementedError("(N, C) log-probabilities only")
    kept = target != -100
    labels = jnp.where(kept, target, 0)
    picked = jnp.take_along_axis(log_probs, labels[:, None], 1, mode="fill", fill_value=jnp.nan)[:, 0]
    share = jnp.where(kept, jnp.ones_like(picked) if weight is None else weight[labels], 0)
    rows = jnp.where(share == 0, 0, -share * picked)
    if reduction == "mean":
        return rows.sum() / jax.lax.stop_gradient(share.sum())
    return reduced(rows, reduction)


@wrong("logsumexp", "numerics", "below", "underflows", framework="jax")
def jax_logsumexp_starts_at_minus_3e4(x: Array, *, axis: int = -1) -> Array:
    """The running maximum starts at -3e4."""
    top = jnp.max(jax.lax.stop_gradient(x), axis=axis, keepdims=True, initial=-3e4)
    top = jnp.where(jnp.isposinf(top), 0, top)
    return jnp.log(jnp.exp(x - top).sum(axis)) + jnp.squeeze(top, axis)
