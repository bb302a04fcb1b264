"""Cross-entropy of soft-capped logits with a z-loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import exp, log, mp, mpf, tanh

from oracle.calls import Call, Rng, counts_nothing, is_none, labels_of, reduction_of
from oracle.losses import cross_entropy
from oracle.rows import indices_by_row
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, each, number, zeros

NAMES = ("logits", "target")


def capped_cross_entropy(logits: Array, target: Array, **parameters: Any) -> Array:
    """Each row's loss and z log^2 sum exp, summed and divided by what is asked for."""
    scale, cap = (
        number(parameters.get(name, default)) for name, default in (("logit_scale", 1), ("softcap", 0))
    )
    ignored = parameters.get("ignore_index", -100)
    reduction, divisor = parameters.get("reduction", "mean"), parameters.get("divisor", 0)
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        z = each(lambda x: number(x) * scale if not cap else cap * tanh(number(x) * scale / cap), logits)
        options = {"ignore_index": ignored, "label_smoothing": parameters.get("label_smoothing", 0.0)}
        rows = cross_entropy(z, target, reduction="none", **options)
        if parameters.get("z_loss"):
            for index, indices in indices_by_row(logits.shape, min(1, logits.ndim - 1)):
                if target[index] != ignored:
                    rows[index] += number(parameters["z_loss"]) * log(sum(exp(z[i]) for i in indices)) ** 2
        if reduction == "none":
            return rows
        total = zeros(())
        kept = int(np.sum(np.asarray(target) != ignored))
        by = mpf(1) if reduction == "sum" else number(divisor) if divisor else mpf(kept)
        total[()] = sum(rows.ravel().tolist(), mpf(0)) / by
        return total


def capped_cross_entropy_call(rng: Rng) -> Call:
    """Rows of a few classes, with some of the options."""
    shape = ((5,), (3, 4), (2, 3, 2))[int(rng.integers(3))]
    logits = (rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2)).astype(np.float32)
    parameters = reduction_of(rng, legacy=False)
    for name, choices in (
        ("softcap", (5.0, 30.0, 0.7)),
        ("z_loss", (0.001, 0.5)),
        ("logit_scale", (0.0625, 3.0)),
        ("label_smoothing", (0.1, 1.0)),
        ("divisor", (7.0, 2.5)),
    ):
        if rng.random() < 0.5:
            parameters[name] = float(rng.choice(choices))
    target = labels_of(rng, logits, parameters)
    if counts_nothing(target, parameters) and not is_none(parameters):
        return capped_cross_entropy_call(rng)
    return Call("capped_cross_entropy", (logits, target), parameters, ("logits",))


VALUES = {"capped_cross_entropy": capped_cross_entropy}
GRADIENTS = {("capped_cross_entropy", "logits"): slopes(capped_cross_entropy, NAMES, "logits")}
MAKERS = {"capped_cross_entropy": capped_cross_entropy_call}
