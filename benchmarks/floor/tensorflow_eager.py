"""TensorFlow's floor: eager, gradients by one tape a formulation.

python benchmarks/floor/tensorflow_eager.py CALLS
"""

from __future__ import annotations

import os
import sys

from calls import GRADIENT, SECOND, TANGENT, Call, Results, clock, measure

START = clock()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its import takes these along where they are installed, for no operation: a fifth of its time.
sys.modules.update(dict.fromkeys(("jax", "pandas", "pyarrow")))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

IMPORTED = clock()
tf.config.set_visible_devices([], "GPU")
tf.get_logger().setLevel("ERROR")
log_softmax = tf.nn.log_softmax


def class_axis(x) -> int:
    return 1 if x.shape.rank > 1 else 0


def classes_last(x):
    rank = x.shape.rank
    return x if rank < 3 else tf.transpose(x, [0, *range(2, rank), 1])


def total(rows, reduction, share=None):
    if reduction == "none":
        return rows
    if reduction == "sum":
        return tf.reduce_sum(rows)
    if reduction != "mean":
        raise ValueError(reduction)
    return tf.reduce_mean(rows) if share is None else tf.reduce_sum(rows) / tf.reduce_sum(share)


def wide_total(rows, reduction, share=None):
    """In float32 where the rows are of a half type: whoever sums by hand has to."""
    if reduction == "none" or rows.dtype.size != 2:
        return total(rows, reduction, share)
    wide = None if share is None else tf.cast(share, tf.float32)
    return tf.cast(total(tf.cast(rows, tf.float32), reduction, wide), rows.dtype)


def zero_removes(coefficient, term):
    return tf.math.multiply_no_nan(term, coefficient)


def manual_softmax(x, axis=-1):
    exp = tf.exp(x)
    return exp / tf.reduce_sum(exp, axis=axis, keepdims=True)


def manual_log_softmax(x, axis=-1):
    return tf.math.log(manual_softmax(x, axis))


def naive_log_softmax(x, axis=-1):
    return tf.math.log(tf.nn.softmax(x, axis=axis))


def manual_one_hot(target, num_classes):
    return tf.cast(target[..., tf.newaxis] == tf.range(num_classes, dtype=target.dtype), tf.float32)


def labels_of(target, weight, ignore_index, like):
    ignored = target == tf.cast(ignore_index, target.dtype)
    labels = tf.where(ignored, tf.zeros_like(target), target)
    counts = tf.cast(~ignored, like.dtype)
    return labels, counts, counts if weight is None else zero_removes(counts, tf.gather(weight, labels))


def gathered(log_probs, labels):
    index = tf.cast(labels, tf.int32) if labels.dtype == tf.int16 else labels
    if labels.shape.rank == 1:
        return tf.gather_nd(log_probs, with_row(index))
    flat = tf.reshape(classes_last(log_probs), [-1, log_probs.shape[class_axis(log_probs)]])
    return tf.reshape(tf.gather_nd(flat, with_row(tf.reshape(index, [-1]))), labels.shape)


def with_row(index):
    return tf.stack([tf.cast(tf.range(index.shape[0]), index.dtype), index], axis=1)


def by_one_hot(log_probs, labels):
    axis = class_axis(log_probs)
    hot = tf.one_hot(labels, log_probs.shape[axis], axis=axis, dtype=log_probs.dtype)
    return tf.reduce_sum(hot * log_probs, axis=axis)


def nll(entries):
    def loss(log_probs, target, weight=None, ignore_index=-100, reduction="mean"):
        labels, _, share = labels_of(target, weight, ignore_index, log_probs)
        return wide_total(-zero_removes(share, entries(log_probs, labels)), reduction, share)

    return loss


def cross_entropy(log_softmax, entries, product=tf.multiply):
    def over_classes(log_probs, target, weight):
        axis = class_axis(log_probs)
        if weight is not None:
            weight = tf.reshape(weight, [-1 if i == axis else 1 for i in range(log_probs.shape.rank)])
            log_probs = product(weight, log_probs)
        return -tf.reduce_sum(product(target, log_probs), axis=axis)

    def loss(logits, target, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
        axis = class_axis(logits)
        log_probs, evenly = log_softmax(logits, axis=axis), label_smoothing / logits.shape[axis]
        if target.dtype.is_floating:
            if label_smoothing:
                target = target * (1 - label_smoothing) + evenly
            return wide_total(over_classes(log_probs, target, weight), reduction)
        labels, counts, share = labels_of(target, weight, ignore_index, logits)
        rows = -zero_removes(share, entries(log_probs, labels))
        if label_smoothing:
            smooth = zero_removes(counts, over_classes(log_probs, tf.ones_like(log_probs), weight))
            rows = rows * (1 - label_smoothing) + smooth * evenly
        return wide_total(rows, reduction, share)

    return loss


def functional_cross_entropy(logits, target, reduction="mean"):
    if target.dtype.is_floating:
        axis = class_axis(logits)
        return total(tf.nn.softmax_cross_entropy_with_logits(target, logits, axis=axis), reduction)
    rows = tf.nn.sparse_softmax_cross_entropy_with_logits(target, classes_last(logits))
    return total(rows, reduction)


def keras_loss(kind, x, reduction, **options):
    names = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}
    return getattr(tf.keras.losses, kind)(reduction=names[reduction], dtype=x.dtype.name, **options)


