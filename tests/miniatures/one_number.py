"""Sigmoid and log-sigmoid, wrong."""

from __future__ import annotations

import torch
from correct import by_hand, widened
from table import wrong
from torch import Tensor
from torch.nn import functional as fn


@wrong("sigmoid", "numerics", "overflow")
def sigmoid_overflows(x: Tensor) -> Tensor:
    """exp(x) / (1 + exp(x)): infinity over infinity, nan, where exp(x) overflows."""
    return torch.exp(x) / (1 + torch.exp(x))


@wrong("sigmoid", "numerics", "tail", "cancel")
def sigmoid_cancels_in_the_lower_tail(x: Tensor) -> Tensor:
    """1 - 1 / (1 + exp(x)): the lower tail cancels to 0."""
    return (1 - 1 / (1 + torch.exp(widened(x)))).to(x.dtype)


@wrong("sigmoid", "numerics", "tail", "cancel")
def sigmoid_by_tanh(x: Tensor) -> Tensor:
    """(1 + tanh(x / 2)) / 2: the lower tail has the absolute precision of 1, not its own."""
    return ((torch.tanh(widened(x) / 2) + 1) / 2).to(x.dtype)


@wrong("sigmoid", "numerics", "clip", "tail", "saturat")
def sigmoid_clipped(x: Tensor) -> Tensor:
    """Clips the scores at -15 and 15: a floor under the tail, and a gradient of 0 beyond it."""
    return torch.sigmoid(x.clamp(-15, 15))


@wrong("sigmoid", "numerics", "tail", "small")
def sigmoid_away_from_0_and_1(x: Tensor) -> Tensor:
    """Keeps its result between 1e-7 and 1 - 1e-7 so that logarithms stay finite."""
    return torch.sigmoid(x).clamp(1e-7, 1 - 1e-7)


@wrong("sigmoid", "numerics", "float64")
def sigmoid_in_float32(x: Tensor) -> Tensor:
    """Computes float64 in float32."""
    return torch.sigmoid(x.float()).to(x.dtype)


@wrong("sigmoid", "semantics", "dtype")
def sigmoid_returns_float32(x: Tensor) -> Tensor:
    """Returns float32 for half inputs, as under autocast."""
    return torch.sigmoid(widened(x))


@wrong("sigmoid", "semantics", "nan")
def sigmoid_hides_nan(x: Tensor) -> Tensor:
    """Turns nan into a number."""
    return torch.sigmoid(torch.nan_to_num(x))


@wrong("sigmoid", "semantics", "nan", "vector", "position")
def sigmoid_hides_nan_in_the_vector_body(x: Tensor) -> Tensor:
    """nan becomes a number in each full vector of 8; the scalar tail is right (pytorch#13448)."""
    flat = x.reshape(-1)
    body = flat.numel() // 8 * 8
    return torch.cat([torch.sigmoid(torch.nan_to_num(flat[:body])), torch.sigmoid(flat[body:])]).reshape(
        x.shape
    )


@wrong("sigmoid", "numerics", "tail", "length", "vector", "position")
def sigmoid_wrong_in_the_scalar_tail(x: Tensor) -> Tensor:
    """The last n % 8 elements go through another formula, which cancels."""
    flat = x.reshape(-1)
    body = flat.numel() // 8 * 8
    return torch.cat([torch.sigmoid(flat[:body]), 1 - torch.sigmoid(-flat[body:])]).reshape(x.shape)


@wrong("sigmoid", "gradients", "upstream")
def sigmoid_gradient_without_upstream(x: Tensor) -> Tensor:
    """The gradient s (1 - s) is not multiplied by the upstream gradient."""
    s = torch.sigmoid(x.detach())
    return by_hand(x, s, lambda upstream: s * (1 - s))


@wrong("sigmoid", "gradients", "more precise than", "as in bfloat16")
def sigmoid_gradient_in_half(x: Tensor) -> Tensor:
    """Keeps s for the backward pass in bfloat16."""
    s = torch.sigmoid(x.detach())
    kept = s.bfloat16().to(s.dtype)
    return by_hand(x, s, lambda upstream: upstream * kept * (1 - kept))


