"""PyTorch: each operation's formulations, as its users write them. Gradients by autograd."""

from __future__ import annotations

import functools
from typing import Any, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn

from ..base import Function, Table, Tensor, Unsupported, counted, of_class, signature_of
from . import (
    attention,
    capped_losses,
    divergences,
    entropies,
    focal_losses,
    linear_losses,
    mixtures,
    token_scores,
)

Parameter = Optional[Tensor]


def class_axis(tensor: Tensor) -> int:
    """Where torch has the classes: axis 1, or 0 of a one-dimensional tensor."""
    return 1 if tensor.dim() > 1 else 0


def reduced(rows: Tensor, reduction: str, share: Parameter = None) -> Tensor:
    """The rows, their sum, their mean, or their sum over the sum of their shares."""
    if reduction == "none":
        return rows
    if reduction not in ("sum", "mean"):
        raise Unsupported("no reduction {}".format(reduction))
    if reduction == "sum":
        return rows.sum()
    return rows.mean() if share is None else rows.sum() / share.sum()


def times(coefficient: Tensor, term: Tensor) -> Tensor:
    """Their product, where a coefficient of 0 removes an infinite term: 0 log 0 = 0."""
    return coefficient * term.masked_fill((coefficient == 0) & torch.isinf(term), 0)


# Activations.


def softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    exp = torch.exp(x)
    return exp / exp.sum(dim=axis, keepdim=True)


def unmasked(x: Tensor, where: Parameter) -> Tensor:
    """-inf in the place of what a mask leaves out."""
    return x if where is None else x.masked_fill(~where, float("-inf"))


def with_mask(name: str) -> Function:
    """torch.masked's function; Unsupported before torch 1.13."""
    if not hasattr(torch, "masked"):
        raise Unsupported("torch has no torch.masked before 1.13")
    return getattr(torch.masked, name)  # type: ignore[no-any-return]


