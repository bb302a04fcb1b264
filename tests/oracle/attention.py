"""One head of scaled dot-product attention: products, softmax of a row, and a weighted sum of values."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp, mpf, sqrt

from oracle.calls import Call, Rng
from oracle.linear_losses import logits_of
from oracle.rows import softmax
from oracle.slopes import PRECISION_BITS, slopes
from oracle.values import Array, number, zeros

NAMES = ("query", "key", "value")


def attention(query: Array, key: Array, value: Array, **parameters: Any) -> Array:
    """sum_k softmax(scale query . key)_k value_k."""
    with mp.workprec(max(mp.prec, PRECISION_BITS)):
        scale = number(parameters.get("scale") or 0) or 1 / sqrt(mpf(query.shape[1]))
        scores = logits_of(query, key, None)
        for index in np.ndindex(scores.shape):
            scores[index] *= scale
        weights = softmax(scores, 1, parameters.get("where"))
        out = zeros((query.shape[0], value.shape[1]))
        for n, f in np.ndindex(out.shape):
            out[n, f] = sum((weights[n, k] * number(value[k, f]) for k in range(len(value))), mpf(0))
        return out


def attention_call(rng: Rng) -> Call:
    """A few queries, keys and features; each query has a key left."""
    queries, keys, features, columns = (int(rng.integers(1, size)) for size in (4, 5, 4, 4))
    scale = 10 ** rng.uniform(-2, 1)
    tensors = [
        (rng.standard_normal(shape) * scale).astype(np.float32)
        for shape in ((queries, features), (keys, features), (keys, columns))
    ]
    parameters: dict[str, Any] = {"scale": 0.375} if rng.random() < 0.3 else {}
    if rng.random() < 0.5:
        where = rng.random((queries, keys)) < 0.6
        where[np.arange(queries), rng.integers(0, keys, queries)] = True
        parameters["where"] = where.astype(np.float32)
    return Call("attention", tuple(tensors), parameters, NAMES, NAMES)


VALUES = {"attention": attention}
GRADIENTS = {("attention", name): slopes(attention, NAMES, name) for name in NAMES}
MAKERS = {"attention": attention_call}