def keras_cross_entropy(logits, target, ignore_index=None, label_smoothing=0.0, reduction="mean"):
    axis, options = class_axis(logits), {"from_logits": True}
    if not target.dtype.is_floating and not label_smoothing:
        if ignore_index is not None:
            options["ignore_class"] = ignore_index
        sparse = keras_loss("SparseCategoricalCrossentropy", logits, reduction, **options)
        return sparse(target, classes_last(logits))
    if not target.dtype.is_floating:
        target = tf.one_hot(target, logits.shape[axis], axis=axis, dtype=logits.dtype)
    if axis != logits.shape.rank - 1:
        options["axis"] = axis
    options["label_smoothing"] = label_smoothing
    return keras_loss("CategoricalCrossentropy", logits, reduction, **options)(target, logits)


def keras_binary(from_logits):
    def loss(x, target, weight=None, reduction="mean"):
        weight = None if weight is None else tf.broadcast_to(weight, tf.shape(x))
        binary = keras_loss("BinaryCrossentropy", x, reduction, from_logits=from_logits)
        # It takes a mean over the last axis: one of length 1 keeps the elements apart.
        return binary(target[..., tf.newaxis], x[..., tf.newaxis], sample_weight=weight)

    return loss


def functional_bce(probs, target, reduction="mean"):
    rows = tf.keras.losses.binary_crossentropy(target[..., tf.newaxis], probs[..., tf.newaxis])
    return total(rows, reduction)


def weighted(rows, weight, reduction):
    return wide_total(rows if weight is None else rows * weight, reduction)


def composed_bce(probs, target, weight=None, reduction="mean"):
    one = tf.ones_like(target)
    # The older tf.where: the gradient of the newer one takes 14 operations.
    log_p = tf.math.log(tf.compat.v1.where((target == 0) & (probs == 0), one, probs))
    log_1_p = tf.math.log1p(-tf.compat.v1.where((target == 1) & (probs == 1), tf.zeros_like(probs), probs))
    return weighted(-(zero_removes(target, log_p) + zero_removes(one - target, log_1_p)), weight, reduction)


def manual_bce(probs, target, weight=None, reduction="mean"):
    rows = -(target * tf.math.log(probs) + (1 - target) * tf.math.log(1 - probs))
    return weighted(rows, weight, reduction)


def functional_bce_with_logits(logits, target, pos_weight=None, reduction="mean"):
    if pos_weight is None:
        return total(tf.nn.sigmoid_cross_entropy_with_logits(target, logits), reduction)
    return total(tf.nn.weighted_cross_entropy_with_logits(target, logits, pos_weight), reduction)


def bce_with_logits(log_sigmoid, product=tf.multiply):
    def loss(logits, target, weight=None, pos_weight=None, reduction="mean"):
        positive = target if pos_weight is None else target * pos_weight
        negative = tf.ones_like(target) - target
        rows = -(product(positive, log_sigmoid(logits)) + product(negative, log_sigmoid(-logits)))
        return weighted(rows, weight, reduction)

    return loss


