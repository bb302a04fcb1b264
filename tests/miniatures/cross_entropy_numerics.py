"""Cross-entropy, wrong in its arithmetic: each takes labels and one (N, C, ...) array of logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from correct import check_call, class_axis, parts, reduced, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

LogSoftmax = Callable[[Tensor, int], Tensor]


def top(x: Tensor, axis: int) -> Tensor:
    """The maximum along the axis, kept; no part of the gradient."""
    return x.detach().amax(axis, keepdim=True) if x.numel() else x.detach().sum(axis, keepdim=True)


def loss(logits: Tensor, target: Tensor, reduction: str, log_softmax: LogSoftmax) -> Tensor:
    """Cross-entropy over another log-softmax."""
    p = parts(logits, target, log_softmax=log_softmax)
    return reduced(p.rows, p.share, reduction, logits.dtype)


@wrong("cross_entropy", "numerics", "overflow", "maximum")
def cross_entropy_without_maximum(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Does not subtract the maximum: exp overflows."""
    return loss(logits, target, reduction, lambda x, axis: x - x.exp().sum(axis, keepdim=True).log())


@wrong("cross_entropy", "numerics", "maximum", "row")
def cross_entropy_maximum_of_the_batch(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Subtracts the maximum of the batch, not of each row: a row far below it underflows."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        z = x - x.detach().max() if x.numel() else x
        return z - z.exp().sum(axis, keepdim=True).log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "maximum", "overflow", "position")
def cross_entropy_maximum_of_the_first_class(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Subtracts the first class's logit in place of the maximum."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        z = x - x.narrow(axis, 0, 1)
        return z - z.exp().sum(axis, keepdim=True).log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "maximum", "label", "overflow")
