"""Right, with a backward pass that is written by hand, as fused kernels have it."""

from __future__ import annotations

import torch
from correct import by_hand, given, of_labels, parts, reduced, widened
from table import right
from torch import Tensor
from torch.nn import functional as fn


@right("sigmoid")
def right_sigmoid_gradient_by_complement(x: Tensor) -> Tensor:
    """The gradient is s(x) s(-x): neither tail cancels."""
    w = widened(x.detach())
    return by_hand(x, torch.sigmoid(w), lambda g: widened(g) * torch.sigmoid(w) * torch.sigmoid(-w))


@right("log_sigmoid")
def right_log_sigmoid_gradient_by_hand(x: Tensor) -> Tensor:
    """The gradient is s(-x)."""
    w = widened(x.detach())
    return by_hand(x, fn.logsigmoid(w), lambda g: widened(g) * torch.sigmoid(-w))


@right("softmax")
def right_softmax_gradient_by_hand(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is p (g - sum p g), with the probabilities before their rounding."""
    p = torch.softmax(widened(x.detach()), axis)
    return by_hand(x, p, lambda g: p * (widened(g) - (p * widened(g)).sum(axis, keepdim=True)))


@right("softmax")
def right_softmax_gradient_recomputed(x: Tensor, *, axis: int = -1) -> Tensor:
    """Keeps nothing: the backward pass computes the probabilities again, in float64."""

    def gradient(g: Tensor) -> Tensor:
        p = torch.softmax(x.detach().double(), axis)
        return p * (g - (p * g).sum(axis, keepdim=True))

    return by_hand(x, torch.softmax(x.detach(), axis), gradient)


@right("log_softmax")
def right_log_softmax_gradient_by_hand(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is g - p sum g."""
    y = torch.log_softmax(widened(x.detach()), axis)
    return by_hand(x, y, lambda g: widened(g) - y.exp() * widened(g).sum(axis, keepdim=True))


@right("nll_loss")
def right_nll_loss_gradient_by_hand(
    log_probs: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """A gradient of zeros, into which each row's share is scattered."""
    picked = of_labels(log_probs.detach(), target, ignore_index)
    p = parts(picked, target, None, ignore_index, log_softmax=given)

    def gradient(g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        flow = torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(p.axis)
        return torch.where(p.coefficient != 0, -flow, 0.0)

    return by_hand(log_probs, reduced(p.rows, p.share, reduction, log_probs.dtype), gradient)


@right("cross_entropy")
def right_fused_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """A fused loss of labels: p times the coefficients' sum, less the coefficients."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits.detach(), target, weight, ignore_index, label_smoothing)
    return by_hand(
        logits, reduced(p.rows, p.share, reduction, logits.dtype), lambda g: p.gradient(g, reduction)
    )


@right("cross_entropy")
def right_cross_entropy_gradient_by_complement(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """The label's gradient is minus the sum of the others where its probability is above one half."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits.detach(), target)

    def gradient(g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        flow = torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(p.axis)
        probs, own = p.log_probs.exp(), p.coefficient != 0
        others = torch.where(own, 0.0, probs)
        label = torch.where(probs > 0.5, -others.sum(p.axis, keepdim=True), probs - 1)
        return flow * torch.where(own, label, others)

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


@right("cross_entropy")
def right_cross_entropy_gradient_made_forward(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """The gradient of each row is made going forward, chunk by chunk, and only scaled going backward."""
    if target.is_floating_point() or logits.dim() != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    p = parts(logits.detach(), target, None, ignore_index)
    rows, slopes = torch.zeros(len(target), dtype=p.logits.dtype), torch.zeros_like(p.logits)
    for start in range(0, len(target), max(1, len(target) // 4)):
        chunk = slice(start, start + max(1, len(target) // 4))
        log_probs = p.logits[chunk].log_softmax(1)
        labels = torch.where(p.ignored[chunk], 0, target[chunk]).long().unsqueeze(1)
        rows[chunk] = torch.where(p.ignored[chunk], 0.0, -log_probs.gather(1, labels)[:, 0])
        slopes[chunk] = torch.where(
            p.ignored[chunk].unsqueeze(1),
            0.0,
            log_probs.exp().scatter_add(1, labels, -torch.ones_like(rows[chunk]).unsqueeze(1)),
        )

    def gradient(g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        return slopes * torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(1)

    return by_hand(logits, reduced(rows, p.share, reduction, logits.dtype), gradient)


@right("binary_cross_entropy_with_logits")
def right_logits_gradient_by_complement(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The gradient is (1 - t) s(x) - t s(-x), element by element."""
    if logits.shape != target.shape:
        raise ValueError("logits and target differ in shape")
    x, t = widened(logits.detach()), widened(target)
    rows = t * fn.softplus(-x, threshold=60) + (1 - t) * fn.softplus(x, threshold=60)
    count = x.numel() if reduction == "mean" else 1

    def gradient(g: Tensor) -> Tensor:
        return widened(g) / count * ((1 - t) * torch.sigmoid(x) - t * torch.sigmoid(-x)).detach()

    return by_hand(logits, reduced(rows, torch.ones_like(rows), reduction, logits.dtype), gradient)
