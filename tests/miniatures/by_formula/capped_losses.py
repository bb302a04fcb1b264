"""Cross-entropy of soft-capped logits with a z-loss, fused: right in one pass, and wrong in eleven ways."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 16


class FusedCapped(torch.autograd.Function):
    """Each row's loss and the logits' slopes, in float32 where the logits are half; classes lie last."""

    @staticmethod
    def forward(ctx, logits, target, softcap, z_loss, scale, ignored, smoothing, forgets):
        """Each row's loss."""
        wide = logits.double() if logits.dtype == torch.float64 else logits.float()
        classes, padding = wide.shape[1], -wide.shape[1] % BLOCK if forgets == "padding" else 0
        kept = target != ignored
        if bool((kept & ((target < 0) | (target >= classes))).any()):
            raise IndexError("a label is none of the classes")
        label = torch.where(kept, target, 0).unsqueeze(1)
        x = torch.nn.functional.pad(wide, (0, padding), value=float("-inf"))
        z, slope = capped(x, softcap, scale, forgets)
        top = z.amax(1)
        top = torch.where(torch.isfinite(top), top, 0)
        shifted = z - top.unsqueeze(1)
        log_sum = torch.logsumexp(shifted, 1)
        at_label = shifted.gather(1, label).squeeze(1)
        mean = shifted[:, :classes].mean(1)
        loss = log_sum - (1 - smoothing) * at_label - (smoothing * mean if smoothing else 0)
        total = top + log_sum
        square = log_sum - at_label if forgets == "square of the loss" else total
        loss = torch.where(kept, loss, 0)
        extra = z_loss * square * square
        loss = loss + (extra if forgets == "ignored z-loss" else torch.where(kept, extra, 0))
        p = torch.softmax(z, 1)
        wanted = torch.full_like(z, smoothing / classes).scatter_add(
            1, label, torch.full_like(label, 1, dtype=z.dtype) * (1 - smoothing)
        )
        factor = 1 if forgets == "factor of the square" else 2
        to_z = p * (1 + factor * z_loss * total).unsqueeze(1) - wanted
        to_x = torch.where(kept.unsqueeze(1), to_z * slope, 0)
        ctx.save_for_backward(to_x[:, :classes])
        ctx.dtype = logits.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        """The slopes, scaled row by row."""
        (slopes,) = ctx.saved_tensors
        return ((upstream.unsqueeze(1) * slopes).to(ctx.dtype), *[None] * 7)


def capped(x, softcap, scale, forgets):
    """The capped logits and their slopes."""
    if not softcap or forgets == "cap":
        return x * scale, torch.full_like(x, scale)
    if forgets == "scale before the cap":
        t = torch.tanh(x / softcap)
        return scale * softcap * t, scale * (1 - t * t)
    if forgets == "tangent":
        z = (x * scale).clamp(-softcap, softcap)
        return z, torch.where(z == x * scale, scale, 0.0).to(x.dtype)
    t = torch.tanh(x * scale / softcap)
    slope = torch.ones_like(t) if forgets == "slope of the cap" else 1 - t * t
    return softcap * t, slope if forgets == "scale backward" else slope * scale


def loss(logits, target, softcap, z_loss, scale, ignored, smoothing, divisor, reduction, forgets=""):
    """The fused loss, reduced; axes of classes other than the last are moved there."""
    rows = logits.unsqueeze(0) if logits.dim() == 1 else logits.movedim(1, -1).flatten(0, -2)
    labels = target.reshape(-1)
    if len(rows) != len(labels):
        raise ValueError("a label for each row")
    losses = FusedCapped.apply(rows, labels, softcap, z_loss, scale, ignored, smoothing, forgets)
    if reduction == "none":
        return losses.reshape(target.shape).to(logits.dtype)
    if reduction not in ("sum", "mean"):
        raise ValueError(f"unknown reduction {reduction}")
    own = (labels != ignored).sum()
    by = own if forgets == "divisor" or not divisor else divisor
    if reduction == "sum":
        by = divisor if forgets == "sum" and divisor else 1
    return (losses.sum() / by).to(logits.dtype)


@right("capped_cross_entropy")
def fused_capped(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """One pass over the classes, the slopes made going forward."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options)


@wrong("capped_cross_entropy", "semantics", "softcap", "value")
def fused_capped_counts_padding(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Pads the classes with -inf and caps behind that: each padding class counts exp(-softcap)."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "padding")


@wrong("capped_cross_entropy", "semantics", "softcap")
def fused_capped_forgets_the_cap(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Computes the loss of the logits as they are."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "cap")


@wrong("capped_cross_entropy", "semantics", "logit_scale", "softcap")
def fused_capped_scales_behind_the_cap(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Scales the capped logits, not those that are capped."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "scale before the cap")


@wrong("capped_cross_entropy", "gradients", "softcap", "gradient")
def fused_capped_forgets_the_slope_of_the_cap(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Takes the gradient of the capped logits for that of the logits."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "slope of the cap")


@wrong("capped_cross_entropy", "gradients", "logit_scale", "gradient")
def fused_capped_forgets_the_scale_backward(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Leaves the scale out of the gradient."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "scale backward")


@wrong("capped_cross_entropy", "semantics", "z_loss")
def fused_capped_squares_the_mean(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Squares the logarithm of the sum after the label's logit is taken off."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "square of the loss")


@wrong("capped_cross_entropy", "semantics", "z_loss", "ignore")
def fused_capped_adds_the_z_loss_of_ignored_rows(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Adds the z-loss of ignored rows as well."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "ignored z-loss")


@wrong("capped_cross_entropy", "gradients", "z_loss", "gradient")
def fused_capped_halves_the_slope_of_the_z_loss(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Forgets the factor 2 in the z-loss' gradient."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "factor of the square")


@wrong("capped_cross_entropy", "semantics", "divisor")
def fused_capped_divides_by_its_own_rows(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Divides by its own rows whatever the divisor: a mean of means."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "divisor")


@wrong("capped_cross_entropy", "semantics", "divisor", "reduction")
def fused_capped_divides_a_sum(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Divides a sum by the divisor, too."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "sum")


@wrong("capped_cross_entropy", "numerics", "value", "accuracy")
def fused_capped_clamps_the_cap(
    logits: Tensor,
    target: Tensor,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """Caps by a clamp in the place of the hyperbolic tangent."""
    options = softcap, z_loss, logit_scale, ignore_index, label_smoothing, divisor, reduction
    return loss(logits, target, *options, "tangent")