def softmax(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """torch's own, and torch.masked's of what a mask leaves."""
    return F.softmax(x, dim=axis) if where is None else with_mask("softmax")(x, axis, mask=where)


def softmax_composed(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    return torch.exp(F.log_softmax(unmasked(x, where), dim=axis))


def log_softmax(x: Tensor, *, axis: int = -1, where: Parameter = None) -> Tensor:
    """torch's own, and torch.masked's, which leaves it open what a masked result is: -inf."""
    if where is None:
        return F.log_softmax(x, dim=axis)
    return unmasked(with_mask("log_softmax")(x, axis, mask=where), where)


def log_softmax_composed(x: Tensor, *, axis: int = -1) -> Tensor:
    return x - torch.logsumexp(x, dim=axis, keepdim=True)


def log_softmax_naive(x: Tensor, *, axis: int = -1) -> Tensor:
    return torch.log(F.softmax(x, dim=axis))


def log_softmax_manual(x: Tensor, *, axis: int = -1) -> Tensor:
    return torch.log(softmax_manual(x, axis=axis))


def one_hot_manual(target: Tensor, *, num_classes: int) -> Tensor:
    zeros = torch.zeros(tuple(target.shape) + (counted(num_classes),), dtype=torch.long, device=target.device)
    return zeros.scatter_(-1, target.unsqueeze(-1), 1)


# Losses over classes.


def rows_of_labels(
    log_probs: Tensor, target: Tensor, weight: Parameter, ignore_index: int
) -> Tuple[Tensor, Tensor, Tensor]:
    """Labels fit to pick by, each row's weight (0 where ignored), and which rows are ignored."""
    ignored = target == ignore_index
    labels = target.masked_fill(ignored, 0)
    share = torch.ones_like(labels, dtype=log_probs.dtype) if weight is None else weight[labels]
    return labels, share.masked_fill(ignored, 0), ignored


def picked(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Each row's entry at its label."""
    axis = class_axis(log_probs)
    return log_probs.gather(axis, labels.unsqueeze(axis)).squeeze(axis)


def by_one_hot(log_probs: Tensor, labels: Tensor) -> Tensor:
    """The same as a sum over classes of one-hot times log-probabilities."""
    axis = class_axis(log_probs)
    hot = F.one_hot(labels, log_probs.shape[axis]).to(log_probs.dtype)
    return (hot.permute(*moved_last(hot.dim(), axis)) * log_probs).sum(dim=axis)


def moved_last(dimensions: int, axis: int) -> List[int]:
    """The permutation that moves the last axis to `axis`: torch 1.4 has no movedim."""
    order = list(range(dimensions - 1))
    return order[:axis] + [dimensions - 1] + order[axis:]


def nll_loss_by(pick: Function) -> Function:
    """NLL by one way to take each row's entry at its label."""

    def nll_loss(
        log_probs: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> Tensor:
        labels, share, ignored = rows_of_labels(log_probs, target, weight, ignore_index)
        rows = (-pick(log_probs, labels) * share).masked_fill(ignored, 0)
        return reduced(rows, reduction, share)

    return nll_loss


def over_classes(log_probs: Tensor, target: Tensor, weight: Parameter, product: Function) -> Tensor:
    """Each row's - sum of probability times weight times log-probability."""
    axis = class_axis(log_probs)
    if weight is not None:
        target = target * weight.reshape([-1 if i == axis else 1 for i in range(log_probs.dim())])
    return -product(target, log_probs).sum(dim=axis)


def cross_entropy_by(log_softmax: Function, nll_loss: Function, product: Function = torch.mul) -> Function:
    """Cross-entropy as one formulation of log-softmax, then one of NLL; probabilities by a product."""

    def cross_entropy(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> Tensor:
        log_probs = log_softmax(logits, axis=class_axis(logits))
        classes = logits.shape[class_axis(logits)]
        if target.is_floating_point():
            target = target * (1 - label_smoothing) + label_smoothing / classes
            return reduced(over_classes(log_probs, target, weight, product), reduction)
        options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        loss = nll_loss(log_probs, target, **options)
        if label_smoothing == 0:
            return loss
        _, share, ignored = rows_of_labels(logits, target, weight, ignore_index)
        ones = torch.ones_like(log_probs)
        smooth = over_classes(log_probs, ones, weight, product).masked_fill(ignored, 0)
        return (1 - label_smoothing) * loss + label_smoothing / classes * reduced(smooth, reduction, share)

    return cross_entropy


def with_mask_by(cross_entropy: Function) -> Function:
    """Cross-entropy of the logits that a mask leaves: -inf takes the others' place."""

    def function(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
        where: Parameter = None,
    ) -> Tensor:
        options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        return cross_entropy(unmasked(logits, where), target, label_smoothing=label_smoothing, **options)

    return function


def of_labels(cross_entropy: Function) -> Function:
    """Cross-entropy before torch 1.10: it knew no class probabilities."""

    @functools.wraps(cross_entropy)
    def function(logits: Tensor, target: Tensor, **parameters: Any) -> Tensor:
        if target.is_floating_point():
            raise Unsupported("cross_entropy takes class probabilities since torch 1.10")
        return cross_entropy(logits, target, **parameters)

    return function


# Binary losses.


def binary_cross_entropy_composed(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    log_p = torch.log(probs.masked_fill((target == 0) & (probs == 0), 1))  # 0 log 0 = 0
    log_1_p = torch.log1p(-probs.masked_fill((target == 1) & (probs == 1), 0))
    rows = -target * log_p - (1 - target) * log_1_p
    return reduced(rows if weight is None else rows * weight, reduction)


def binary_cross_entropy_manual(
    probs: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    rows = -(target * torch.log(probs) + (1 - target) * torch.log(1 - probs))
    return reduced(rows if weight is None else rows * weight, reduction)


def with_logits_by(log_sigmoid: Function, product: Function = torch.mul) -> Function:
    """Binary cross-entropy of logits by a formulation of log-sigmoid, and of its product with the target."""

    def binary_cross_entropy_with_logits(
        logits: Tensor,
        target: Tensor,
        *,
        weight: Parameter = None,
        pos_weight: Parameter = None,
        reduction: str = "mean",
    ) -> Tensor:
        positive = target if pos_weight is None else target * pos_weight
        rows = -product(positive, log_sigmoid(logits)) - product(1 - target, log_sigmoid(-logits))
        return reduced(rows if weight is None else rows * weight, reduction)

    return binary_cross_entropy_with_logits


def with_logits_naive(
    logits: Tensor, target: Tensor, *, weight: Parameter = None, reduction: str = "mean"
) -> Tensor:
    return F.binary_cross_entropy(torch.sigmoid(logits), target, weight=weight, reduction=reduction)


FUNCTIONS: Table = {
    "sigmoid": {
        "functional": lambda x: torch.sigmoid(x),
        "module": lambda x: nn.Sigmoid()(x),
        "manual": lambda x: 1 / (1 + torch.exp(-x)),
    },
    "log_sigmoid": {
        "functional": lambda x: F.logsigmoid(x),
        "module": lambda x: nn.LogSigmoid()(x),
        "composed": lambda x: -F.softplus(-x),
        "naive": lambda x: torch.log(torch.sigmoid(x)),
    },
    "softmax": {
        "functional": softmax,
        "module": lambda x, *, axis=-1: nn.Softmax(dim=axis)(x),
        "composed": softmax_composed,
        "manual": softmax_manual,
    },
    "log_softmax": {
        "functional": log_softmax,
        "module": lambda x, *, axis=-1: nn.LogSoftmax(dim=axis)(x),
        "composed": log_softmax_composed,
        "naive": log_softmax_naive,
        "manual": log_softmax_manual,
    },
    "logsumexp": {
        "functional": lambda x, *, axis=-1: torch.logsumexp(x, dim=axis),
        "manual": lambda x, *, axis=-1: torch.log(torch.exp(x).sum(dim=axis)),
    },
    "one_hot": {
        "functional": lambda target, *, num_classes: F.one_hot(target, num_classes),
        "manual": one_hot_manual,
    },
    "nll_loss": {
        "functional": F.nll_loss,
        "module": of_class(nn.NLLLoss),
        "composed": nll_loss_by(picked),
        "one_hot": nll_loss_by(by_one_hot),
    },
    "cross_entropy": {
        "functional": F.cross_entropy,
        "module": of_class(nn.CrossEntropyLoss),
        "composed": with_mask_by(cross_entropy_by(log_softmax, F.nll_loss, times)),
        "one_hot": cross_entropy_by(log_softmax, nll_loss_by(by_one_hot)),
        "naive": cross_entropy_by(log_softmax_naive, F.nll_loss),
        "manual": cross_entropy_by(log_softmax_manual, nll_loss_by(by_one_hot)),
    },
    "binary_cross_entropy": {
        "functional": F.binary_cross_entropy,
        "module": of_class(nn.BCELoss),
        "composed": binary_cross_entropy_composed,
        "manual": binary_cross_entropy_manual,
    },
    "binary_cross_entropy_with_logits": {
        "functional": F.binary_cross_entropy_with_logits,
        "module": of_class(nn.BCEWithLogitsLoss),
        "composed": with_logits_by(lambda x: F.logsigmoid(x), times),
        "naive": with_logits_naive,
        "manual": with_logits_by(lambda x: -torch.log(1 + torch.exp(-x))),
    },
    "linear_cross_entropy": {
        "functional": linear_losses.linear_cross_entropy,
        "chunked": linear_losses.linear_cross_entropy_chunked,
        "composed": linear_losses.linear_cross_entropy_composed,
        "naive": linear_losses.linear_cross_entropy_naive,
    },
    "attention": {
        "functional": attention.attention,
        "composed": attention.attention_composed,
        "naive": attention.attention_naive,
    },
    "entropy": {
        "functional": entropies.entropy,
        "composed": entropies.entropy_composed,
        "naive": entropies.entropy_naive,
        "manual": entropies.entropy_manual,
    },
    "js_div": {
        "functional": mixtures.js_div,
        "composed": mixtures.js_div_composed,
        "naive": mixtures.js_div_naive,
    },
    "sigmoid_focal_loss": {
        "composed": focal_losses.sigmoid_focal_loss_composed,
        "naive": focal_losses.sigmoid_focal_loss_naive,
    },
    "kl_div": {
        "functional": F.kl_div,
        "module": of_class(nn.KLDivLoss),
        "composed": divergences.kl_div_composed,
        "naive": divergences.kl_div_naive,
    },
    "capped_cross_entropy": {
        "functional": capped_losses.capped_cross_entropy,
        "composed": capped_losses.capped_cross_entropy_composed,
    },
    "token_log_prob": {
        "functional": token_scores.token_log_prob,
        "composed": token_scores.token_log_prob_composed,
        "naive": token_scores.token_log_prob_naive,
    },
}

if "label_smoothing" not in signature_of(F.cross_entropy).parameters:  # before torch 1.10
    for name in ("functional", "module"):
        FUNCTIONS["cross_entropy"][name] = of_labels(FUNCTIONS["cross_entropy"][name])