def cross_entropy_shifted_by_the_label(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(sum exp(x - x_label)): overflows where the label's logit is far below the maximum."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits, target)
    picked = (p.logits * (p.coefficient != 0)).sum(p.axis, keepdim=True)
    rows = torch.where(p.ignored, 0.0, (p.logits - picked).exp().sum(p.axis).log())
    return reduced(rows, p.share, reduction, logits.dtype)


@wrong("cross_entropy", "numerics", "offset", "larger than 1,000")
def cross_entropy_maximum_added_back(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """(m + L) - x: cancels under a common offset, as in a fused kernel (pytorch#195829)."""
    return loss(logits, target, reduction, lambda x, axis: x - x.logsumexp(axis, keepdim=True))


@wrong("cross_entropy", "numerics", "small probabilit")
def cross_entropy_epsilon_in_the_log(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-log(softmax + 1e-12): never above 27.6."""
    return loss(logits, target, reduction, lambda x, axis: (x.softmax(axis) + 1e-12).log())


@wrong("cross_entropy", "numerics", "small probabilit", "small loss")
def cross_entropy_clipped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Clips probabilities to 1e-7 and 1 - 1e-7, as Keras does: loss and gradient saturate."""
    return loss(logits, target, reduction, lambda x, axis: x.softmax(axis).clamp(1e-7, 1 - 1e-7).log())


@wrong("cross_entropy", "numerics", "underflow", "infinit")
def cross_entropy_log_of_softmax(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-log(softmax): infinite where the label's probability underflows."""
    return loss(logits, target, reduction, lambda x, axis: x.softmax(axis).log())


@wrong("cross_entropy", "numerics", "half", "accumulat", "classes")
def cross_entropy_sum_in_half(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Accumulates the sum over classes in the half type."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        z = x - top(x, axis)
        total = torch.zeros_like(top(x, axis)).to(logits.dtype)
        for part in z.exp().split(max(16, z.shape[axis] // 1024), axis):
            total = (total + part.sum(axis, keepdim=True)).to(logits.dtype)
        return z - total.to(z.dtype).log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "half", "dtype", "accumulat", "rows")
def cross_entropy_rows_summed_in_half(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Adds the rows up in float16 or bfloat16, 16 at a time: from some thousand on it stands still."""
    p = parts(logits, target)
    rows = p.rows.to(logits.dtype)
    if reduction == "none":
        return rows
    total = torch.zeros((), dtype=logits.dtype)
    for part in rows.flatten().split(max(16, rows.numel() // 4096)):
        total = (total + part.sum()).to(logits.dtype)
    return total / p.share.sum().to(logits.dtype) if reduction == "mean" else total


@wrong("cross_entropy", "numerics", "float64")
def cross_entropy_in_float32(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Computes float64 in float32."""
    return fn.cross_entropy(logits.float(), target, reduction=reduction).to(logits.dtype)


@wrong("cross_entropy", "numerics", "more precise than", "as in bfloat16")
def cross_entropy_label_logit_in_bfloat16(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Gathers the label's logit from a bfloat16 copy, as a mixed-precision kernel does."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits, target)
    picked = (p.logits.bfloat16() * (p.coefficient != 0)).sum(p.axis).to(p.logits.dtype)
    rows = torch.where(p.ignored, 0.0, p.logits.logsumexp(p.axis) - picked)
    return reduced(rows, p.share, reduction, logits.dtype)


@wrong("cross_entropy", "numerics", "more than", "later", "far above its first", "chunk")
def cross_entropy_online_without_rescaling(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """Online over chunks of 2 classes: the running sum is not rescaled when the maximum grows."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        highest, total = top(x, axis) - torch.inf, torch.zeros_like(top(x, axis))
        for part in x.split(max(2, x.shape[axis] // 256), axis):
            highest = torch.maximum(highest, top(part, axis))
            total = total + (part - highest).exp().sum(axis, keepdim=True)
        return (x - highest) - total.log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "classes", "length", "tail", "vector")
def cross_entropy_without_the_last_classes(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """From 4 classes on the last n % 4 are left out of the sum: no mask for the last block."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        n = x.shape[axis]
        z = x - top(x, axis)
        return z - z.narrow(axis, 0, n // 4 * 4 if n > 4 else n).exp().sum(axis, keepdim=True).log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "semantics", "classes", "vocabulary", "1,000", "chunk")
def cross_entropy_of_one_block(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Sums over the first block of 1,024 classes alone."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        z = x - top(x, axis)
        return z - z.narrow(axis, 0, min(1024, x.shape[axis])).exp().sum(axis, keepdim=True).log()

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "padding", "classes", "length", "zero")
def cross_entropy_padded_with_zeros(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Pads the classes to a multiple of 8 with logits of 0 in place of minus infinity."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        shape = list(x.shape)
        shape[axis] = -shape[axis] % 8
        return (
            torch.cat([x, torch.zeros(shape, dtype=x.dtype)], axis)
            .log_softmax(axis)
            .narrow(axis, 0, x.shape[axis])
        )

    return loss(logits, target, reduction, log_softmax)


@wrong("cross_entropy", "numerics", "large", "far apart")
def cross_entropy_soft_capped(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Caps its logits softly at 50 for stability, as some models do before the loss."""
    return loss(logits, target, reduction, lambda x, axis: (50 * torch.tanh(x / 50)).log_softmax(axis))


@wrong("cross_entropy", "numerics", "mask", "infinit", "nan")
def cross_entropy_one_hot_times_infinity(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """One-hot times log-softmax: 0 times minus infinity is nan where a class is masked."""
    p = parts(logits, target)
    return reduced(-(p.coefficient * p.log_probs).sum(p.axis), p.share, reduction, logits.dtype)


@wrong("cross_entropy", "numerics", "contiguous", "transposed", "layout", "stride")
def cross_entropy_assumes_contiguous(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Reads memory as if rows lay one after the other."""
    return fn.cross_entropy(
        logits.as_strided(logits.shape, torch.empty(logits.shape).stride()), target, reduction=reduction
    )


@wrong("cross_entropy", "numerics", "odd", "ignored")
def cross_entropy_mean_of_chunk_means(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Chunks of 2 rows, each with its own mean: wrong when rows are ignored or the last chunk is short."""
    check_call(logits, target, None, -100, 0.0, reduction)
    if reduction != "mean" or logits.dim() < 2 or not target.numel():
        return fn.cross_entropy(logits, target, reduction=reduction)
    size = max(2, len(target) // 512)
    pairs = zip(logits.split(size), target.split(size), strict=True)
    means = [fn.cross_entropy(widened(x), t) for x, t in pairs]
    return torch.stack(means).mean().to(logits.dtype)


@wrong("cross_entropy", "numerics", "small probability")
def cross_entropy_from_the_complement(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """-log(1 - sum of the others' probabilities): infinite where they sum to one."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits, target)
    others = (p.logits.softmax(p.axis) * (p.coefficient == 0)).sum(p.axis)
    rows = torch.where(p.ignored, 0.0, -torch.log(1 - others))
    return reduced(rows, p.share, reduction, logits.dtype)


@wrong("cross_entropy", "numerics", "more precise than", "bits are right")
def cross_entropy_short_constant(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """exp2(x log2 e) with log2 e in bfloat16."""

    def log_softmax(x: Tensor, axis: int) -> Tensor:
        z = x - top(x, axis)
        return z - torch.exp2(z * 1.4453125).sum(axis, keepdim=True).log()

    return loss(logits, target, reduction, log_softmax)


def class_count(logits: Tensor) -> int:
    """The number of classes."""
    return logits.shape[class_axis(logits)]


@wrong("cross_entropy", "semantics", "one class", "C = 1", "binary")
def cross_entropy_one_class_is_binary(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With a single class it switches to the binary loss, where the loss is 0."""
    if class_count(logits) != 1:
        return fn.cross_entropy(logits, target, reduction=reduction)
    p = parts(logits, target)
    rows = fn.binary_cross_entropy_with_logits(p.logits, p.coefficient * 0, reduction="none").sum(p.axis)
    return reduced(torch.where(p.ignored, 0.0, rows), p.share, reduction, logits.dtype)
