"""Sigmoid focal loss, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import exp, log, mp

from oracle.calls import Call, Rng, binary_targets, reduction_of, shape_of
from oracle.divergences import batch_reduced
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("logits", "target")


def sigmoid_focal_loss(
    logits: Array, target: Array, *, alpha: Any = 0.25, gamma: Any = 2.0, reduction: str = "mean"
) -> Array:
    """a_t (1 - p_t)^gamma (-t log p - (1 - t) log(1 - p))."""
    share, power = number(alpha), number(gamma)
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        terms = zeros(logits.shape)
        for i in np.ndindex(logits.shape):
            x, t = number(logits[i]), number(target[i])
            p, rest = 1 / (1 + exp(-x)), 1 / (1 + exp(x))
            loss = -(t * log(p) + (1 - t) * log(rest))
            missed = 1 - (p * t + rest * (1 - t))
            weight = share * t + (1 - share) * (1 - t) if share >= 0 else 1
            terms[i] = weight * missed**power * loss
        return batch_reduced(terms, reduction)


def sigmoid_focal_loss_call(rng: Rng) -> Call:
    """Logits up to some tens beside hard and soft targets."""
    logits = (rng.standard_normal(shape_of(rng)) * 10 ** rng.uniform(-2, 1.3)).astype(np.float32)
    parameters = reduction_of(rng, legacy=False)
    if rng.random() < 0.5:
        parameters["alpha"] = float(rng.choice((-1.0, 0.5, 0.75)))
    if rng.random() < 0.5:
        parameters["gamma"] = float(rng.choice((0.0, 0.5, 1.0, 5.0)))
    inputs = logits, binary_targets(rng, logits)
    return Call("sigmoid_focal_loss", inputs, parameters, NAMES, NAMES)


VALUES = {"sigmoid_focal_loss": sigmoid_focal_loss}
GRADIENTS = {("sigmoid_focal_loss", name): slopes(sigmoid_focal_loss, NAMES, name) for name in NAMES}
MAKERS = {"sigmoid_focal_loss": sigmoid_focal_loss_call}
