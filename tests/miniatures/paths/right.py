"""Right on every path: with a branch for inference, in padded rows, in chunks, or as declared."""

from __future__ import annotations

import torch
from correct import HALF, by_hand, check_call, class_axis, parts, reduced, times, widened
from table import right
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as fn

OPERATION = "cross_entropy"


class _NeedsGradient(torch.autograd.Function):
    """Rows of cross-entropy; slopes are made going forward, and only where a gradient is asked for."""

    @staticmethod
    def forward(ctx, logits, target):
        """The rows' losses."""
        p = parts(logits, target)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(p.gradient(torch.ones_like(p.share), "sum"))
        ctx.dtype = logits.dtype
        return p.rows

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        """The slopes, scaled by what comes back."""
        (slopes,) = ctx.saved_tensors
        axis = 1 if slopes.dim() > 1 else 0
        return torch.where(slopes == 0, 0, slopes * widened(g).unsqueeze(axis)).to(ctx.dtype), None


@right(OPERATION)
def right_branches_on_needs_input_grad(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """An autograd.Function that makes its slopes only where a gradient is asked for."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    check_call(logits, target, None, -100, 0.0, reduction)
    rows = _NeedsGradient.apply(logits, target)
    return reduced(rows, (target != -100).to(rows.dtype), reduction, logits.dtype)


class _LogSoftmax(torch.autograd.Function):
    """Log-softmax with derivatives of every kind: backward, twice, and forward."""

    @staticmethod
    def forward(x, axis):
        """Log-softmax."""
        return torch.log_softmax(x, axis)

    @staticmethod
    def setup_context(ctx, inputs, output):
        """The input is kept."""
        x, ctx.axis = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx, g):
        """g - p sum g, differentiable again."""
        (x,) = ctx.saved_tensors
        p = torch.softmax(widened(x), ctx.axis)
        return (widened(g) - p * widened(g).sum(ctx.axis, keepdim=True)).to(x.dtype), None

    @staticmethod
    def jvp(ctx, tangent, _):
        """t - sum p t."""
        (x,) = ctx.saved_tensors
        t, p = widened(tangent), torch.softmax(widened(x), ctx.axis)
        return (t - (p * t).sum(ctx.axis, keepdim=True)).to(x.dtype)


@right("log_softmax")
def right_log_softmax_of_all_derivatives(x: Tensor, *, axis: int = -1) -> Tensor:
    """An autograd.Function with backward, double backward and jvp."""
    return _LogSoftmax.apply(x, axis)


@right(OPERATION)
def right_chunks_of_rows(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Chunks of 32 rows: their losses are put together before any reduction."""
    if target.is_floating_point() or logits.dim() != 2:
        raise NotImplementedError("labels of (N, C) logits only")
    check_call(logits, target, None, ignore_index, 0.0, reduction)
    chunks = zip(logits.split(32), target.split(32), strict=True)
    rows = torch.cat([parts(x, t, None, ignore_index).rows for x, t in chunks])
    return reduced(rows, (target != ignore_index).to(rows.dtype), reduction, logits.dtype)


def in_a_padded_buffer(x: Tensor) -> Tensor:
    """The rows of x in a buffer whose rows have a multiple of 64 classes, minus infinity behind."""
    classes = x.shape[-1]
    buffer = x.new_full((*x.shape[:-1], -(-classes // 64) * 64), -torch.inf)
    return torch.cat([x, buffer[..., classes:]], -1)


@right("log_softmax")
def right_log_softmax_in_a_padded_buffer(x: Tensor, *, axis: int = -1) -> Tensor:
    """The classes are padded to a multiple of 64 with minus infinity, and cut off again."""
    if not x.numel() or not x.dim():
        return torch.log_softmax(x, axis)
    padded = in_a_padded_buffer(x.movedim(axis, -1))
    return torch.log_softmax(padded, -1)[..., : x.shape[axis]].movedim(-1, axis)


@right("nll_loss")
def right_nll_of_a_contiguous_copy(
    log_probs: Tensor, target: Tensor, *, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Whatever the layout, a dense copy is read."""
    return fn.nll_loss(log_probs.contiguous(), target.contiguous(), weight, reduction=reduction)


@right("sigmoid")
def right_sigmoid_element_by_element(x: Tensor) -> Tensor:
    """Flattened to one axis, in any order that memory has, and shaped again."""
    w = widened(x).flatten()
    z = torch.exp(torch.where(w < 0, w, -w))
    return (torch.where(w < 0, z, 1.0) / (1 + z)).reshape(x.shape).to(x.dtype)


@right(OPERATION)
def right_gradient_in_place(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Declares that its backward pass leaves the gradient in the logits' memory, and does so."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    p = parts(logits.detach(), target)

    def gradient(g: Tensor) -> Tensor:
        slopes = p.gradient(g, reduction).to(logits.dtype)
        if 0 not in logits.stride():
            logits.data.copy_(slopes)
        return slopes

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


right_gradient_in_place.conventions = {"in_place_gradient": True}  # type: ignore[attr-defined]


@right(OPERATION)
def right_mean_over_nothing_is_zero(
    logits: Tensor, target: Tensor, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Declares that the mean over nothing is 0: the sum over max(1, rows)."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    check_call(logits, target, None, ignore_index, 0.0, reduction)
    p = parts(logits, target, None, ignore_index)
    if reduction != "mean":
        return reduced(p.rows, p.share, reduction, logits.dtype)
    return (p.rows.sum() / p.share.sum().clamp(min=1)).to(logits.dtype)


right_mean_over_nothing_is_zero.conventions = {"empty_mean": "zero"}  # type: ignore[attr-defined]


@right(OPERATION)
def right_smoothing_over_others(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Declares that smoothing goes to the K - 1 other classes, as Megatron has it."""
    if target.is_floating_point():
        raise NotImplementedError("labels only")
    check_call(logits, target, None, -100, label_smoothing, reduction)
    p = parts(logits, target)
    classes = logits.shape[p.axis]
    if classes > 1:
        others = label_smoothing / (classes - 1)
        hard = p.coefficient
        own, other = hard.new_tensor(1 - label_smoothing), hard.new_tensor(others)
        along = torch.where(hard != 0, own, other)
        p = p._replace(coefficient=torch.where(p.ignored.unsqueeze(p.axis), 0.0, along))
    return reduced(p.rows, p.share, reduction, logits.dtype)


right_smoothing_over_others.conventions = {"smoothing": "others"}  # type: ignore[attr-defined]


@right("softmax")
def right_masked_row_is_zero(x: Tensor, *, axis: int = -1) -> Tensor:
    """Declares that a row that is masked throughout is 0, as attention has it."""
    if not x.numel():
        return torch.softmax(x, axis)
    masked = (x == -torch.inf).all(axis, keepdim=True)
    return torch.where(masked, 0.0, torch.softmax(torch.where(masked, 0.0, x), axis)).to(x.dtype)


right_masked_row_is_zero.conventions = {"masked_row": "zero"}  # type: ignore[attr-defined]


@right("binary_cross_entropy_with_logits")
def right_logits_of_mixed_dtypes(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """All in float64, rounded once to the dtype that the tensors promote to."""
    if logits.shape != target.shape:
        raise ValueError("logits and target differ in shape")
    dtype = logits.dtype
    for tensor in (target, weight, pos_weight):
        dtype = dtype if tensor is None else torch.promote_types(dtype, tensor.dtype)
    x, t = logits.double(), target.double()
    zero = torch.zeros_like(x)
    positive = t if pos_weight is None else t * pos_weight.double()
    rows = times(positive, torch.logaddexp(zero, -x)) + times(1 - t, torch.logaddexp(zero, x))
    if weight is not None:
        rows = times(weight.double(), rows)
    if rows.shape != logits.shape:
        raise ValueError("a weight does not fit the logits")
    return reduced(rows, torch.ones_like(rows), reduction, dtype)


@right(OPERATION)
def right_half_smoothing_in_float32(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """In the half types all is added up in float32, the sum over classes for smoothing too."""
    wide = logits.float() if logits.dtype in HALF else logits
    target = target.to(wide.dtype) if target.is_floating_point() else target
    options = {"label_smoothing": label_smoothing, "reduction": reduction}
    return fn.cross_entropy(wide, target, **options).to(logits.dtype)


@right(OPERATION)
def right_share_of_smoothing_in_half(
    logits: Tensor, target: Tensor, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """In float16 the share of each class, smoothing / K, is a float16, which the bound allows for."""
    options = {"reduction": reduction}
    if logits.dtype != torch.float16 or not label_smoothing or target.is_floating_point():
        return fn.cross_entropy(logits, target, label_smoothing=label_smoothing, **options)
    classes = logits.shape[class_axis(logits)] if logits.dim() else 1
    share = torch.tensor(label_smoothing / max(1, classes)).half().float() * classes
    hard = fn.cross_entropy(logits.float(), target, **options)
    even = fn.cross_entropy(logits.float(), target, label_smoothing=1.0, **options)
    return ((1 - label_smoothing) * hard + share * even).to(logits.dtype)


@right(OPERATION)
def right_label_gradient_of_rounded_p(logits: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """In the half types p is stored, read again, and 1 taken off: the bound allows for that."""
    if target.is_floating_point() or logits.dtype not in HALF:
        return fn.cross_entropy(logits, target, reduction=reduction)
    p = parts(logits.detach(), target)

    def gradient(g: Tensor) -> Tensor:
        flow = widened(g) / p.share.sum() if reduction == "mean" else widened(g)
        flow = torch.where(p.ignored, 0.0, flow.expand(p.ignored.shape)).unsqueeze(p.axis)
        stored = (flow * p.log_probs.exp()).to(logits.dtype)
        return stored.float() - flow * p.coefficient

    return by_hand(logits, reduced(p.rows, p.share, reduction, logits.dtype), gradient)


@right("logsumexp")
def right_logsumexp_from_any_memory(x: Tensor, *, axis: int = -1) -> Tensor:
    """The classes are brought to the front, each row is shifted by its own maximum where that is finite."""
    w = widened(x).movedim(axis, 0)
    if not w.numel():
        return torch.logsumexp(x, axis)
    top = w.detach().amax(0)
    top = torch.where(top.isfinite(), top, 0.0)
    return (top + torch.log(torch.exp(w - top).sum(0))).to(x.dtype)
