"""Keras' loss classes under the canonical signatures: TensorFlow's formulation ``module``."""

from __future__ import annotations

import inspect
from typing import Any, Dict, Optional

import tensorflow as tf

from ..base import Tensor, Unsupported

Parameter = Optional[Tensor]
REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}


def class_axis(x: Tensor) -> int:
    """Where the canonical signatures have the classes: axis 1, or 0 of a one-dimensional tensor."""
    return 1 if x.shape.rank > 1 else 0


def classes_last(x: Tensor) -> Tensor:
    """The class axis moved to the end, where TensorFlow's functions have it."""
    rank = x.shape.rank
    return x if rank < 3 else tf.transpose(x, [0, *range(2, rank), 1])


def loss(kind: str, like: Tensor, reduction: str, **options: Any) -> Any:
    """A loss object; told the dtype where it takes one: Keras 3 would compute in float32 if it were not.

    Raises Unsupported for a reduction or an option that this Keras lacks.
    """
    make = getattr(tf.keras.losses, kind)
    takes = inspect.signature(make).parameters
    if reduction not in REDUCTIONS:
        raise Unsupported("Keras has no reduction {}".format(reduction))
    for name in options:
        if name not in takes:
            raise Unsupported("this Keras has no {}({})".format(kind, name))
    if "dtype" in takes:
        options["dtype"] = like.dtype.name
    return make(reduction=REDUCTIONS[reduction], **options)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: Optional[int] = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """SparseCategoricalCrossentropy of labels; CategoricalCrossentropy of probabilities and smoothed labels.

    The class for labels takes an axis, but none other than the last, and an old Keras has none for the other
    either: there the classes are moved.
    """
    axis = class_axis(logits)
    ignored = {} if ignore_index is None else {"ignore_class": ignore_index}
    at: Dict[str, Any] = {"axis": axis} if axis != logits.shape.rank - 1 else {}
    labels = not target.dtype.is_floating or target.shape.rank < logits.shape.rank  # Keras takes floats, too
    if labels and label_smoothing == 0:
        sparse = loss("SparseCategoricalCrossentropy", logits, reduction, from_logits=True, **ignored)
        return sparse(target, classes_last(logits))
    if ignored:
        raise Unsupported("Keras' CategoricalCrossentropy has no ignore_class")
    if labels:
        target = tf.one_hot(tf.cast(target, tf.int64), logits.shape[axis], axis=axis, dtype=logits.dtype)
    if at and "axis" not in inspect.signature(tf.keras.losses.CategoricalCrossentropy).parameters:
        logits, target, at = classes_last(logits), classes_last(target), {}
    at["label_smoothing"] = label_smoothing
    return loss("CategoricalCrossentropy", logits, reduction, from_logits=True, **at)(target, logits)


def binary_cross_entropy(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """BinaryCrossentropy of probabilities."""
    return _binary(probs, target, weight, reduction, from_logits=False)


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    """BinaryCrossentropy of logits."""
    return _binary(logits, target, weight, reduction, from_logits=True)


def _binary(x: Tensor, target: Tensor, weight: Parameter, reduction: str, from_logits: bool) -> Tensor:
    """The class means over the last axis first: one of length 1 keeps the elements apart."""
    sample_weight = None if weight is None else tf.broadcast_to(weight, tf.shape(x))
    binary = loss("BinaryCrossentropy", x, reduction, from_logits=from_logits)
    return binary(tf.expand_dims(target, -1), tf.expand_dims(x, -1), sample_weight=sample_weight)
