"""Softmax, log-softmax and log-sum-exp, wrong."""

from __future__ import annotations

import torch
from correct import by_hand, widened
from table import wrong
from torch import Tensor

LOG2E = 1.4427  # log2(e) to five figures, as one finds it in kernels


def top(x: Tensor, axis: int) -> Tensor:
    """The maximum along the axis, kept; no part of the gradient."""
    return x.detach().amax(axis, keepdim=True) if x.numel() else x.detach().sum(axis, keepdim=True)


def divided(exp: Tensor, axis: int, like: Tensor) -> Tensor:
    """exp by its sum, in the dtype of `like`."""
    return (exp / exp.sum(axis, keepdim=True)).to(like.dtype)


@wrong("softmax", "numerics", "overflow", "maximum")
def softmax_without_maximum(x: Tensor, *, axis: int = -1) -> Tensor:
    """Does not subtract the maximum: exp overflows."""
    return divided(torch.exp(widened(x)), axis, x)


@wrong("softmax", "numerics", "maximum", "row")
def softmax_maximum_of_everything(x: Tensor, *, axis: int = -1) -> Tensor:
    """Subtracts the maximum of the whole array: a row far below the others becomes 0 / 0."""
    w = widened(x)
    return divided(torch.exp(w - w.detach().max()) if x.numel() else w, axis, x)


@wrong("softmax", "numerics", "everywhere", "axis is")
def softmax_maximum_of_the_wrong_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Subtracts the maximum along the first axis whatever the axis is."""
    w = widened(x)
    return divided(torch.exp(w - top(w, 0)), axis, x)


@wrong("softmax", "numerics", "maximum", "overflow", "position")
def softmax_first_entry_for_maximum(x: Tensor, *, axis: int = -1) -> Tensor:
    """Shifts by the first entry of the row in place of its maximum."""
    w = widened(x)
    return divided(torch.exp(w - w.detach().narrow(axis, 0, min(1, w.shape[axis]))), axis, x)


@wrong("softmax", "semantics", "axis")
def softmax_ignores_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Always works along the last axis."""
    return torch.softmax(x, -1)


@wrong("softmax", "semantics", "several rows", "everywhere")
def softmax_over_everything(x: Tensor, *, axis: int = -1) -> Tensor:
    """Divides by the sum over the whole array."""
    exp = torch.exp(widened(x) - top(widened(x), axis))
    return (exp / exp.sum()).to(x.dtype)


@wrong("softmax", "semantics", "axis", "negative")
def softmax_negative_axis_off_by_one(x: Tensor, *, axis: int = -1) -> Tensor:
    """Counts a negative axis from the wrong end: -2 is taken for 2 from the front."""
    return torch.softmax(x, axis if axis in (0, -1) else abs(axis) % x.dim())


