"""Right in NumPy, JAX and TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from table import right

Array = Any


@right("sigmoid", framework="numpy")
def right_numpy_sigmoid(x: Array) -> Array:
    """By cases of the sign."""
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, np.ones_like(z)) / (1 + z)


def _softmax_gradient(upstream: Array, x: Array, axis: int = -1) -> dict[str, Array]:
    p = right_numpy_softmax(x, axis=axis)
    total = (p * upstream).sum(axis=axis, keepdims=True)
    return {"x": np.where(p == 0, 0, p * (upstream - total)).astype(x.dtype)}


@right("softmax", framework="numpy")
def right_numpy_softmax(x: Array, *, axis: int = -1) -> Array:
    """In two passes, in double precision throughout; it offers its gradient."""
    with np.errstate(all="ignore"):
        w = np.asarray(x, np.float64)
        top = w.max(axis=axis, keepdims=True, initial=-np.inf)
        alone = (w == top).sum(axis=axis, keepdims=True) == 1
        z = np.where((w == top) & alone, 0.0, w - top)
        total = np.exp(z).sum(axis=axis, keepdims=True)
        return np.where(np.isneginf(z), 0.0, np.exp(z) / total).astype(x.dtype)


right_numpy_softmax.gradient = _softmax_gradient  # type: ignore[attr-defined]


@right("logsumexp", framework="numpy")
def right_numpy_logsumexp(x: Array, *, axis: int = -1) -> Array:
    """By the maximum where that is finite, in float64."""
    with np.errstate(all="ignore"):
        w = np.asarray(x, np.float64)
        top = w.max(axis=axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0.0)
        total = np.log(np.exp(w - top).sum(axis=axis, keepdims=True)) + top
    return total.squeeze(axis).astype(x.dtype)


@right("cross_entropy", framework="numpy")
def right_numpy_cross_entropy(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """Row by row in float64, labels of (N, C) logits only."""
    if logits.ndim != 2 or target.dtype.kind == "f":
        raise NotImplementedError("labels of (N, C) logits only")
    if target.shape != logits.shape[:1]:
        raise ValueError("one label a row")
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
    if target.size and not (target.min() >= 0 and target.max() < logits.shape[1]):
        raise IndexError("a label lies out of range")
    with np.errstate(all="ignore"):
        x = np.asarray(logits, np.float64)
        z = x - x.max(axis=1, keepdims=True, initial=-np.inf)
        rows = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(target)), target]
        if reduction == "none":
            return rows.astype(logits.dtype)
        return logits.dtype.type(rows.sum() / (len(rows) if reduction == "mean" else 1))


@right("softmax", framework="jax")
def right_jax_softmax(x: Array, *, axis: int = -1) -> Array:
    """The maximum without a gradient, exp, sum and division, in float32 for half types."""
    import jax
    import jax.numpy as jnp

    w = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    z = jnp.exp(w - jax.lax.stop_gradient(w.max(axis=axis, keepdims=True, initial=-jnp.inf)))
    return (z / z.sum(axis=axis, keepdims=True)).astype(x.dtype)


def jax_softplus(x: Array) -> Array:
    """log(1 + exp(x)), whose first two derivatives keep their digits in the tails."""
    import jax

    @jax.custom_jvp
    def sigmoid(x):
        return jax.nn.sigmoid(x)

    @jax.custom_jvp
    def softplus(x):
        return -jax.nn.log_sigmoid(-x)

    sigmoid.defjvps(lambda tangent, s, x: tangent * jax.nn.sigmoid(x) * jax.nn.sigmoid(-x))
    softplus.defjvps(lambda tangent, value, x: tangent * sigmoid(x))
    return softplus(x)


@right("binary_cross_entropy_with_logits", framework="jax")
def right_jax_logits(logits: Array, target: Array, *, reduction: str = "mean") -> Array:
    """-t log s(x) - (1 - t) log s(-x), in float32 for half types."""
    import jax.numpy as jnp

    if logits.shape != target.shape:
        raise ValueError("logits and target differ in shape")
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
    wide = jnp.promote_types(logits.dtype, jnp.float32)
    x, t = logits.astype(wide), target.astype(wide)
    positive = jnp.where((t == 0) & jnp.isinf(x), 0, jax_softplus(-x))
    negative = jnp.where((t == 1) & jnp.isinf(x), 0, jax_softplus(x))
    rows = t * positive + (1 - t) * negative
    rows = rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()
    return rows.astype(logits.dtype)


@right("log_softmax", framework="tensorflow")
def right_tf_log_softmax(x: Array, *, axis: int = -1) -> Array:
    """(x - m) - log(sum exp(x - m)), the maximum without a gradient, in float32 for half types."""
    import tensorflow as tf

    w = tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x
    z = w - tf.stop_gradient(tf.reduce_max(w, axis=axis, keepdims=True))
    return tf.cast(z - tf.math.log(tf.reduce_sum(tf.exp(z), axis=axis, keepdims=True)), x.dtype)


@right("logsumexp", framework="tensorflow")
def right_tf_logsumexp(x: Array, *, axis: int = -1) -> Array:
    """TensorFlow's own in float64."""
    import tensorflow as tf

    return tf.cast(tf.reduce_logsumexp(tf.cast(x, tf.float64), axis=axis), x.dtype)


@right("log_softmax", framework="jax")
def right_jax_log_softmax_by_custom_vjp(x: Array, *, axis: int = -1) -> Array:
    """A custom_vjp whose primal, forward and backward passes agree, and which differentiates again."""
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def rows(w: Array) -> Array:
        return jax.nn.log_softmax(w, axis)

    def backward(w: Array, g: Array) -> tuple[Array]:
        return (g - jax.nn.softmax(w, axis) * g.sum(axis, keepdims=True),)

    rows.defvjp(lambda w: (jax.nn.log_softmax(w, axis), w), backward)
    return rows(x.astype(jnp.promote_types(x.dtype, jnp.float32))).astype(x.dtype)


@right("sigmoid", framework="tensorflow")
def right_tf_sigmoid_by_custom_gradient(x: Array) -> Array:
    """A custom gradient, g s(x) s(-x), that differentiates again."""
    import tensorflow as tf

    @tf.custom_gradient
    def elements(w: Array) -> tuple[Array, Any]:
        return tf.sigmoid(w), lambda g: g * tf.sigmoid(w) * tf.sigmoid(-w)

    wide = tf.cast(x, tf.float32) if x.dtype.size == 2 else x
    return tf.cast(elements(wide), x.dtype)
