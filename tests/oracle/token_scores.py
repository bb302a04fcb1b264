"""Log-probabilities of labels at a temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp

from oracle.calls import Call, Rng
from oracle.losses import nll_loss
from oracle.rows import indices_by_row, log_softmax_of
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, each, number, zeros

NAMES = ("logits", "target")


def token_log_prob(logits: Array, target: Array, *, temperature: Any = 1.0) -> Array:
    """log softmax(x / T) at the label."""
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        log_probs = zeros(logits.shape)
        for _, indices in indices_by_row(logits.shape, min(1, logits.ndim - 1)):
            row = log_softmax_of([number(logits[i]) / number(temperature) for i in indices])
            for i, value in zip(indices, row, strict=True):
                log_probs[i] = value
        return each(lambda loss: -loss, nll_loss(log_probs, target, reduction="none"))


def token_log_prob_call(rng: Rng) -> Call:
    """Rows of a few classes, in half of the calls at a temperature."""
    shape = ((5,), (3, 4), (2, 3, 2))[int(rng.integers(3))]
    logits = (rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2)).astype(np.float32)
    axis = min(1, len(shape) - 1)
    target = np.asarray(rng.integers(0, shape[axis], (*shape[:axis], *shape[axis + 1 :])))
    parameters = {"temperature": float(rng.choice((0.5, 0.7, 1.0, 2.5)))} if rng.random() < 0.5 else {}
    return Call("token_log_prob", (logits, target), parameters, ("logits",))


VALUES = {"token_log_prob": token_log_prob}
GRADIENTS = {("token_log_prob", "logits"): slopes(token_log_prob, NAMES, "logits")}
MAKERS = {"token_log_prob": token_log_prob_call}
