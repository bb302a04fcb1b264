"""Generalised Jensen-Shannon divergence of two distributions: right, and wrong in ten ways."""

from __future__ import annotations

import math

import torch
from table import right, wrong
from torch import Tensor


def axis_of(logits: Tensor) -> int:
    """The axis of the classes."""
    return 1 if logits.dim() > 1 else 0


def wide(logits: Tensor) -> Tensor:
    """A half type in float32."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def promoted(*tensors: Tensor) -> list[Tensor]:
    """Half types in float32, and all in the widest of their dtypes."""
    widest = max((wide(tensor).dtype for tensor in tensors), key=lambda dtype: dtype.itemsize)
    return [tensor.to(widest) for tensor in tensors]


def reduce(rows: Tensor, reduction: str, dtype: torch.dtype) -> Tensor:
    """The rows, their sum or their mean."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"no reduction {reduction}")
    return (rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()).to(dtype)


def check(logits: Tensor, target: Tensor, beta: float) -> None:
    """ValueError for tensors of two shapes, or a mixture that is none."""
    if logits.shape != target.shape or not 0 < beta < 1:
        raise ValueError("logits and target have one shape, beta lies between 0 and 1")


def divergence(log_p: Tensor, log_m: Tensor) -> Tensor:
    """p (log p - log m), where a probability of 0 removes its term."""
    p = log_p.exp()
    return p * (log_p - log_m).masked_fill(p == 0, 0)


def logs_of(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """log q and log p."""
    return tuple(torch.log_softmax(x, axis_of(x)) for x in promoted(logits, target))


def mixed(log_q: Tensor, log_p: Tensor, beta: float) -> Tensor:
    """log(beta p + (1 - beta) q) by logaddexp; a class that neither has gets 0."""
    neither = torch.isinf(log_q) & torch.isinf(log_p)
    a, b = (log.masked_fill(neither, 0) for log in (log_p, log_q))
    return torch.logaddexp(a + math.log(beta), b + math.log1p(-beta))


@right("js_div")
def mixture_by_logaddexp(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Log-softmax and logaddexp in float32."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    log_m = mixed(log_q, log_p, beta)
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "semantics", "beta", "value")
def mixture_swaps_beta(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Gives the student the teacher's share."""
    return mixture_by_logaddexp(logits, target, beta=1 - beta, reduction=reduction)


@wrong("js_div", "semantics", "beta", "value")
def mixture_is_always_half(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Mixes both in halves whatever beta is, which weighs the divergences alone."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    log_m = mixed(log_q, log_p, 0.5)
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "semantics", "value")
def mixture_of_logarithms(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Takes the mean of the logarithms for the logarithm of the mean."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    floor = torch.finfo(log_q.dtype).min / 4
    log_m = beta * log_p.clamp_min(floor) + (1 - beta) * log_q.clamp_min(floor)
    rows = beta * divergence(log_p, log_m) + (1 - beta) * divergence(log_q, log_m)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "semantics", "value")
def mixture_is_the_first_argument(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """The divergences of the mixture from both, not of both from the mixture."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    log_m, floor = mixed(log_q, log_p, beta), torch.finfo(log_q.dtype).min / 4
    to_p, to_q = (log_m.exp() * (log_m - log.clamp_min(floor)) for log in (log_p, log_q))
    return reduce((beta * to_p + (1 - beta) * to_q).sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "semantics", "mean", "reduction")
def mixture_mean_over_elements(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Divides by the number of elements, not of rows."""
    loss = mixture_by_logaddexp(logits, target, beta=beta, reduction=reduction)
    return loss / logits.shape[axis_of(logits)] if reduction == "mean" else loss


@wrong("js_div", "numerics", "masked", "-inf", "value")
def mixture_multiplies_infinity_by_zero(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """exp(log p) (log p - log m) without a guard: nan for a masked class."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    log_m = mixed(log_q, log_p, beta)
    rows = beta * log_p.exp() * (log_p - log_m) + (1 - beta) * log_q.exp() * (log_q - log_m)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "numerics", "value", "underflow", "maxima")
def mixture_of_probabilities_with_an_epsilon(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Probabilities, with 1e-6 added under each logarithm."""
    check(logits, target, beta)
    q, p = (torch.softmax(x, axis_of(x)) for x in promoted(logits, target))
    m = beta * p + (1 - beta) * q + 1e-6
    rows = beta * p * torch.log((p + 1e-6) / m) + (1 - beta) * q * torch.log((q + 1e-6) / m)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)


@wrong("js_div", "semantics", "value", "axis", "axes")
def mixture_over_the_last_axis(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Takes the last axis for that of the classes."""
    if logits.dim() < 3:
        return mixture_by_logaddexp(logits, target, beta=beta, reduction=reduction)
    return mixture_by_logaddexp(
        logits.transpose(1, -1), target.transpose(1, -1), beta=beta, reduction=reduction
    )


@wrong("js_div", "gradients", "gradient", "target")
def mixture_of_a_constant_teacher(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Detaches the teacher."""
    rest = 0 * target.nan_to_num(0, 0, 0).sum()
    return mixture_by_logaddexp(logits, target.detach(), beta=beta, reduction=reduction) + rest


@wrong("js_div", "gradients", "gradient")
def mixture_is_detached(
    logits: Tensor, target: Tensor, *, beta: float = 0.5, reduction: str = "mean"
) -> Tensor:
    """Detaches the probabilities in front of the logarithms."""
    check(logits, target, beta)
    log_q, log_p = logs_of(logits, target)
    log_m = mixed(log_q, log_p, beta)
    q, p = log_q.exp().detach(), log_p.exp().detach()
    rows = beta * p * (log_p - log_m).masked_fill(p == 0, 0)
    rows = rows + (1 - beta) * q * (log_q - log_m).masked_fill(q == 0, 0)
    return reduce(rows.sum(axis_of(logits)), reduction, logits.dtype)
