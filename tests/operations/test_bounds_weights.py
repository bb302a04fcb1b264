"""Bounds of gradients with respect to weights: plain NumPy keeps them; one that lacks a part leaves them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bounds.judging import worst
from numpy.typing import NDArray

from conformance.arithmetic import FORMATS, round_to
from conformance.operations import reference

RANDOM = np.random.default_rng(23)
SEEDS = range(20)
ONE = np.array(1.0)


def drawn(dtype: str, values: NDArray[np.float64]) -> NDArray[Any]:
    """Numbers of a dtype that NumPy has."""
    return round_to(FORMATS[dtype], values).astype(dtype)


def log_softmax(x: NDArray[Any]) -> NDArray[Any]:
    """The standard algorithm, every intermediate rounded to the rows' dtype."""
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def class_weights(
    x: NDArray[Any], target: NDArray[np.int64], weight: NDArray[Any], mean: bool, divided: bool = True
) -> NDArray[Any]:
    """The gradient as autodiff adds it up; `divided`: the weights' part in the divisor is not forgotten."""
    losses = -log_softmax(x)[np.arange(len(target)), target]
    gradient = np.zeros(weight.shape, weight.dtype)
    if not mean:
        np.add.at(gradient, target, losses)
        return gradient
    divisor = weight[target].sum()
    np.add.at(gradient, target, losses / divisor)
    if divided:
        share = (weight[target] * losses).sum() / divisor / divisor
        np.add.at(gradient, target, np.full(len(target), -share, weight.dtype))
    return gradient


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_class_weights_stay_within_the_bound(dtype: str, reduction: str) -> None:
    for _ in SEEDS:
        x, weight = drawn(dtype, RANDOM.normal(size=(6, 5)) * 3), drawn(dtype, RANDOM.uniform(0.25, 4, 5))
        target = RANDOM.integers(0, 5, 6)
        arguments: dict[str, object] = {
            "logits": x.astype(np.float64),
            "target": target,
            "weight": weight.astype(np.float64),
            "reduction": reduction,
        }
        exact = reference("cross_entropy", arguments, "gradient:weight", dtype, ONE)
        observed = class_weights(x, target, weight, reduction == "mean")
        assert worst(observed.astype(np.float64), exact, exact.bound) <= 1.0
        if reduction == "mean":
            wrong = class_weights(x, target, weight, True, divided=False)
            assert worst(wrong.astype(np.float64), exact, exact.bound) > 1.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["weight", "pos_weight"])
def test_weights_of_elements_stay_within_the_bound(dtype: str, name: str) -> None:
    """A weight a class gathers its gradient over the rows; one that forgets a row leaves the bound."""
    for _ in SEEDS:
        x, target = drawn(dtype, RANDOM.normal(size=(6, 5)) * 3), drawn(dtype, RANDOM.uniform(size=(6, 5)))
        weights = {each: drawn(dtype, RANDOM.uniform(0.25, 4, 5)) for each in ("weight", "pos_weight")}
        arguments: dict[str, object] = {"logits": x.astype(np.float64), "target": target.astype(np.float64)}
        arguments |= {each: value.astype(np.float64) for each, value in weights.items()}
        exact = reference("binary_cross_entropy_with_logits", arguments, f"gradient:{name}", dtype, ONE)
        tail = np.log1p(np.exp(-np.abs(x)))
        left, right = tail + np.maximum(-x, 0), tail + np.maximum(x, 0)
        positive = target * left
        terms = weights["weight"] * positive
        if name == "weight":
            terms = weights["pos_weight"] * positive + (1 - target) * right
        terms = terms * (np.array(1, dtype) / np.array(x.size, dtype))
        assert worst(terms.sum(axis=0).astype(np.float64), exact, exact.bound) <= 1.0
        assert worst(terms[1:].sum(axis=0).astype(np.float64), exact, exact.bound) > 1.0


def test_a_gradient_of_many_rows_has_the_bound_of_a_sum() -> None:
    """A thousand equal terms, one after the other in float32, lose what the bound allows a sum."""
    log_probs = np.full((1000, 1), -np.float64(np.float32(0.1)))
    arguments: dict[str, object] = {
        "log_probs": log_probs, "target": np.zeros(1000, np.int64), "weight": np.ones(1), "reduction": "sum"
    }  # fmt: skip
    exact = reference("nll_loss", arguments, "gradient:weight", "float32", ONE)
    summed = np.add.accumulate(-log_probs[:, 0].astype(np.float32))[-1]
    observed = np.array([summed], dtype=np.float64)
    assert worst(observed, exact, exact.bound) <= 1.0 < worst(observed, exact, exact.attainable)
