"""Kullback-Leibler divergence of log-probabilities, term by term."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import exp, log, mp, mpf

from oracle.calls import Call, Rng, one_of, reduction_of, shape_of
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("input", "target")


def batch_reduced(terms: Array, reduction: str) -> Array:
    """The terms, their sum, or their sum over how many there are, or over the size of the first axis."""
    if reduction == "none":
        return terms
    divisor = {"sum": 1, "mean": terms.size, "batchmean": terms.shape[0] if terms.ndim else 1}[reduction]
    return np.array(sum(terms.flat, mpf(0)) / divisor, dtype=object)


def kl_div(input: Array, target: Array, *, log_target: Any = False, reduction: str = "mean") -> Array:
    """p (log p - x), where 0 log 0 = 0."""
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        terms = zeros(input.shape)
        for i in np.ndindex(input.shape):
            x, t = number(input[i]), number(target[i])
            if log_target:
                terms[i] = exp(t) * (t - x)
            elif t != 0:
                terms[i] = t * (log(t) - x)
        return batch_reduced(terms, reduction)


def kl_div_call(rng: Rng) -> Call:
    """Log-probabilities down to -1000 beside probabilities, a few of them 0, or their logarithms."""
    shape, dtype = shape_of(rng), np.float32
    x = -np.abs(rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3)).astype(dtype)
    parameters = {"reduction": "batchmean"} if rng.random() < 0.25 else reduction_of(rng, legacy=False)
    p = rng.uniform(1e-4, 1, shape)
    if rng.random() < 0.4:
        logs = (np.log(p) * one_of(rng, (1, 1, 20))).astype(dtype)
        return Call("kl_div", (x, logs), parameters | {"log_target": True}, NAMES, NAMES)
    if rng.random() < 0.3:
        return Call("kl_div", (x, np.where(p < 0.3, 0, p).astype(dtype)), parameters, ("input",), NAMES)
    return Call("kl_div", (x, p.astype(dtype)), parameters, NAMES, NAMES)


VALUES = {"kl_div": kl_div}
GRADIENTS = {("kl_div", name): slopes(kl_div, NAMES, name) for name in NAMES}
MAKERS = {"kl_div": kl_div_call}
