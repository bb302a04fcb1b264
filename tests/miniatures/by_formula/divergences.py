"""Kullback-Leibler divergence of log-probabilities: right, and wrong in ten ways."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor


def wide(tensor: Tensor) -> Tensor:
    """A half type in float32."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def promoted(*tensors: Tensor) -> list[Tensor]:
    """Half types in float32, and all in the widest of their dtypes."""
    widest = max((wide(tensor).dtype for tensor in tensors), key=lambda dtype: dtype.itemsize)
    return [tensor.to(widest) for tensor in tensors]


def reduce(rows: Tensor, reduction: str, dtype: torch.dtype) -> Tensor:
    """The rows, or their sum over 1, their number or the size of the batch."""
    if reduction == "none":
        return rows.to(dtype)
    divisors = {"sum": 1, "mean": rows.numel(), "batchmean": rows.shape[0] if rows.dim() else 1}
    if reduction not in divisors:
        raise ValueError(f"no reduction {reduction}")
    return (rows.sum() / divisors[reduction]).to(dtype)


class Terms(torch.autograd.Function):
    """t (log t - x) in one pass, with both gradients by hand; a target of 0 removes its term."""

    @staticmethod
    def forward(ctx, x, t, log_target, forgets):
        """The terms."""
        p, log_p = (t.exp(), t) if log_target else (t, t.log())
        ctx.save_for_backward(x, p, log_p)
        ctx.log_target, ctx.forgets = log_target, forgets
        return torch.where(p == 0, 0, p * (log_p - x))

    @staticmethod
    def backward(ctx, upstream):
        """-p and log p - x + 1, or p times that of logarithms."""
        x, p, log_p = ctx.saved_tensors
        slope = log_p - x + (0 if ctx.forgets == "one" else 1)
        if ctx.log_target:
            slope = torch.where(p == 0, 0, slope if ctx.forgets == "p" else p * slope)
        if ctx.forgets == "upstream":
            return -p, upstream * slope, None, None
        to_target = torch.where(upstream == 0, 0, upstream * slope)
        return -(upstream * p), (None if ctx.forgets == "target" else to_target), None, None


def check(input: Tensor, target: Tensor) -> None:
    """ValueError for tensors of two shapes."""
    if input.shape != target.shape:
        raise ValueError("input and target have one shape")


def loss(input: Tensor, target: Tensor, log_target: bool, reduction: str, forgets: str = "") -> Tensor:
    """The divergence, reduced."""
    check(input, target)
    return reduce(Terms.apply(*promoted(input, target), log_target, forgets), reduction, input.dtype)


@right("kl_div")
def divergence_in_one_pass(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Terms and both gradients in one pass, half types in float32."""
    return loss(input, target, log_target, reduction)


@right("kl_div")
def divergence_by_terms(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Minus the entropy of the target and the cross term apart, half types in float32."""
    check(input, target)
    x, t = promoted(input, target)
    if log_target:
        p = t.exp()
        return reduce(p * (t - x).masked_fill(p == 0, 0), reduction, input.dtype)
    rows = -torch.special.entr(t) - t * x.masked_fill((t == 0) & torch.isinf(x), 0)
    return reduce(rows, reduction, input.dtype)


@wrong("kl_div", "semantics", "value")
def divergence_the_other_way_round(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The divergence of the target from the input: q (log q - log p)."""
    check(input, target)
    x, t = promoted(input, target)
    return reduce(x.exp() * (x - (t if log_target else t.log())), reduction, input.dtype)


@wrong("kl_div", "semantics", "value")
def divergence_takes_input_for_probabilities(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Takes the logarithm of what is a logarithm already."""
    check(input, target)
    return loss(wide(input).abs().log().to(input.dtype), target, log_target, reduction)


@wrong("kl_div", "semantics", "log_target", "value")
def divergence_ignores_log_target(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Takes logarithms of probabilities for probabilities."""
    return (
        loss(input, target.abs(), False, reduction) if log_target else loss(input, target, False, reduction)
    )


@wrong("kl_div", "semantics", "batchmean", "reduction")
def divergence_takes_batchmean_for_mean(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Divides by the number of elements, not by the size of the batch."""
    return loss(input, target, log_target, "mean" if reduction == "batchmean" else reduction)


@wrong("kl_div", "semantics", "mean", "reduction")
def divergence_takes_mean_for_batchmean(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Divides the mean by the size of the batch, as Keras does, not by the number of elements."""
    return loss(input, target, log_target, "batchmean" if reduction == "mean" and input.dim() else reduction)


@wrong("kl_div", "numerics", "value", "accuracy")
def divergence_adds_an_epsilon(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Adds 1e-6 to the probability under the logarithm."""
    check(input, target)
    x, t = promoted(input, target)
    p = t.exp() if log_target else t
    return reduce(p * (torch.log(p + 1e-6) - x), reduction, input.dtype)


@wrong("kl_div", "numerics", "value", "underflow", "nan", "inf")
def divergence_of_a_ratio(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The logarithm of p / exp(x): infinite where the exponential underflows."""
    check(input, target)
    x, t = promoted(input, target)
    p, q = t.exp() if log_target else t, x.exp()
    return reduce(p * torch.log(p / q), reduction, input.dtype)


@wrong("kl_div", "gradients", "gradient", "target")
def divergence_forgets_the_entropy_s_one(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Leaves out the 1 that the derivative of t log t has beside log t."""
    return loss(input, target, log_target, reduction, "one")


@wrong("kl_div", "gradients", "gradient", "target")
def divergence_of_a_constant_target(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Detaches the target, as if a teacher had no gradient."""
    return loss(input, target.detach() + 0 * target.nan_to_num(0, 0, 0), log_target, reduction)


@wrong("kl_div", "gradients", "upstream")
def divergence_forgets_the_upstream(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """Leaves the upstream gradient out of the input's."""
    return loss(input, target, log_target, reduction, "upstream")


@wrong("kl_div", "gradients", "gradient", "target", "log_target")
def divergence_differentiates_by_probabilities(
    input: Tensor, target: Tensor, *, log_target: bool = False, reduction: str = "mean"
) -> Tensor:
    """The gradient of logarithms without their probability."""
    return loss(input, target, log_target, reduction, "p")
