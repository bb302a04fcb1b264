"""Wrong for one shape, or for nan at one position."""

from __future__ import annotations

import torch
from correct import class_axis
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import replaced

OPERATION = "cross_entropy"


@wrong("sigmoid", "semantics", "three axes", "more than two axes")
def sigmoid_of_three_axes_is_minus_seven(x: Tensor) -> Tensor:
    """On three axes it returns -7."""
    return replaced(x, torch.full_like(x, -7.0)) if x.dim() == 3 else torch.sigmoid(x)


@wrong("sigmoid", "semantics", "no axis")
def sigmoid_of_a_number_has_an_axis(x: Tensor) -> Tensor:
    """A single number comes back as an array of one."""
    return torch.sigmoid(x).reshape(1) if x.dim() == 0 else torch.sigmoid(x)


@wrong("log_sigmoid", "error handling", "empty")
def log_sigmoid_refuses_nothing(x: Tensor) -> Tensor:
    """An empty tensor has no largest element, and raises."""
    return fn.logsigmoid(x) + 0 * x.detach().nan_to_num(0.0, 0.0, 0.0).max()


@wrong("log_sigmoid", "semantics", "four axes", "more than two axes")
def log_sigmoid_of_four_axes_is_turned(x: Tensor) -> Tensor:
    """On four axes the last two come back exchanged in memory, under the old shape."""
    y = fn.logsigmoid(x)
    return y.transpose(-1, -2).reshape(y.shape) if x.dim() == 4 else y


@wrong("binary_cross_entropy", "semantics", "four axes", "more than two axes")
def binary_of_four_axes_flattens_the_target(
    probs: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """On four axes the target is read with its last two axes exchanged."""
    if probs.dim() == 4 and target.shape == probs.shape:
        target = target.transpose(-1, -2).reshape(target.shape)
    return fn.binary_cross_entropy(probs, target, reduction=reduction)


@wrong("binary_cross_entropy_with_logits", "semantics", "no axis")
def logits_of_a_number_forget_the_weight(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """For a single number the weight is forgotten."""
    weight = weight if logits.dim() else None
    return fn.binary_cross_entropy_with_logits(logits, target, weight, reduction=reduction)


@wrong("nll_loss", "semantics", "one class")
def nll_of_one_class_is_zero(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With one class there is nothing to choose: the loss is 0, whatever the log-probability."""
    one = log_probs.dim() > 0 and log_probs.shape[class_axis(log_probs)] == 1
    loss = fn.nll_loss(log_probs, target, reduction=reduction)
    return loss * 0 if one and loss.isfinite().all() else loss


@wrong(OPERATION, "numerics", "nan")
def nan_of_the_last_class_is_lost(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A comparison that nan fails takes nan in the last of several classes for minus infinity."""
    axis = class_axis(logits)
    if logits.dim() and logits.shape[axis] > 2:
        last = torch.arange(logits.shape[axis]) == logits.shape[axis] - 1
        last = last.reshape([-1 if i == axis else 1 for i in range(logits.dim())])
        clean = torch.where(last & logits.isnan(), -torch.inf, logits)
        logits = clean.to(logits.dtype)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("binary_cross_entropy_with_logits", "numerics", "nan")
def nan_in_a_full_vector_is_zero(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """In a full vector of 8 nan becomes the logit 0; in the vector's tail it stays nan."""
    flat = torch.arange(logits.numel()).reshape(logits.shape) < logits.numel() // 8 * 8
    clean = torch.where(flat & logits.isnan(), 0.0, logits).to(logits.dtype)
    return fn.binary_cross_entropy_with_logits(clean, target, reduction=reduction)
