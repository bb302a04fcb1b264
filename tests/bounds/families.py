"""Families of rows: hypothesis draws what they look like, NumPy makes many rows of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from bounds.arithmetic import Array
from conformance.arithmetic import FORMATS, round_to

DTYPES = tuple(FORMATS)
ELEMENTS = 2048


@dataclass(frozen=True)
class Family:
    """What a batch of rows looks like; `rows` of `n` elements each, made by `seed`."""

    dtype: str
    n: int
    scale: float
    offset: float
    gap: float
    tied: float
    masked: float
    hard: float
    weighted: bool
    smoothing: float
    reduction: str
    seed: int

    @property
    def rows(self) -> int:
        return 256 if self.n <= 8 else max(ELEMENTS // self.n, 1)

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def rounded(self, array: Array) -> Array:
        return round_to(FORMATS[self.dtype], array)

    def logits(self) -> Array:
        """Rows around an offset: spread, some tied, one entry ahead by a gap, some masked by -inf."""
        rng, shape = self.generator, (self.rows, self.n)
        x = rng.standard_normal(shape) * self.scale
        x = np.where(rng.random(shape) < self.tied, np.round(x[:1]), x)
        ahead = rng.integers(0, self.n, self.rows)
        x[np.arange(self.rows), ahead] = np.max(x, axis=-1) + self.gap * rng.random(self.rows)
        x = np.clip(x + self.offset, -2e4, 2e4)
        hidden = rng.random(shape) < self.masked
        hidden[np.arange(self.rows), ahead] = False
        return self.rounded(np.where(hidden, -np.inf, x))

    def numbers(self) -> Array:
        """Elements around 0 for the operations that look at one at a time."""
        x = self.generator.standard_normal((self.rows, self.n)) * self.scale
        return self.rounded(np.where(self.generator.random(x.shape) < self.tied, self.gap - 60, x))

    def labels(self, logits: Array) -> Array:
        """The row's maximum, or anything; some of them ignored."""
        rng = self.generator
        label = np.where(
            rng.random(self.rows) < self.hard, np.argmax(logits, axis=-1), rng.integers(0, self.n)
        )
        return np.where(rng.random(self.rows) < self.masked / 2, -100, label)

    def class_weights(self) -> Array | None:
        rng = self.generator
        weight = rng.uniform(0.01, 3, self.n) * (rng.random(self.n) > self.masked / 2)
        return self.rounded(weight) if self.weighted and weight.any() else None

    def targets(self) -> Array:
        """Binary targets: 0 and 1, in between, or as near to them as a float comes."""
        rng, shape = self.generator, (self.rows, self.n)
        t = np.where(rng.random(shape) < self.hard, np.round(rng.random(shape)), rng.random(shape))
        near = 10.0 ** rng.uniform(-7, 0, shape)
        t = np.where(rng.random(shape) < self.tied, np.where(rng.random(shape) < 0.5, near, 1 - near), t)
        return np.clip(self.rounded(t), 0, 1)

    def probabilities(self, near: Array) -> Array:
        """Probabilities strictly between 0 and 1, some of them near the targets."""
        rng, shape = self.generator, (self.rows, self.n)
        p = 1 / (1 + np.exp(-np.clip(rng.standard_normal(shape) * self.scale, -40, 40)))
        p = np.where(rng.random(shape) < self.masked, near * (1 + 0.01 * rng.standard_normal(shape)), p)
        form = FORMATS[self.dtype]
        return np.clip(self.rounded(p), 2.0**-14, 1 - form.unit_roundoff)


families = st.builds(
    Family,
    dtype=st.sampled_from(DTYPES),
    n=st.sampled_from((1, 2, 2, 3, 4, 5, 8, 17, 40)),
    scale=st.sampled_from((1e-3, 0.1, 1.0, 4.0, 10.0, 30.0, 90.0)),
    offset=st.sampled_from((0.0, 0.0, 1.0, -7.0, 300.0, 1000.0, -10_000.0)),
    gap=st.floats(0.0, 120.0),
    tied=st.sampled_from((0.0, 0.0, 0.5, 1.0)),
    masked=st.sampled_from((0.0, 0.0, 0.2, 0.6)),
    hard=st.sampled_from((0.0, 0.5, 1.0)),
    weighted=st.booleans(),
    smoothing=st.sampled_from((0.0, 0.0, 0.1, 0.5, 0.9)),
    reduction=st.sampled_from(("none", "none", "sum", "mean")),
    seed=st.integers(0, 2**32 - 1),
)


def _cross_entropy(family: Family) -> dict[str, object]:
    logits = family.logits()
    arguments: dict[str, object] = {"logits": logits, "target": family.labels(logits), "label_smoothing": 0.0}
    if family.seed % 3 == 0 and family.masked == 0:
        t = family.generator.dirichlet(np.full(family.n, 0.2 + family.gap / 20), family.rows)
        arguments["target"] = family.rounded(t)
    if not np.isinf(logits).any():
        arguments["label_smoothing"] = family.smoothing
    return {**arguments, "weight": family.class_weights(), "reduction": family.reduction}


def _nll_loss(family: Family) -> dict[str, object]:
    logits = -np.abs(np.where(np.isinf(family.logits()), 0.0, family.logits()))
    return {"log_probs": logits, "target": family.labels(logits), "weight": family.class_weights(),
            "reduction": family.reduction}  # fmt: skip


def _binary(family: Family, name: str) -> dict[str, object]:
    target = family.targets()
    values = family.numbers() if name == "logits" else family.probabilities(target)
    weight = family.rounded(family.generator.uniform(0, 3, values.shape)) if family.weighted else None
    return {name: values, "target": target, "weight": weight, "reduction": family.reduction}


def _with_logits(family: Family) -> dict[str, object]:
    positive = None
    if family.seed % 2:
        positive = family.rounded(10.0 ** family.generator.uniform(-2, 1, family.n))
    return {**_binary(family, "logits"), "pos_weight": positive}


ARGUMENTS: dict[str, Callable[[Family], dict[str, object]]] = {
    "sigmoid": lambda family: {"x": family.numbers()},
    "log_sigmoid": lambda family: {"x": family.numbers()},
    "softmax": lambda family: {"x": family.logits(), "axis": -1},
    "log_softmax": lambda family: {"x": family.logits(), "axis": -1},
    "logsumexp": lambda family: {"x": family.logits(), "axis": -1},
    "nll_loss": _nll_loss,
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": lambda family: _binary(family, "probs"),
    "binary_cross_entropy_with_logits": _with_logits,
}