FORMULATIONS = {
    "sigmoid": {
        "functional": tf.math.sigmoid,
        "module": lambda x: tf.keras.layers.Activation("sigmoid", dtype=x.dtype.name)(x),
        "manual": lambda x: 1 / (1 + tf.exp(-x)),
    },
    "log_sigmoid": {
        "functional": tf.math.log_sigmoid,
        "composed": lambda x: -tf.math.softplus(-x),
        "naive": lambda x: tf.math.log(tf.math.sigmoid(x)),
    },
    "softmax": {
        "functional": tf.nn.softmax,
        "module": lambda x, axis=-1: tf.keras.layers.Softmax(axis=axis, dtype=x.dtype.name)(x),
        "composed": lambda x, axis=-1: tf.exp(tf.nn.log_softmax(x, axis=axis)),
        "manual": manual_softmax,
    },
    "log_softmax": {
        "functional": log_softmax,
        "composed": lambda x, axis=-1: x - tf.reduce_logsumexp(x, axis=axis, keepdims=True),
        "naive": naive_log_softmax,
        "manual": manual_log_softmax,
    },
    "logsumexp": {
        "functional": lambda x, axis=-1: tf.reduce_logsumexp(x, axis=axis),
        "manual": lambda x, axis=-1: tf.math.log(tf.reduce_sum(tf.exp(x), axis=axis)),
    },
    "one_hot": {
        "functional": lambda target, num_classes: tf.one_hot(target, num_classes),
        "manual": manual_one_hot,
    },
    "nll_loss": {"composed": nll(gathered), "one_hot": nll(by_one_hot)},
    "cross_entropy": {
        "functional": functional_cross_entropy,
        "module": keras_cross_entropy,
        "composed": cross_entropy(log_softmax, gathered, zero_removes),
        "one_hot": cross_entropy(log_softmax, by_one_hot),
        "naive": cross_entropy(naive_log_softmax, gathered),
        "manual": cross_entropy(manual_log_softmax, by_one_hot),
    },
    "binary_cross_entropy": {
        "functional": functional_bce,
        "module": keras_binary(from_logits=False),
        "composed": composed_bce,
        "manual": manual_bce,
    },
    "binary_cross_entropy_with_logits": {
        "functional": functional_bce_with_logits,
        "module": keras_binary(from_logits=True),
        "composed": bce_with_logits(tf.math.log_sigmoid, zero_removes),
        "naive": lambda x, t, **more: functional_bce(tf.math.sigmoid(x), t, **more),
        "manual": bce_with_logits(lambda x: -tf.math.log(1 + tf.exp(-x))),
    },
}


def carry_out(call: Call) -> Results:
    """Every formulation's value and gradients, out of the same tensors."""
    tensors = {
        name: tf.constant(array.view(tf.bfloat16.as_numpy_dtype) if name in call.bits else array)
        for name, array in call.arrays.items()
    }
    upstream, direction = tensors.pop("upstream", None), tensors.pop("direction", None)
    inputs = [tensors.pop(name) for name in call.inputs]
    named = {**dict(zip(call.inputs, inputs, strict=True)), **tensors}
    results: Results = {}
    for formulation, quantities in call.quantities.items():
        function = FORMULATIONS[call.operation][formulation]

        def loss(function=function):
            return function(*inputs, **tensors, **call.scalars)

        wrt = [name for name in quantities if name.startswith((GRADIENT, SECOND))]
        sources = [named[name.partition(":")[2]] for name in wrt]
        try:
            value, tape = taped(loss, sources)
            if "value" in quantities:
                results[f"{formulation} value"] = as_array(value)
            gradients = derivatives(loss, value, tape, wrt, sources, upstream, direction)
            results.update(
                {f"{formulation} {name}": as_array(g) for name, g in zip(wrt, gradients, strict=True)}
            )
            for name in quantities:
                if name.startswith(TANGENT):
                    source = named[name.partition(":")[2]]
                    results[f"{formulation} {name}"] = as_array(tangent(loss, source, direction))
        except Exception:
            continue  # a call that the case expects to be refused, or that this version refuses
    return results


def taped(loss, sources):
    if not sources:
        return loss(), None
    with tf.GradientTape() as tape:
        tape.watch(sources)
        return loss(), tape


def derivatives(loss, value, tape, wrt, sources, upstream, direction):
    if not wrt:
        return []
    if wrt[-1].startswith(GRADIENT):
        return tape.gradient(value, sources, upstream)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(sources)
        inner_value, inner = taped(loss, sources)
        gradients = inner.gradient(inner_value, sources, upstream)
    return [
        outer.gradient(gradient, source, direction, tf.UnconnectedGradients.ZERO)
        if name.startswith(SECOND)
        else gradient
        for name, gradient, source in zip(wrt, gradients, sources, strict=True)
    ]


def tangent(loss, source, direction):
    with tf.autodiff.ForwardAccumulator(source, direction) as accumulator:
        value = loss()
    return accumulator.jvp(value, tf.UnconnectedGradients.ZERO)


def as_array(tensor):
    array = np.asarray(tf.convert_to_tensor(tensor).numpy())
    return array.view(np.int16) if tensor.dtype == tf.bfloat16 else array


if __name__ == "__main__":
    measure(START, IMPORTED, carry_out)
