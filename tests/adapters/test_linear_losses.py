"""What is said of PyTorch's linear cross-entropy where the corpus does not ask it: the same code is asked."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear, linear_cross_entropy

SHAPES = ((1, 8), (16, 8), (16,))
HIDDEN, HEAD, BIAS = (torch.randn(shape, generator=torch.manual_seed(1)) for shape in SHAPES)


@pytest.mark.parametrize("options", [None, nn.LinearCrossEntropyOptions()], ids=["whole", "chunked"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_vector_is_a_row(options: object, reduction: str) -> None:
    """Hidden states without the axis of rows have the bits of one row with it, and so have gradients."""
    results = []
    for hidden, target in ((HIDDEN, torch.tensor([3])), (HIDDEN[0], torch.tensor(3))):
        inputs = [hidden.clone().requires_grad_(), HEAD.clone().requires_grad_()]
        loss = linear_cross_entropy(*inputs, target, linear_bias=BIAS, reduction=reduction, options=options)
        gradients = torch.autograd.grad(loss.sum(), inputs)
        results.append([loss.reshape(()), *(gradient.reshape(-1) for gradient in gradients)])
    assert all(torch.equal(row, vector) for row, vector in zip(*results, strict=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.125])
def test_class_probabilities_are_handed_to_cross_entropy(smoothing: float) -> None:
    """The loss of class probabilities has the bits of cross_entropy of the layer's outputs."""
    hidden = torch.randn((4, 8), generator=torch.manual_seed(2))
    target = torch.softmax(torch.randn((4, 16), generator=torch.manual_seed(3)), 1)
    loss = linear_cross_entropy(hidden, HEAD, target, linear_bias=BIAS, label_smoothing=smoothing)
    composed = cross_entropy(linear(hidden, HEAD, BIAS), target, label_smoothing=smoothing)
    assert torch.equal(loss, composed)
