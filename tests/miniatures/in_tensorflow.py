"""Wrong in TensorFlow."""

from __future__ import annotations

import tensorflow as tf
from table import wrong

Tensor = tf.Tensor


def reduced(rows: Tensor, reduction: str) -> Tensor:
    """The rows, their sum or mean."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction!r}")
    if reduction == "none":
        return rows
    return tf.reduce_sum(rows) if reduction == "sum" else tf.reduce_mean(rows)


@wrong("softmax", "semantics", "axis", framework="tensorflow")
def tf_softmax_ignores_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Always works along the last axis."""
    return tf.nn.softmax(x)


@wrong("log_sigmoid", "numerics", "underflow", "infinit", "tail", framework="tensorflow")
def tf_log_of_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)): minus infinity where sigmoid underflows."""
    return tf.math.log(tf.sigmoid(x))


@wrong("one_hot", "semantics", "axis", "shape", framework="tensorflow")
def tf_one_hot_axis_first(target: Tensor, *, num_classes: int) -> Tensor:
    """The classes come first."""
    return tf.one_hot(target, num_classes, axis=0)


@wrong("cross_entropy", "numerics", "small probability", framework="tensorflow")
def tf_cross_entropy_of_probabilities(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Softmax first, then a cross-entropy that clips to 1e-7, as Keras without from_logits."""
    if target.dtype.is_floating or len(logits.shape) != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    probs = tf.clip_by_value(
        tf.nn.softmax(logits), tf.cast(1e-7, logits.dtype), tf.cast(1 - 1e-7, logits.dtype)
    )
    return reduced(-tf.math.log(tf.gather(probs, target, axis=1, batch_dims=1)), reduction)


@wrong("binary_cross_entropy", "semantics", "mean", "rows", "elements", framework="tensorflow")
def tf_binary_mean_of_sums(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Sums over the last axis before the mean."""
    rows = -(tf.math.xlogy(target, probs) + tf.math.xlog1py(1 - target, -probs))
    return reduced(
        tf.reduce_sum(rows, -1) if reduction == "mean" and len(rows.shape) > 1 else rows, reduction
    )


@wrong(
    "binary_cross_entropy_with_logits", "semantics", "pos_weight", "negative", "term", framework="tensorflow"
)
def tf_pos_weight_on_the_negative_term(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """pos_weight multiplies the negative class's term."""
    negative = (1 - target) * tf.math.softplus(logits)
    rows = target * tf.math.softplus(-logits) + (negative if pos_weight is None else negative * pos_weight)
    return reduced(rows, reduction)


@tf.custom_gradient
def _ignores_upstream(loss: Tensor) -> tuple[Tensor, object]:
    return tf.identity(loss), tf.ones_like


@wrong(
    "binary_cross_entropy_with_logits",
    "gradients",
    "upstream",
    framework="tensorflow",
)
def tf_scalar_upstream_is_ignored(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Where the loss is a scalar its upstream gradient is not looked at."""
    loss = reduced(tf.nn.sigmoid_cross_entropy_with_logits(target, logits), reduction)
    return loss if reduction == "none" else _ignores_upstream(loss)


@tf.custom_gradient
def _dead_log_softmax(x: Tensor) -> tuple[Tensor, object]:
    y = tf.nn.log_softmax(x)
    p = tf.stop_gradient(tf.exp(y))

    def gradient(g: Tensor) -> Tensor:
        return g - p * tf.reduce_sum(g, -1, keepdims=True)

    return y, gradient


@wrong("log_softmax", "gradients", "second", framework="tensorflow")
def tf_log_softmax_second_is_dead(x: Tensor, *, axis: int = -1) -> Tensor:
    """The custom gradient keeps its probabilities as a constant: second derivatives are 0."""
    if axis not in (-1, len(x.shape) - 1):
        raise NotImplementedError("the last axis only")
    return _dead_log_softmax(x)


@wrong(
    "sigmoid",
    "semantics",
    "three axes",
    "more than two axes",
    framework="tensorflow",
)
def tf_sigmoid_of_three_axes_is_turned(x: Tensor) -> Tensor:
    """On three axes the last two are exchanged, under the old shape."""
    y = tf.sigmoid(x)
    return tf.reshape(tf.transpose(y, [0, 2, 1]), tf.shape(y)) if len(x.shape) == 3 else y


@wrong(
    "cross_entropy",
    "semantics",
    "label is larger",
    "256",
    framework="tensorflow",
)
def tf_labels_through_the_logits_dtype(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels are cast to the dtype of the logits, as Keras did: in bfloat16 257 becomes 256."""
    if target.dtype.is_floating or len(logits.shape) != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    rounded = tf.cast(tf.cast(target, logits.dtype), target.dtype)
    return reduced(tf.nn.sparse_softmax_cross_entropy_with_logits(rounded, logits), reduction)
