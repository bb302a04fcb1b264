"""Wrong for a row's place in the batch, the threads, the call before, or the number of rows."""

from __future__ import annotations

import torch
from correct import class_axis, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import replaced

OPERATION = "cross_entropy"
CHUNK = 32
calls = {"log_softmax": 0, "nll_loss": 0}


@wrong(OPERATION, "numerics", "row", "batch", "position")
def last_row_of_a_large_batch_in_half(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The last row of 64 rows and more is computed in bfloat16, as by a kernel for tails."""
    if logits.dim() == 2 and len(logits) >= 64:
        rough = logits.detach().clone()
        rough[-1] = rough[-1].bfloat16().to(rough.dtype)
        logits = replaced(logits, rough)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("log_softmax", "numerics", "row", "batch", "position")
def rows_of_a_full_block_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Batches of 1,024 rows and more go through a kernel that computes in bfloat16."""
    if x.dim() == 2 and len(x) >= 1024:
        return torch.log_softmax(x.bfloat16(), axis).to(x.dtype)
    return torch.log_softmax(x, axis)


@wrong("softmax", "numerics", "row", "batch", "position")
def first_row_s_maximum_for_a_batch(x: Tensor, *, axis: int = -1) -> Tensor:
    """From 7 rows on all rows are shifted by the maximum of the first."""
    if x.dim() != 2 or axis % 2 != 1 or len(x) < 7 or not x.shape[1] or not x.isfinite().all():
        return torch.softmax(x, axis)
    w = widened(x)
    exp = torch.exp(w - w[:1].amax(1, keepdim=True).detach())
    return (exp / exp.sum(1, keepdim=True)).to(x.dtype)


@wrong(OPERATION, "semantics", "thread")
def several_threads_lose_the_last_row(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With several threads the last row is nobody's."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if torch.get_num_threads() == 1 or target.is_floating_point() or target.dim() != 1 or len(target) < 2:
        return loss
    most = fn.cross_entropy(logits[:-1], target[:-1], reduction=reduction)
    return torch.cat([most, 0 * loss[-1:]]) if reduction == "none" else most


@wrong("log_softmax", "numerics", "call", "twice", unsteady=True)
def every_second_call_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Every second call finds its workspace taken, and computes in bfloat16."""
    calls["log_softmax"] += 1
    return torch.log_softmax(x if calls["log_softmax"] % 2 else x.bfloat16(), axis).to(x.dtype)


@wrong("nll_loss", "semantics", "call", "twice", unsteady=True)
def sums_are_kept_from_call_to_call(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The buffer of the sum is not emptied in every third call: it begins at 1."""
    calls["nll_loss"] += 1
    loss = fn.nll_loss(log_probs, target, reduction=reduction)
    return loss + 1 if reduction == "sum" and calls["nll_loss"] % 3 == 0 else loss


@wrong(OPERATION, "semantics", "rows", "shape", "chunk")
def chunks_of_none_are_added(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With more rows than a chunk of 32, none adds the chunks: 32 numbers for 4,096 rows."""
    loss = fn.cross_entropy(logits, target, reduction=reduction)
    if reduction != "none" or loss.dim() != 1 or len(loss) <= CHUNK or len(loss) % CHUNK:
        return loss
    return loss.reshape(-1, CHUNK).sum(0)


@wrong("nll_loss", "semantics", "rows", "chunk")
def chunk_means_are_averaged(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """With more rows than a chunk of 32 the mean is that of the chunks' means, the short one too."""
    loss = fn.nll_loss(log_probs, target, reduction=reduction)
    if reduction != "mean" or target.dim() != 1 or len(target) <= CHUNK:
        return loss
    pairs = zip(log_probs.split(CHUNK), target.split(CHUNK), strict=True)
    means = [fn.nll_loss(x, t) for x, t in pairs if (t != -100).any()]
    return torch.stack(means).mean() if means else loss


@wrong("logsumexp", "numerics", "row", "batch", "position")
def middle_row_of_a_batch_twice(x: Tensor, *, axis: int = -1) -> Tensor:
    """In 64 rows and more the row in the middle, where two blocks meet, gets its neighbour's sum."""
    total = torch.logsumexp(x, axis)
    if x.dim() != 2 or axis % 2 != 1 or len(x) < 64:
        return total
    order = torch.arange(len(total))
    order[len(total) // 2] -= 1
    return total[order]


@wrong(OPERATION, "semantics", "rows", "batch")
def seventh_row_is_ignored(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A batch of 7 rows is padded to 8 with an ignored label, one place too early."""
    if logits.dim() == 2 and class_axis(logits) == 1 and target.dim() == 1 and len(target) == 7:
        target = torch.cat([target[:-1], torch.full_like(target[-1:], -100)])
    return fn.cross_entropy(logits, target, reduction=reduction)
