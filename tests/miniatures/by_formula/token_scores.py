"""Log-probabilities of labels as kernels score tokens: right in one pass, and wrong in ten ways."""

from __future__ import annotations

import torch
from table import right, wrong
from torch import Tensor


def axis_of(logits: Tensor) -> int:
    """The axis of the classes."""
    return 1 if logits.dim() > 1 else 0


def wide(logits: Tensor) -> Tensor:
    """A half type in float32."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def check(logits: Tensor, target: Tensor) -> None:
    """IndexError for a label that is none of the classes."""
    if target.numel() and (int(target.min()) < 0 or int(target.max()) >= logits.shape[axis_of(logits)]):
        raise IndexError("a label is none of the classes")


def at(values: Tensor, target: Tensor) -> Tensor:
    """Each row's entry at its label."""
    axis = axis_of(values)
    return values.gather(axis, target.unsqueeze(axis)).squeeze(axis)


@right("token_log_prob")
def score_by_logsumexp(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """The label's shifted logit less the logarithm of the sum, in float32."""
    check(logits, target)
    z, axis = wide(logits) / temperature, axis_of(logits)
    z = z - z.amax(axis, keepdim=True).detach()
    return (at(z, target) - torch.logsumexp(z, axis)).to(logits.dtype)


@wrong("token_log_prob", "semantics", "temperature", "value")
def score_forgets_the_temperature(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Scores at temperature 1 whatever is asked for."""
    return score_by_logsumexp(logits, target)


@wrong("token_log_prob", "semantics", "temperature", "value")
def score_multiplies_by_the_temperature(
    logits: Tensor, target: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """Multiplies the logits by the temperature that divides them."""
    return score_by_logsumexp(logits * temperature, target)


@wrong("token_log_prob", "semantics", "temperature", "value")
def score_scales_the_score(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Divides the score by the temperature, not the logits."""
    return score_by_logsumexp(logits, target) / temperature


@wrong("token_log_prob", "numerics", "value", "overflow", "scores are large")
def score_exponentiates_unshifted(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Takes exponentials without a shift by the maximum."""
    check(logits, target)
    z = wide(logits) / temperature
    return (at(z, target) - torch.log(z.exp().sum(axis_of(logits)))).to(logits.dtype)


@wrong("token_log_prob", "numerics", "value")
def score_clamps_probabilities(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Clamps the probability at 1e-10 before its logarithm."""
    check(logits, target)
    p = torch.softmax(wide(logits) / temperature, axis_of(logits))
    return torch.log(at(p, target).clamp_min(1e-10)).to(logits.dtype)


@wrong("token_log_prob", "semantics", "value")
def score_is_a_loss(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Returns minus the score."""
    return -score_by_logsumexp(logits, target, temperature=temperature)


@wrong("token_log_prob", "gradients", "gradient")
def score_of_a_constant_normaliser(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Detaches the logarithm of the sum from the graph."""
    check(logits, target)
    z, axis = wide(logits) / temperature, axis_of(logits)
    z = z - z.amax(axis, keepdim=True).detach()
    return (at(z, target) - torch.logsumexp(z, axis).detach()).to(logits.dtype)


class Unscaled(torch.autograd.Function):
    """Division by the temperature whose backward pass forgets it."""

    @staticmethod
    def forward(ctx, x, temperature):
        """x / temperature."""
        return x / temperature

    @staticmethod
    def backward(ctx, upstream):
        """The upstream gradient as it is."""
        return upstream, None


@wrong("token_log_prob", "gradients", "temperature", "gradient")
def score_forgets_the_temperature_backward(
    logits: Tensor, target: Tensor, *, temperature: float = 1.0
) -> Tensor:
    """Leaves the temperature out of the gradient."""
    return score_by_logsumexp(Unscaled.apply(logits, temperature), target)


@wrong("token_log_prob", "semantics", "axis", "axes")
def score_takes_the_last_axis(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Normalises over the last axis, wherever the classes lie."""
    check(logits, target)
    return at(torch.log_softmax(wide(logits) / temperature, -1), target).to(logits.dtype)


@wrong("token_log_prob", "numerics", "value", "accuracy", "offset")
def score_rounds_the_normaliser(logits: Tensor, target: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Rounds the logarithm of the sum with its maximum to the logits' dtype before it is subtracted."""
    check(logits, target)
    z = wide(logits) / temperature
    total = torch.logsumexp(z, axis_of(logits)).to(logits.dtype)
    return (at(z, target) - total.to(z.dtype)).to(logits.dtype)
