"""Sigmoid focal loss: Keras' BinaryFocalCrossentropy, and composed."""

from __future__ import annotations

import tensorflow as tf

from ..base import Tensor
from .divergences import batch_reduced
from .keras_losses import loss


def sigmoid_focal_loss_module(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """Keras' class, which means over the last axis first: one of length 1 keeps the elements apart."""
    balance = {"apply_class_balancing": alpha >= 0, "alpha": alpha}
    focal = loss("BinaryFocalCrossentropy", logits, reduction, gamma=gamma, from_logits=True, **balance)
    return focal(tf.expand_dims(target, -1), tf.expand_dims(logits, -1))


def weighed(rows: Tensor, p: Tensor, target: Tensor, alpha: float, gamma: float) -> Tensor:
    """The elements times a_t (1 - p_t)^gamma."""
    agree = p * target + (1 - p) * (1 - target)
    rows = rows * (1 - agree) ** gamma
    return rows if alpha < 0 else (alpha * target + (1 - alpha) * (1 - target)) * rows


def sigmoid_focal_loss_composed(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid, and binary cross-entropy with logits, as detectors write it."""
    rows = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return batch_reduced(weighed(rows, tf.math.sigmoid(logits), target, alpha, gamma), reduction)


def sigmoid_focal_loss_naive(
    logits: Tensor, target: Tensor, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Tensor:
    """By the sigmoid and its logarithm."""
    p = tf.math.sigmoid(logits)
    rows = -(target * tf.math.log(p) + (1 - target) * tf.math.log(1 - p))
    return batch_reduced(weighed(rows, p, target, alpha, gamma), reduction)
