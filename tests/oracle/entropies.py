"""Entropy of a categorical distribution by its logits, row by row."""

from __future__ import annotations

import numpy as np
from mpmath import exp, isinf, mp, mpf

from oracle.calls import Call, Rng
from oracle.rows import indices_by_row, log_softmax_of
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("logits",)


def entropy(logits: Array) -> Array:
    """-sum p log p, where 0 log 0 = 0."""
    axis = min(1, logits.ndim - 1)
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        out = zeros(logits.shape[:axis] + logits.shape[axis + 1 :])
        for key, indices in indices_by_row(logits.shape, axis):
            logs = log_softmax_of([number(logits[i]) for i in indices])
            out[key] = -sum((exp(v) * v for v in logs if not isinf(v)), mpf(0))
        return out


def entropy_call(rng: Rng) -> Call:
    """Rows of a few classes at any scale."""
    shape = ((5,), (3, 4), (2, 3, 2))[int(rng.integers(3))]
    logits = (rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2)).astype(np.float32)
    return Call("entropy", (logits,), {}, NAMES, NAMES)


VALUES = {"entropy": entropy}
GRADIENTS = {("entropy", "logits"): slopes(entropy, NAMES, "logits")}
MAKERS = {"entropy": entropy_call}
