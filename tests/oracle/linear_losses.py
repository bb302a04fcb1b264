"""Cross-entropy of a linear layer's outputs: the sums of products, then the loss over classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp, mpf

from oracle.calls import Call, Rng, counts_nothing, is_none, labels_of, reduction_of, weights_of
from oracle.losses import cross_entropy
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("hidden", "head", "target")


def logits_of(hidden: Array, head: Array, bias: Array | None) -> Array:
    """sum_k hidden_nk head_ck + bias_c."""
    out = zeros((hidden.shape[0], head.shape[0]))
    for n, c in np.ndindex(out.shape):
        terms = [number(a) * number(b) for a, b in zip(hidden[n], head[c], strict=True)]
        out[n, c] = sum(terms, mpf(0) if bias is None else number(bias[c]))
    return out


def linear_cross_entropy(hidden: Array, head: Array, target: Array, **parameters: Any) -> Array:
    """Cross-entropy of hidden head^T + bias."""
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        return cross_entropy(logits_of(hidden, head, parameters.pop("bias", None)), target, **parameters)


def linear_cross_entropy_call(rng: Rng) -> Call:
    """A few rows, features and classes; logits up to some hundreds."""
    rows, features, classes = (int(rng.integers(1, size)) for size in (4, 4, 6))
    scale = 10 ** rng.uniform(-2, 1)
    hidden = (rng.standard_normal((rows, features)) * scale).astype(np.float32)
    head = (rng.standard_normal((classes, features)) * scale).astype(np.float32)
    parameters = reduction_of(rng, legacy=False)
    gradients: tuple[str, ...] = ("hidden", "head")
    if rng.random() < 0.5:
        parameters["bias"] = rng.standard_normal(classes).astype(np.float32)
        gradients += ("bias",)
    if rng.random() < 0.5:
        parameters["weight"] = weights_of(rng, (classes,))
    if rng.random() < 0.4:
        parameters["label_smoothing"] = float(rng.choice((0.1, 0.5, 1.0)))
    target = labels_of(rng, np.empty((rows, classes)), parameters)
    if counts_nothing(target, parameters) and not is_none(parameters):
        return linear_cross_entropy_call(rng)
    return Call("linear_cross_entropy", (hidden, head, target), parameters, gradients, NAMES)


VALUES = {"linear_cross_entropy": linear_cross_entropy}
GRADIENTS = {
    ("linear_cross_entropy", name): slopes(linear_cross_entropy, NAMES, name)
    for name in ("hidden", "head", "bias", "weight")
}
MAKERS = {"linear_cross_entropy": linear_cross_entropy_call}