@wrong("softmax", "numerics", "half", "accumulat", "classes")
def softmax_sum_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Accumulates the sum in the half type, 32 terms at a time."""
    z = torch.exp(widened(x) - top(widened(x), axis))
    total = torch.zeros_like(z.narrow(axis, 0, min(1, z.shape[axis]))).to(x.dtype)
    for part in z.split(max(32, z.shape[axis] // 1024), axis):
        total = (total + part.sum(axis, keepdim=True)).to(x.dtype)
    return (z / total).to(x.dtype)


@wrong("softmax", "numerics", "chunk", "maximum", "classes", "rescal")
def softmax_online_without_rescaling(x: Tensor, *, axis: int = -1) -> Tensor:
    """Online over chunks of 4, but the running sum is not rescaled when a larger maximum comes."""
    w = widened(x)
    highest, total = torch.full_like(top(w, axis), -torch.inf), torch.zeros_like(top(w, axis))
    for part in w.split(max(4, w.shape[axis] // 256), axis):
        highest = torch.maximum(highest, top(part, axis))
        total = total + torch.exp(part - highest).sum(axis, keepdim=True)
    return (torch.exp(w - highest) / total).to(x.dtype)


@wrong("softmax", "numerics", "classes", "length", "tail", "vector")
def softmax_sum_without_the_tail(x: Tensor, *, axis: int = -1) -> Tensor:
    """The last n % 8 entries of a row of more than 8 are left out of the sum."""
    exp = torch.exp(widened(x) - top(widened(x), axis))
    n = exp.shape[axis]
    body = exp.narrow(axis, 0, n // 8 * 8 if n > 8 else n)
    return (exp / body.sum(axis, keepdim=True)).to(x.dtype)


@wrong("softmax", "semantics", "classes", "vocabulary", "1,024", "chunk")
def softmax_of_1024_classes_at_most(x: Tensor, *, axis: int = -1) -> Tensor:
    """Sees one block of 1,024 entries; what lies behind it is 0."""
    w = widened(x)
    exp = torch.exp(w - top(w, axis))
    inside = (torch.arange(w.shape[axis]) < 1024).reshape(
        [-1 if i == axis % w.dim() else 1 for i in range(w.dim())]
    )
    return divided(torch.where(inside, exp, 0.0), axis, x)


@wrong("softmax", "numerics", "more precise than", "bits are right")
def softmax_with_epsilon(x: Tensor, *, axis: int = -1) -> Tensor:
    """Adds 1e-6 to the denominator."""
    exp = torch.exp(widened(x) - top(widened(x), axis))
    return (exp / (exp.sum(axis, keepdim=True) + 1e-6)).to(x.dtype)


@wrong("softmax", "numerics", "more precise than", "bits are right")
def softmax_short_constant(x: Tensor, *, axis: int = -1) -> Tensor:
    """exp2(x log2 e) with log2 e written to five figures."""
    w = widened(x)
    return divided(torch.exp2((w - top(w, axis)) * LOG2E), axis, x)


@wrong("softmax", "numerics", "small", "underflow", "tail")
def softmax_drops_small_probabilities(x: Tensor, *, axis: int = -1) -> Tensor:
    """Probabilities below 1e-6 become 0."""
    p = torch.softmax(x, axis)
    return torch.where(p < 1e-6, 0.0, p).to(x.dtype)


@wrong("softmax", "semantics", "mask", "nan", "infinit")
def softmax_of_masked_rows_is_zero(x: Tensor, *, axis: int = -1) -> Tensor:
    """nan becomes 0: of a row that is masked throughout, and of a score that is nan."""
    return torch.nan_to_num(torch.softmax(x, axis), nan=0.0)


@wrong("softmax", "semantics", "dtype")
def softmax_returns_float32(x: Tensor, *, axis: int = -1) -> Tensor:
    """Returns float32 for half inputs, as under autocast."""
    return torch.softmax(widened(x), axis)


@wrong("softmax", "semantics", "contiguous", "transposed", "layout", "stride")
def softmax_assumes_contiguous(x: Tensor, *, axis: int = -1) -> Tensor:
    """Reads memory as if rows lay one after the other (pytorch#139740 did so going backward)."""
    dense = torch.empty(x.shape).stride()
    return torch.softmax(x.as_strided(x.shape, dense), axis)


@wrong("softmax", "gradients", "everywhere")
def softmax_gradient_of_the_diagonal(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is p (1 - p) g: each entry as if the others did not depend on it."""
    p = torch.softmax(x.detach(), axis)
    return by_hand(x, p, lambda g: g * p * (1 - p))


@wrong("softmax", "gradients", "more precise than", "as in bfloat16")
def softmax_gradient_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Keeps the probabilities for the backward pass in bfloat16."""
    p = torch.softmax(x.detach(), axis)
    kept = p.bfloat16().to(p.dtype)
    return by_hand(x, p, lambda g: kept * (g - (g * kept).sum(axis, keepdim=True)))


@wrong("softmax", "gradients", "axis")
def softmax_gradient_along_the_last_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Going backward the sum runs along the last axis, whatever the axis is."""
    p = torch.softmax(x.detach(), axis)
    return by_hand(x, p, lambda g: p * (g - (g * p).sum(-1, keepdim=True)))


@wrong("softmax", "semantics", "in place")
def softmax_in_place(x: Tensor, *, axis: int = -1) -> Tensor:
    """Subtracts the maximum from its input in place, which the caller sees."""
    p = torch.softmax(x, axis)
    if x.numel():
        x.detach().sub_(top(x, axis))
    return p


@wrong("log_softmax", "numerics", "underflow", "infinit")
def log_softmax_log_of_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(softmax(x)): minus infinity where softmax underflows."""
    return torch.log(torch.softmax(x, axis))


@wrong("log_softmax", "numerics", "small probabilities")
def log_softmax_with_epsilon(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(softmax(x) + 1e-7): never below -16.1."""
    return torch.log(torch.softmax(widened(x), axis) + 1e-7).to(x.dtype)


@wrong("log_softmax", "numerics", "offset")
def log_softmax_maximum_added_back(x: Tensor, *, axis: int = -1) -> Tensor:
    """x - (m + L): the maximum is added before the subtraction, which then cancels (pytorch#195829)."""
    w = widened(x)
    m = top(w, axis)
    return (w - (m + torch.log(torch.exp(w - m).sum(axis, keepdim=True)))).to(x.dtype)


@wrong("log_softmax", "numerics", "overflow", "maximum")
def log_softmax_without_maximum(x: Tensor, *, axis: int = -1) -> Tensor:
    """x - log(sum exp(x)), without the maximum."""
    w = widened(x)
    return (w - torch.log(torch.exp(w).sum(axis, keepdim=True))).to(x.dtype)


@wrong("log_softmax", "numerics", "small probabilities")
def log_softmax_clamped(x: Tensor, *, axis: int = -1) -> Tensor:
    """Clamps at -30 so that nothing gets too large."""
    return torch.log_softmax(x, axis).clamp(min=-30)


@wrong("log_softmax", "semantics", "1.44 times", "everywhere")
def log_softmax_base_two(x: Tensor, *, axis: int = -1) -> Tensor:
    """Forgets ln 2: the logarithm of the sum is to the base of two."""
    w = widened(x)
    z = w - top(w, axis)
    return (z - torch.log2(torch.exp(z).sum(axis, keepdim=True))).to(x.dtype)


@wrong("log_softmax", "semantics", "axis is")
def log_softmax_ignores_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Always works along axis 1 (0 where there is one axis)."""
    return torch.log_softmax(x, min(1, x.dim() - 1))


@wrong("log_softmax", "numerics", "more precise than", "as in bfloat16")
def log_softmax_all_in_half(x: Tensor, *, axis: int = -1) -> Tensor:
    """Rounds every step to bfloat16, whatever comes in."""
    z = (x - top(x, axis)).bfloat16()
    return (z - torch.log(torch.exp(z).sum(axis, keepdim=True))).to(x.dtype)


@wrong("log_softmax", "gradients", "everywhere", "upstream")
def log_softmax_gradient_for_one_label(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is g - p, which is right only where the upstream gradient sums to one."""
    y = torch.log_softmax(x.detach(), axis)
    return by_hand(x, y, lambda g: g - y.exp())


@wrong("log_softmax", "gradients", "nan", "mask")
def log_softmax_gradient_of_masked(x: Tensor, *, axis: int = -1) -> Tensor:
    """Going backward it multiplies by log p: nan where a score is masked."""
    y = torch.log_softmax(x.detach(), axis)
    return by_hand(x, y, lambda g: g - y.exp() * g.sum(axis, keepdim=True) + 0 * y)


@wrong("logsumexp", "numerics", "overflow", "maximum")
def logsumexp_without_maximum(x: Tensor, *, axis: int = -1) -> Tensor:
    """log(sum exp(x)), without the maximum."""
    return torch.log(torch.exp(widened(x)).sum(axis)).to(x.dtype)


@wrong("logsumexp", "semantics", "shape", "axis")
def logsumexp_keeps_the_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Keeps the axis with length one."""
    return torch.logsumexp(x, axis, keepdim=True)


@wrong("logsumexp", "semantics", "axis", "shape")
def logsumexp_ignores_axis(x: Tensor, *, axis: int = -1) -> Tensor:
    """Always works along the last axis."""
    return torch.logsumexp(x, -1)


@wrong("logsumexp", "numerics", "infinit", "mask", "nan")
def logsumexp_of_masked_row(x: Tensor, *, axis: int = -1) -> Tensor:
    """inf - inf = nan in a row that is masked throughout, or holds an infinity."""
    w = widened(x)
    m = top(w, axis)
    return (torch.log(torch.exp(w - m).sum(axis)) + m.squeeze(axis)).to(x.dtype)


@wrong("logsumexp", "semantics", "everywhere", "classes")
def logsumexp_of_the_mean(x: Tensor, *, axis: int = -1) -> Tensor:
    """The logarithm of the mean in place of the sum."""
    return (torch.logsumexp(widened(x), axis) - torch.log(torch.tensor(float(x.shape[axis])))).to(x.dtype)


@wrong("logsumexp", "gradients", "everywhere")
def logsumexp_shift_half_detached(x: Tensor, *, axis: int = -1) -> Tensor:
    """The maximum is part of the gradient where it is subtracted, and detached where it is added back."""
    w = widened(x)
    m = w.amax(axis, keepdim=True) if w.shape[axis] else w.sum(axis, keepdim=True)
    m = torch.where(torch.isfinite(m), m, 0.0)
    return (torch.log(torch.exp(w - m).sum(axis)) + m.detach().squeeze(axis)).to(x.dtype)


@wrong("logsumexp", "gradients", "upstream")
def logsumexp_gradient_without_upstream(x: Tensor, *, axis: int = -1) -> Tensor:
    """The gradient is softmax, not multiplied by the upstream gradient."""
    value = torch.logsumexp(x.detach(), axis)
    return by_hand(x, value, lambda g: torch.softmax(x.detach(), axis))


@wrong("logsumexp", "gradients", "nan", "mask")
def logsumexp_gradient_trap(x: Tensor, *, axis: int = -1) -> Tensor:
    """Masked entries are set to -1e30 and multiplied back in: the value is right, their gradient is nan."""
    masked = torch.isneginf(x)
    w = torch.where(masked, -1e30 if x.dtype != torch.float16 else -6e4, x)
    return torch.logsumexp(torch.where(masked, w * (x / x), w), axis)