@wrong("sigmoid", "semantics", "in place")
def sigmoid_in_place(x: Tensor) -> Tensor:
    """Overwrites its input with the result."""
    s = torch.sigmoid(x.detach())
    x.detach().copy_(s)
    return by_hand(x, s, lambda upstream: upstream * s * (1 - s))


@wrong("sigmoid", "numerics", "more precise than", "bits are right", "everywhere")
def sigmoid_fast_exponential(x: Tensor) -> Tensor:
    """exp(x) as (1 + x / 1024)^1024, as a fast kernel does."""
    w = widened(x)
    z = (1 - w.abs() / 1024).clamp(min=0) ** 1024
    return (torch.where(w < 0, z, torch.ones_like(z)) / (1 + z)).to(x.dtype)


@wrong("sigmoid", "numerics", "tail", "large")
def sigmoid_by_log_sigmoid(x: Tensor) -> Tensor:
    """exp(log sigmoid(x)): the exponential makes |x| times as much of the logarithm's rounding."""
    return torch.exp(fn.logsigmoid(x))


@wrong("log_sigmoid", "numerics", "underflow", "infinit", "tail")
def log_sigmoid_log_of_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)): minus infinity where sigmoid underflows."""
    return torch.log(torch.sigmoid(x))


@wrong("log_sigmoid", "numerics", "overflow", "infinit")
def log_sigmoid_overflows(x: Tensor) -> Tensor:
    """-log1p(exp(-x)): minus infinity where exp(-x) overflows."""
    return -torch.log1p(torch.exp(-x))


@wrong("log_sigmoid", "numerics", "tail", "log1p")
def log_sigmoid_without_log1p(x: Tensor) -> Tensor:
    """log(1 + z) in place of log1p(z): the upper tail is 0 from 17 on (pytorch#66441)."""
    w = widened(x)
    return (w.clamp(max=0) - torch.log(1 + torch.exp(-w.abs()))).to(x.dtype)


@wrong("log_sigmoid", "numerics", "float64", "threshold")
def log_sigmoid_by_softplus(x: Tensor) -> Tensor:
    """-softplus(-x), whose threshold of 20 is made for float32."""
    return -fn.softplus(-x)


@wrong("log_sigmoid", "numerics", "epsilon", "tail")
def log_sigmoid_with_epsilon(x: Tensor) -> Tensor:
    """log(sigmoid(x) + 1e-12)."""
    return torch.log(torch.sigmoid(widened(x)) + 1e-12).to(x.dtype)


@wrong("log_sigmoid", "numerics", "clamp", "tail", "finite")
def log_sigmoid_clamped(x: Tensor) -> Tensor:
    """Clamps its result: never below -100."""
    return fn.logsigmoid(x).clamp(min=-100)


@wrong("log_sigmoid", "gradients", "nan", "overflow")
def log_sigmoid_where_trap(x: Tensor) -> Tensor:
    """torch.where over two formulas, of which the one not taken overflows: its gradient is nan."""
    w = widened(x)
    return torch.where(w >= 0, -torch.log1p(torch.exp(-w)), w - torch.log1p(torch.exp(w))).to(x.dtype)


@wrong("log_sigmoid", "gradients", "tail", "cancel")
def log_sigmoid_gradient_cancels(x: Tensor) -> Tensor:
    """The gradient is 1 - sigmoid(x): 0 in the upper tail."""
    s = torch.sigmoid(widened(x.detach()))
    return by_hand(x, fn.logsigmoid(x.detach()), lambda upstream: upstream * (1 - s))


@wrong("log_sigmoid", "gradients", "everywhere", "mirror")
def log_sigmoid_gradient_of_the_mirror(x: Tensor) -> Tensor:
    """The gradient is sigmoid(x) where sigmoid(-x) is right."""
    s = torch.sigmoid(x.detach())
    return by_hand(x, fn.logsigmoid(x.detach()), lambda upstream: upstream * s)
