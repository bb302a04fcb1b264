"""Right, but not as torch does it: the forward pass is written out, the gradient is left to autograd."""

from __future__ import annotations

import torch
from correct import (
    by_hand,
    check_call,
    check_labels,
    class_axis,
    given,
    of_labels,
    parts,
    reduced,
    softplus,
    times,
    widened,
)
from table import right
from torch import Tensor
from torch.nn import functional as fn


def top(x: Tensor, axis: int) -> Tensor:
    """The maximum along the axis, kept; no part of the gradient."""
    return x.detach().amax(axis, keepdim=True) if x.shape[axis] else x.detach().sum(axis, keepdim=True)


def shift(x: Tensor, axis: int) -> Tensor:
    """The maximum where it is finite, else 0, so that nothing is inf - inf."""
    m = top(x, axis)
    return torch.where(torch.isfinite(m), m, 0.0)


def running(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The maximum and the sum of exp(x - maximum), both in one pass over chunks."""
    m, total = torch.full_like(top(x, axis), -torch.inf), torch.zeros_like(top(x, axis))
    for part in x.split(max(3, x.shape[axis] // 64), axis):
        new = torch.maximum(m, top(part, axis))
        base = torch.where(torch.isneginf(new), 0.0, new)
        total = total * torch.exp(m - base) + torch.exp(part - base).sum(axis, keepdim=True)
        m = new
    return m, total


def log_sum(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """log-sum-exp by its shift, kept; a shift of minus infinity is none."""
    m = shift(x, axis)
    return m, torch.log(torch.exp(x - m).sum(axis, keepdim=True))


@right("sigmoid")
def right_sigmoid_by_cases(x: Tensor) -> Tensor:
    """exp(-|x|) by cases of the sign: neither tail overflows or cancels."""
    w = widened(x)
    z = torch.exp(torch.where(w < 0, w, -w))
    return (torch.where(w < 0, z, 1.0) / (1 + z)).to(x.dtype)


@right("log_sigmoid")
def right_log_sigmoid_by_log1p(x: Tensor) -> Tensor:
    """min(x, 0) - log1p(exp(-|x|)), its minimum and absolute value by cases of the sign."""
    w = widened(x)
    negative = w < 0
    return (torch.where(negative, w, 0.0) - torch.log1p(torch.exp(torch.where(negative, w, -w)))).to(x.dtype)


@right("log_sigmoid")
def right_log_sigmoid_by_logaddexp(x: Tensor) -> Tensor:
    """-log(exp(0) + exp(-x)) by logaddexp."""
    w = widened(x)
    return -torch.logaddexp(torch.zeros_like(w), -w).to(x.dtype)


@right("softmax")
def right_softmax_in_float64(x: Tensor, *, axis: int = -1) -> Tensor:
    """In float64 throughout, rounded once."""
    return torch.softmax(x.double(), axis).to(x.dtype)


@right("softmax")
def right_softmax_two_passes(x: Tensor, *, axis: int = -1) -> Tensor:
    """Maximum first, then exp, sum and division."""
    w = widened(x)
    exp = torch.exp(w - top(w, axis))
    return (exp / exp.sum(axis, keepdim=True)).to(x.dtype)


@right("softmax")
def right_softmax_online(x: Tensor, *, axis: int = -1) -> Tensor:
    """Online in chunks: maximum and sum in one pass, the sum rescaled as the maximum grows."""
    w = widened(x)
    m, total = running(w, axis)
    return (torch.exp(w - m) / total).to(x.dtype)


@right("log_softmax")
def right_log_softmax_two_passes(x: Tensor, *, axis: int = -1) -> Tensor:
    """(x - m) - log(sum exp(x - m))."""
    w = widened(x)
    z = w - top(w, axis)
    return (z - torch.log(torch.exp(z).sum(axis, keepdim=True))).to(x.dtype)


@right("log_softmax")
def right_log_softmax_online(x: Tensor, *, axis: int = -1) -> Tensor:
    """Online in chunks of 3: the running sum is rescaled as the maximum grows."""
    w = widened(x)
    m, total = running(w, axis)
    return ((w - m) - torch.log(total)).to(x.dtype)


@right("logsumexp")
def right_logsumexp_by_tree(x: Tensor, *, axis: int = -1) -> Tensor:
    """exp(x - m) summed by pairs, then pairs of pairs; the gradient is softmax."""
    w = widened(x.detach()).movedim(axis, 0)
    if not w.shape[0]:
        return torch.logsumexp(x, axis)
    m = shift(w, 0)
    terms = torch.exp(w - m)
    while terms.shape[0] > 1:
        odd = terms[-1:] if terms.shape[0] % 2 else terms[:0]
        terms = torch.cat([terms[0 : terms.shape[0] // 2 * 2 : 2] + terms[1::2], odd])
    value = m[0] + torch.log(terms[0])
    return by_hand(x, value, lambda g: torch.softmax(widened(x.detach()), axis) * g.unsqueeze(axis))


@right("logsumexp")
def right_logsumexp_shifted(x: Tensor, *, axis: int = -1) -> Tensor:
    """By the maximum, where it is finite."""
    m, total = log_sum(widened(x), axis)
    return (m + total).squeeze(axis).to(x.dtype)


@right("one_hot")
def right_one_hot_by_comparison(target: Tensor, *, num_classes: int) -> Tensor:
    """By comparing with all classes, after a look at the range."""
    check_labels(target, num_classes)
    return (target.unsqueeze(-1) == torch.arange(num_classes)).long()


@right("one_hot")
def right_one_hot_by_scatter(target: Tensor, *, num_classes: int) -> Tensor:
    """By scattering ones, after a look at the range."""
    check_labels(target, num_classes)
    return torch.zeros(*target.shape, num_classes, dtype=torch.long).scatter(
        -1, target.long().unsqueeze(-1), 1
    )


@right("nll_loss")
def right_nll_loss_by_coefficients(
    log_probs: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """One-hot coefficients times log-probabilities, those of other classes left out."""
    p = parts(of_labels(log_probs, target, ignore_index), target, weight, ignore_index, log_softmax=given)
    return reduced(p.rows, p.share, reduction, log_probs.dtype)


@right("cross_entropy")
def right_cross_entropy_by_coefficients(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Labels, weights and smoothing become one coefficient for each class."""
    p = parts(logits, target, weight, ignore_index, label_smoothing)
    return reduced(p.rows, p.share, reduction, logits.dtype)


@right("cross_entropy")
def right_cross_entropy_in_float64(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """torch's own in float64, rounded once."""
    t = target.double() if target.is_floating_point() else target
    w = None if weight is None else weight.double()
    options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": reduction}
    return fn.cross_entropy(logits.double(), t, w, **options).to(logits.dtype)


@right("cross_entropy")
def right_cross_entropy_gathers_first(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """(x_y - m) is gathered before the logarithm is subtracted; ignored rows are dropped, not multiplied."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    check_call(logits, target, None, ignore_index, 0.0, reduction)
    axis = class_axis(logits)
    x = widened(logits).movedim(axis, -1)
    kept = target != ignore_index
    x, y = x[kept], target[kept]
    z = x - top(x, -1) if x.shape[-1] else x
    rows = torch.log(torch.exp(z).sum(-1)) - z.gather(-1, y.long().unsqueeze(-1)).squeeze(-1)
    if reduction == "none":
        rows = torch.zeros(target.shape, dtype=rows.dtype).masked_scatter(kept, rows)
    return reduced(rows, torch.ones_like(rows), reduction, logits.dtype)


@right("cross_entropy")
def right_cross_entropy_row_by_row(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """One row after the other, in chunks of 2 rows whose sums are added at the end."""
    if target.is_floating_point() or logits.dim() != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    check_call(logits, target, None, -100, 0.0, reduction)
    if len(target) > 512:
        raise NotImplementedError("too many rows for this one")
    pairs = list(zip(logits.split(2), target.split(2), strict=True))
    rows = torch.cat([parts(x, t).rows for x, t in pairs])
    return reduced(rows, (target != -100).to(rows.dtype), reduction, logits.dtype)


@right("binary_cross_entropy")
def right_binary_by_xlogy(
    probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """xlogy and xlog1py in float64, without a clamp of the logarithm."""
    if probs.shape != target.shape:
        raise ValueError("probabilities and target differ in shape")
    if ((probs < 0) | (probs > 1)).any() or ((target < 0) | (target > 1)).any():
        raise RuntimeError("a probability lies outside [0, 1]")
    p, t = probs.detach().double(), target.double()
    rows = -times(t, torch.log(p)) - times(1 - t, torch.log1p(-p))
    w = torch.ones_like(rows) if weight is None else weight.double().expand_as(p)
    count = p.numel() if reduction == "mean" else 1

    def gradient(g: Tensor) -> Tensor:
        slope = torch.where(t == 1, 0.0, (1 - t) / (1 - p)) - torch.where(t == 0, 0.0, t / p)
        return times(g.double() / count * w, slope).detach()

    rows = times(w, rows)
    return by_hand(probs, reduced(rows, torch.ones_like(rows), reduction, probs.dtype), gradient)


@right("binary_cross_entropy_with_logits")
def right_logits_by_log_sigmoid(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-t log s(x) - (1 - t) log s(-x): no term cancels another."""
    if logits.shape != target.shape:
        raise ValueError("logits and target differ in shape")
    x, t = widened(logits), widened(target)
    x = x.to(torch.promote_types(x.dtype, t.dtype))  # the gradient of a wider target is that wide, too
    positive = times(t, softplus(-x))
    positive = positive if pos_weight is None else positive * widened(pos_weight)
    rows = positive + times(1 - t, softplus(x))
    rows = rows if weight is None else rows * widened(weight)
    return reduced(rows, torch.ones_like(rows), reduction, logits.dtype)


@right("binary_cross_entropy_with_logits")
def right_logits_by_softplus_in_float64(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """logaddexp(0, x) and logaddexp(0, -x), in float64."""
    if logits.shape != target.shape:
        raise ValueError("logits and target differ in shape")
    x, t = logits.double(), target.double()
    zero = torch.zeros_like(x)
    rows = times(t, torch.logaddexp(zero, -x)) + times(1 - t, torch.logaddexp(zero, x))
    return reduced(rows, torch.ones_like(rows), reduction, logits.dtype)
