"""Generalised Jensen-Shannon divergence of two distributions by their logits, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import log, mp, mpf

from oracle.calls import Call, Rng, reduction_of
from oracle.divergences import batch_reduced
from oracle.rows import indices_by_row, softmax_of
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("logits", "target")


def js_div(logits: Array, target: Array, *, beta: Any = 0.5, reduction: str = "mean") -> Array:
    """beta KL(p, m) + (1 - beta) KL(q, m) of the mixture m = beta p + (1 - beta) q."""
    axis, share = min(1, logits.ndim - 1), number(beta)
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        out = zeros(logits.shape[:axis] + logits.shape[axis + 1 :])
        for key, indices in indices_by_row(logits.shape, axis):
            q = softmax_of([number(logits[i]) for i in indices])
            p = softmax_of([number(target[i]) for i in indices])
            for a, b in zip(p, q, strict=True):
                m = share * a + (1 - share) * b
                out[key] += share * (a * log(a / m) if a else mpf(0))
                out[key] += (1 - share) * (b * log(b / m) if b else mpf(0))
        return batch_reduced(out, reduction)


def js_div_call(rng: Rng) -> Call:
    """Two sets of rows of a few classes, in half of the calls close to each other."""
    shape = ((5,), (3, 4), (2, 3, 2))[int(rng.integers(3))]
    scale = 10 ** rng.uniform(-2, 1.5)
    logits = (rng.standard_normal(shape) * scale).astype(np.float32)
    near = logits if rng.random() < 0.5 else 0
    target = (near + rng.standard_normal(shape) * scale * 0.1).astype(np.float32)
    parameters = reduction_of(rng, legacy=False)
    if rng.random() < 0.5:
        parameters["beta"] = float(rng.choice((0.1, 0.25, 0.9)))
    return Call("js_div", (logits, target), parameters, NAMES, NAMES)


VALUES = {"js_div": js_div}
GRADIENTS = {("js_div", name): slopes(js_div, NAMES, name) for name in NAMES}
MAKERS = {"js_div": js_div_call}
