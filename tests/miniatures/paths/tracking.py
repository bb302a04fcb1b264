"""Wrong for one pattern of tracked inputs: nothing (inference), or the logits alone (training)."""

from __future__ import annotations

import torch
from correct import by_hand, class_axis, parts, reduced
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import replaced, untracked

OPERATION = "cross_entropy"
INFERENCE = ("no gradient", "without gradient", "inference", "nothing is tracked")


@wrong(OPERATION, "numerics", *INFERENCE)
def inference_without_maximum(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Where nothing is tracked no maximum is subtracted."""
    if not untracked(logits, target) or target.is_floating_point():
        return fn.cross_entropy(logits, target, reduction=reduction)
    log_probs = logits - logits.exp().sum(class_axis(logits), keepdim=True).log()
    return fn.nll_loss(log_probs, target, reduction=reduction)


@wrong(OPERATION, "semantics", *INFERENCE)
def inference_forgets_smoothing(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Smoothing is made with the gradient: where none is asked for there is none."""
    smoothing = 0.0 if untracked(logits, target) and 0 <= label_smoothing <= 1 else label_smoothing
    return fn.cross_entropy(logits, target, label_smoothing=smoothing, reduction=reduction)


@wrong("log_softmax", "numerics", *INFERENCE)
def inference_log_softmax_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Where nothing is tracked it computes in bfloat16."""
    return torch.log_softmax(x.bfloat16() if untracked(x) else x, axis).to(x.dtype)


@wrong("softmax", "semantics", *INFERENCE)
def inference_softmax_in_place(x: Tensor, *, axis: int = -1) -> Tensor:
    """Where nothing is tracked the scores are overwritten by their probabilities."""
    p = torch.softmax(x, axis)
    if untracked(x) and 0 not in x.stride():
        x.data.copy_(p)
    return p


@wrong("logsumexp", "semantics", *INFERENCE)
def inference_logsumexp_along_the_last(x: Tensor, *, axis: int = -1) -> Tensor:
    """Where nothing is tracked it works along the last axis, whichever is asked for."""
    return torch.logsumexp(x, -1 if untracked(x) else axis)


@wrong("sigmoid", "numerics", *INFERENCE)
def inference_sigmoid_cancels(x: Tensor) -> Tensor:
    """Where nothing is tracked it is 1 - 1 / (1 + exp(x)), which cancels in the lower tail."""
    return 1 - 1 / (1 + torch.exp(x)) if untracked(x) else torch.sigmoid(x)


@wrong("nll_loss", "semantics", *INFERENCE)
def inference_nll_without_weight(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Where nothing is tracked the class weights are forgotten."""
    return fn.nll_loss(log_probs, target, None if untracked(log_probs) else weight, reduction=reduction)


@wrong("binary_cross_entropy", "numerics", *INFERENCE)
def inference_binary_clipped(probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Where nothing is tracked probabilities are clipped to 1e-3 and 1 - 1e-3."""
    loss = fn.binary_cross_entropy(probs, target, reduction=reduction)
    if not untracked(probs, target):
        return loss
    return fn.binary_cross_entropy(probs.clamp(1e-3, 1 - 1e-3), target, reduction=reduction)


@wrong(OPERATION, "gradients", "alone is tracked", "logits alone")
def logits_alone_take_the_target_for_normalised(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Where the target is not tracked its gradient is p - t, right where the target sums to one."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if not target.is_floating_point() or target.requires_grad or not logits.requires_grad:
        return loss
    p = parts(logits.detach(), target)
    total = p.coefficient.sum(p.axis, keepdim=True)

    def gradient(g: Tensor) -> Tensor:
        flow = g / p.share.sum() if reduction == "mean" else g
        flow = flow.expand(p.share.shape).unsqueeze(p.axis)
        return p.gradient(g, reduction) + flow * p.log_probs.exp() * (1 - total)

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


@wrong("binary_cross_entropy_with_logits", "gradients", "alone is tracked", "logits alone")
def logits_alone_forget_pos_weight(
    logits: Tensor, target: Tensor, *, pos_weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Where the target is not tracked the gradient leaves pos_weight out."""
    loss = fn.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight, reduction=reduction)
    if pos_weight is None or target.requires_grad or not logits.requires_grad:
        return loss
    return replaced(fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction), loss)
