"""NLL loss, wrong."""

from __future__ import annotations

import torch
from correct import by_hand, check_labels, class_axis, given, of_labels, parts, reduced, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn


@wrong("nll_loss", "semantics", "everywhere")
def nll_loss_takes_another_logarithm(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes the logarithm of the log-probabilities again, as if they were probabilities."""
    return fn.nll_loss(torch.log(log_probs), target, reduction=reduction)


@wrong("nll_loss", "semantics", "everywhere", "sum to one")
def nll_loss_normalises_again(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Is a cross-entropy: rows that do not sum to one are normalised silently."""
    return fn.cross_entropy(log_probs, target, reduction=reduction)


@wrong("nll_loss", "semantics", "wrong sign")
def nll_loss_wrong_sign(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The likelihood itself, not its negative."""
    return -fn.nll_loss(log_probs, target, reduction=reduction)


@wrong("nll_loss", "semantics", "weight", "mean", "denominator")
def nll_loss_mean_over_rows(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean divides by the number of rows, not by the sum of their weights."""
    p = parts(of_labels(log_probs, target, -100), target, weight, log_softmax=given)
    return reduced(p.rows, torch.ones_like(p.share), reduction, log_probs.dtype)


@wrong("nll_loss", "semantics", "weight", "none", "reduction")
def nll_loss_weights_in_the_mean_alone(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Reduction none and sum forget the class weights."""
    return fn.nll_loss(log_probs, target, weight if reduction == "mean" else None, reduction=reduction)


@wrong("nll_loss", "semantics", "ignore", "mean", "denominator")
def nll_loss_counts_ignored_rows(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows count in the mean's denominator."""
    p = parts(of_labels(log_probs, target, ignore_index), target, None, ignore_index, log_softmax=given)
    return reduced(p.rows, torch.ones_like(p.share), reduction, log_probs.dtype)


@wrong("nll_loss", "semantics", "ignore", "class")
def nll_loss_ignores_negative_alone(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """An ignore_index that is one of the classes is not ignored."""
    kept = ignore_index if ignore_index < 0 else -100
    return fn.nll_loss(log_probs, target, ignore_index=kept, reduction=reduction)


@wrong("nll_loss", "semantics", "ignore", "infinit", "nan")
def nll_loss_multiplies_by_the_mask(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows are multiplied by 0: an infinity in one makes the loss nan."""
    check_labels(target, log_probs.shape[class_axis(log_probs)], ignore_index)
    kept = (target != ignore_index).to(log_probs.dtype)
    labels = torch.where(target == ignore_index, 0, target)
    rows = fn.nll_loss(log_probs, labels, reduction="none") * kept
    return reduced(widened(rows), widened(kept), reduction, log_probs.dtype)


@wrong("nll_loss", "gradients", "ignore")
def nll_loss_gradient_of_ignored_rows(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Ignored rows have a gradient, at class 0."""
    axis = class_axis(log_probs)
    value = fn.nll_loss(log_probs.detach(), target, ignore_index=ignore_index, reduction=reduction)
    kept = target != ignore_index

    def gradient(g: Tensor) -> Tensor:
        flow = (g / kept.sum() if reduction == "mean" else g).expand(kept.shape).unsqueeze(axis)
        return -torch.zeros_like(log_probs).scatter(axis, torch.where(kept, target, 0).unsqueeze(axis), flow)

    return by_hand(log_probs, value, gradient)


@wrong("nll_loss", "error handling", "label", "negative", "wrap")
def nll_loss_wraps_negative_labels(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Label -1 is the last class, as indexing has it."""
    classes = log_probs.shape[class_axis(log_probs)]
    return fn.nll_loss(log_probs, torch.where(target < 0, target + classes, target), reduction=reduction)


@wrong("nll_loss", "semantics", "axis", "class", "shape")
def nll_loss_classes_last(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Takes the last axis for the classes."""
    check_labels(target, log_probs.shape[-1], -100)
    rows = -log_probs.reshape(*target.shape, -1).gather(-1, target.unsqueeze(-1)).squeeze(-1)
    return reduced(rows, torch.ones_like(rows), reduction, log_probs.dtype)


@wrong("nll_loss", "semantics", "reduction", "none", "shape")
def nll_loss_flattens(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reduction none returns the rows of an (N, C, d) input flattened."""
    value = fn.nll_loss(log_probs, target, reduction=reduction)
    return value.flatten() if value.dim() else value


@wrong("nll_loss", "gradients", "upstream", "none")
def nll_loss_gradient_of_the_first_upstream(
    log_probs: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """With reduction none every row gets the first row's upstream gradient."""
    leaf = log_probs.detach().requires_grad_()
    with torch.enable_grad():
        inner = fn.nll_loss(leaf, target, reduction=reduction)

    def gradient(g: Tensor) -> Tensor:
        return torch.autograd.grad(inner, leaf, g.flatten()[:1].sum().expand(g.shape), retain_graph=True)[0]

    return by_hand(log_probs, inner.detach(), gradient)


@wrong("nll_loss", "numerics", "mean", "rows", "accumulat")
def nll_loss_running_mean_in_half(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Adds up the rows in the dtype that comes in: a half sum stops growing."""
    rows = fn.nll_loss(log_probs, target, reduction="none").flatten()
    if reduction == "none":
        return fn.nll_loss(log_probs, target, reduction="none")
    total = torch.zeros((), dtype=rows.dtype)
    for part in rows.split(max(16, rows.numel() // 4096)):
        total = (total + part.sum()).to(rows.dtype)
    return total / (target != -100).sum() if reduction == "mean" else total
