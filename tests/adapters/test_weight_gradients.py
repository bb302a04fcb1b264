"""Which losses of the installed frameworks are differentiable with respect to their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
import torch
from torch.nn import functional

X = torch.linspace(-2, 2, 12).reshape(3, 4)
SOFT = torch.softmax(X.flip(0), 1)
LABELS = torch.tensor([1, 3, 0])

REFUSED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "nll_loss": lambda w: functional.nll_loss(X, LABELS, weight=w),
    "cross_entropy": lambda w: functional.cross_entropy(X, LABELS, weight=w),
    "cross_entropy, smoothed": lambda w: functional.cross_entropy(X, LABELS, weight=w, label_smoothing=0.1),
    "binary_cross_entropy": lambda w: functional.binary_cross_entropy(SOFT, SOFT, weight=w),
    "weight of logits": lambda w: functional.binary_cross_entropy_with_logits(X, SOFT, weight=w),
    "pos_weight": lambda w: functional.binary_cross_entropy_with_logits(X, SOFT, pos_weight=w),
}


@pytest.mark.parametrize("name", REFUSED)
def test_torch_refuses_the_gradient_of_a_weight(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"is not differentiable with respect to argument '(pos_)?weight'"):
        REFUSED[name](torch.ones(4, requires_grad=True))


def test_torch_has_that_of_class_probabilities() -> None:
    weight = torch.ones(4, requires_grad=True)
    (gradient,) = torch.autograd.grad(functional.cross_entropy(X, SOFT, weight=weight), weight)
    torch.testing.assert_close(gradient, (-SOFT * torch.log_softmax(X, 1)).mean(0))


def test_tensorflow_has_that_of_the_positive_weight() -> None:
    x, t, weight = (tf.constant(each.numpy()) for each in (X, SOFT, torch.ones(4)))
    with tf.GradientTape() as tape:
        tape.watch(weight)
        loss: Any = tf.reduce_sum(tf.nn.weighted_cross_entropy_with_logits(t, x, weight))
    expected = (SOFT * functional.softplus(-X)).sum(0)
    torch.testing.assert_close(torch.from_numpy(tape.gradient(loss, weight).numpy()), expected)
