"""Entropy of a categorical distribution by its logits: right in one pass, and wrong in ten ways."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor


def axis_of(logits: Tensor) -> int:
    """The axis of the classes; ValueError for a single number, which has none."""
    if not logits.dim():
        raise ValueError("a single number has no classes")
    return 1 if logits.dim() > 1 else 0


def wide(logits: Tensor) -> Tensor:
    """A half type in float32."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def shifted(logits: Tensor) -> Tensor:
    """The logits less their maximum; those of masked classes stay -inf."""
    return logits - logits.amax(axis_of(logits), keepdim=True).detach()


def mean_of(p: Tensor, z: Tensor, axis: int, keepdim: bool = False) -> Tensor:
    """sum p z, where a probability of 0 removes its term."""
    return (p * z.masked_fill(p == 0, 0)).sum(axis, keepdim=keepdim)


class OnePass(torch.autograd.Function):
    """log sum exp z - sum p z, and its gradient -g p (z - sum p z)."""

    @staticmethod
    def forward(ctx, logits, forgets):
        """The entropy of each row."""
        axis, z = axis_of(logits), shifted(logits)
        p = torch.softmax(z, axis)
        ctx.save_for_backward(logits)
        ctx.forgets = forgets
        return torch.log(z.exp().sum(axis)) - mean_of(p, z, axis)

    @staticmethod
    def backward(ctx, upstream):
        """-g p (z - sum p z); 0 where the probability is 0."""
        (logits,) = ctx.saved_tensors
        axis, z = axis_of(logits), shifted(logits)
        p = torch.softmax(z, axis)
        g = upstream.unsqueeze(axis)
        if ctx.forgets == "upstream":
            g = torch.ones_like(g)
        if ctx.forgets == "own row":
            g = g.select(0, 0).unsqueeze(0).expand_as(g) if z.dim() > 1 else g
        mean = 0 if ctx.forgets == "mean" else mean_of(p, z, axis, True)
        slope = -(g * p) * (z.masked_fill(p == 0, 0) - mean)
        return -slope if ctx.forgets == "sign" else slope, None


@right("entropy")
def entropy_in_one_pass(logits: Tensor) -> Tensor:
    """Shifted by the maximum, with its gradient by hand, half types in float32."""
    return OnePass.apply(wide(logits), "").to(logits.dtype)


@right("entropy")
def entropy_by_log_softmax(logits: Tensor) -> Tensor:
    """-sum p log p by log-softmax in float32, where 0 log 0 = 0."""
    log_p = torch.log_softmax(wide(logits), axis_of(logits))
    return -mean_of(log_p.exp(), log_p, axis_of(logits)).to(logits.dtype)


@wrong("entropy", "numerics", "masked", "-inf", "value")
def entropy_multiplies_infinity_by_zero(logits: Tensor) -> Tensor:
    """exp(log p) log p without a guard: nan for a masked class."""
    log_p = torch.log_softmax(wide(logits), axis_of(logits))
    return -(log_p.exp() * log_p).sum(axis_of(logits)).to(logits.dtype)


@wrong("entropy", "gradients", "masked", "-inf", "gradient", "nan")
def entropy_replaces_nan_afterwards(logits: Tensor) -> Tensor:
    """Sets the nan of a masked class to 0 in the value alone."""
    log_p = torch.log_softmax(wide(logits), axis_of(logits))
    return -(log_p.exp() * log_p).nan_to_num(0.0).sum(axis_of(logits)).to(logits.dtype)


@wrong("entropy", "numerics", "value", "offset", "accuracy")
def entropy_takes_the_mean_of_unshifted_logits(logits: Tensor) -> Tensor:
    """logsumexp(x) - sum p x, in which a common offset of the logits cancels."""
    x, axis = logits.clamp_min(torch.finfo(logits.dtype).min), axis_of(logits)
    return torch.logsumexp(x, axis) - (torch.softmax(x, axis) * x).sum(axis)


@wrong("entropy", "numerics", "value", "accuracy")
def entropy_adds_an_epsilon(logits: Tensor) -> Tensor:
    """Adds 1e-6 to the probability under the logarithm."""
    p = torch.softmax(wide(logits), axis_of(logits))
    return -(p * torch.log(p + 1e-6)).sum(axis_of(logits)).to(logits.dtype)


@wrong("entropy", "semantics", "value")
def entropy_in_bits(logits: Tensor) -> Tensor:
    """Counts bits, not nats."""
    return entropy_by_log_softmax(logits) / 0.6931471805599453


@wrong("entropy", "semantics", "value")
def entropy_is_negative(logits: Tensor) -> Tensor:
    """Returns sum p log p."""
    return -entropy_by_log_softmax(logits)


@wrong("entropy", "semantics", "value", "axis", "axes")
def entropy_over_the_last_axis(logits: Tensor) -> Tensor:
    """Sums over the last axis, wherever the classes lie."""
    log_p = torch.log_softmax(wide(logits), -1)
    return -mean_of(log_p.exp(), log_p, -1).to(logits.dtype)


@wrong("entropy", "gradients", "gradient")
def entropy_of_constant_probabilities(logits: Tensor) -> Tensor:
    """Detaches the probabilities: the gradient is that of the logarithms alone."""
    log_p = torch.log_softmax(wide(logits), axis_of(logits))
    return -mean_of(log_p.exp().detach(), log_p, axis_of(logits)).to(logits.dtype)


@wrong("entropy", "gradients", "gradient")
def entropy_forgets_the_mean_backward(logits: Tensor) -> Tensor:
    """Leaves the mean of the logits out of the gradient."""
    return OnePass.apply(wide(logits), "mean").to(logits.dtype)


@wrong("entropy", "gradients", "gradient", "sign")
def entropy_has_the_sign_wrong_backward(logits: Tensor) -> Tensor:
    """The gradient of minus the entropy."""
    return OnePass.apply(wide(logits), "sign").to(logits.dtype)


@wrong("entropy", "gradients", "upstream", "gradient")
def entropy_takes_one_row_s_upstream_for_all(logits: Tensor) -> Tensor:
    """Scales every row's gradient by the first row's upstream."""
    return OnePass.apply(wide(logits), "own row").to(logits.dtype)


@wrong("entropy", "gradients", "upstream")
def entropy_forgets_the_upstream(logits: Tensor) -> Tensor:
    """Leaves the upstream gradient out."""
    return OnePass.apply(wide(logits), "upstream").to(logits.dtype)
