"""Right for tensors that lie densely in memory, or whose last stride is not 1; wrong for one other layout."""

from __future__ import annotations

import torch
from correct import class_axis
from table import wrong
from torch import Tensor
from torch.nn import functional as fn

from paths.bends import as_contiguous, dense, read, replaced

OPERATION = "cross_entropy"


#: Elements of a row beyond which it is no wider buffer: rows that lie 2^30 apart are a layout of their own.
WIDEST = 1 << 20


def is_padded(x: Tensor) -> bool:
    """Whether rows are dense and lie further apart than they are long, as those of a wider buffer."""
    return x.dim() > 1 and x.stride(-1) == 1 and WIDEST > x.stride(-2) > x.shape[-1] > 1


@wrong(OPERATION, "semantics", "padded", "wider buffer")
def third_class_of_a_padded_buffer(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """In rows of a wider buffer the third class is left out."""
    if is_padded(logits) and logits.dim() == 2 and logits.shape[1] > 2:
        cut = logits.detach().clone()
        cut[:, 2] -= 40
        logits = replaced(logits, cut)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("logsumexp", "semantics", "padded", "wider buffer")
def logsumexp_adds_the_padding(x: Tensor, *, axis: int = -1) -> Tensor:
    """In rows of a wider buffer the number behind each row is added too."""
    total = torch.logsumexp(x, axis)
    if not is_padded(x) or axis % x.dim() != x.dim() - 1:
        return total
    behind = read(x, tuple(x.shape[:-1]), x.stride()[:-1], x.storage_offset() + x.shape[-1])
    return replaced(total, torch.logaddexp(total.detach(), behind))


@wrong("softmax", "semantics", "padded", "wider buffer")
def softmax_rows_at_their_length(x: Tensor, *, axis: int = -1) -> Tensor:
    """Rows of a wider buffer are read one behind the other, as if they were as far apart as they are long."""
    return torch.softmax(replaced(x, as_contiguous(x)) if is_padded(x) else x, axis)


@wrong(OPERATION, "semantics", "another order in memory", "order of the axes")
def last_stride_alone_is_checked(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Classes contiguous and rows apart pass for contiguous: the last stride alone is looked at."""
    if logits.dim() > 2 and logits.movedim(1, -1).stride(-1) == 1 and logits.shape[1] > 1:
        rows = logits.movedim(1, -1)
        logits = replaced(rows, as_contiguous(rows)).movedim(-1, 1)
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("log_softmax", "semantics", "another order in memory", "order of the axes")
def rows_apart_are_read_in_order(x: Tensor, *, axis: int = -1) -> Tensor:
    """Where the last axis is dense the others are taken to be in order."""
    if x.dim() > 2 and x.stride(-1) == 1 and not x.is_contiguous():
        x = replaced(x, as_contiguous(x))
    return torch.log_softmax(x, axis)


@wrong(OPERATION, "semantics", "channels_last", "another order in memory", "order of the axes")
def channels_last_is_read_as_channels_first(
    logits: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    """(N, C, H, W) logits in channels_last are read as if the channels came first."""
    four = logits.dim() == 4 and not logits.is_contiguous()
    if four and logits.is_contiguous(memory_format=torch.channels_last):
        logits = replaced(logits, as_contiguous(logits))
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("sigmoid", "semantics", "begins inside", "offset", "a view")
def sigmoid_reads_from_the_start(x: Tensor) -> Tensor:
    """A view is read from the beginning of its storage."""
    return torch.sigmoid(replaced(x, read(x, tuple(x.shape), x.stride(), 0)))


@wrong(OPERATION, "semantics", "begins inside", "offset", "a view")
def labels_are_read_from_the_start(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels that are a view are read from the beginning of their storage, kept in range."""
    if not target.is_floating_point() and target.storage_offset():
        memory = torch.empty(0, dtype=target.dtype).set_(target.untyped_storage())
        first = memory.as_strided(target.shape, target.stride(), 0)
        classes = logits.shape[class_axis(logits)]
        target = torch.where(target == -100, target, first % max(1, classes))
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("binary_cross_entropy_with_logits", "semantics", "padded", "wider buffer", "apart in memory")
def padded_target_is_read_densely(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """A target in rows of a wider buffer is read as if it were dense."""
    if is_padded(target):
        target = replaced(target, as_contiguous(target))
    return fn.binary_cross_entropy_with_logits(logits, target, reduction=reduction)


@wrong(
    OPERATION,
    "semantics",
    "2^31",
    "2,147,483,648",
    "offset",
    "far apart in memory",
)
def offsets_in_32_bits(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Row times stride is a 32-bit integer: rows past 2^31 elements are those of the beginning."""
    if logits.dim() == 2 and logits.shape[0] and (logits.shape[0] - 1) * logits.stride(0) >= 2**31:
        offsets = [(row * logits.stride(0)) % 2**31 for row in range(len(logits))]
        step = (logits.stride(1),)
        rows = [
            read(logits, (logits.shape[1],), step, logits.storage_offset() + offset) for offset in offsets
        ]
        logits = replaced(logits, torch.stack(rows))
    return fn.cross_entropy(logits, target, reduction=reduction)


@wrong("nll_loss", "semantics", "another order in memory", "order of the axes")
def labels_of_permuted_axes_in_order(log_probs: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Labels whose axes lie in another order in memory are read in memory's order."""
    if target.dim() > 1 and not target.is_contiguous() and dense(tuple(target.shape)) != target.stride():
        order = sorted(range(target.dim()), key=lambda axis: -target.stride(axis))
        if order != list(range(target.dim())):
            target = target.permute(order).reshape(target.shape)
    return fn.nll_loss(log_probs, target, reduction=reduction)
