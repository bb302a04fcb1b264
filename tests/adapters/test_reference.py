"""The NumPy reference's gradients by hand, against differences of its own values in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.adapters.bfloat16 import cast, narrow, widen
from conformance.adapters.numpy import reference
from conformance.operations import OPERATIONS

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(3, 4, 2)) * 2
LABELS = np.array([[0, 3], [2, 1], [1, 1]])
SOFT = np.moveaxis(RANDOM.dirichlet(np.ones(4), (3, 2)), -1, 1)
WEIGHT = np.array([0.5, 0.0, 2.0, 1.5])
BINARY = np.where(RANDOM.uniform(size=X.shape) < 0.5, np.round(SOFT), SOFT)
PROBABILITIES = RANDOM.uniform(0.1, 0.9, X.shape)
STEP = 1e-6


@pytest.fixture(autouse=True)
def _infinities_are_results() -> Iterator[None]:
    """As the adapter sets NumPy."""
    with np.errstate(all="ignore"):
        yield


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("sigmoid", (X,), {}),
    ("log_sigmoid", (X,), {}),
    *(
        (name, (X,), {"axis": axis})
        for name in ("softmax", "log_softmax", "logsumexp")
        for axis in (0, 1, -1)
    ),
    *((name, (np.float64(0.5),), {}) for name in ("softmax", "log_softmax", "logsumexp")),
    *(
        ("nll_loss", (X, LABELS), {"reduction": reduction, "weight": weight, "ignore_index": 3})
        for reduction in ("none", "sum", "mean")
        for weight in (None, WEIGHT)
    ),
    *(
        (
            "cross_entropy",
            (X, target),
            {"reduction": reduction, "weight": WEIGHT, "label_smoothing": smoothing},
        )
        for target in (LABELS, SOFT)
        for reduction in ("none", "sum", "mean")
        for smoothing in (0.0, 0.2)
    ),
    *(
        ("binary_cross_entropy", (PROBABILITIES, SOFT), {"reduction": reduction, "weight": WEIGHT[:2]})
        for reduction in ("none", "mean")
    ),
    *(
        ("binary_cross_entropy_with_logits", (X, BINARY), {"reduction": reduction, "pos_weight": WEIGHT[2:]})
        for reduction in ("none", "sum")
    ),
]


@pytest.mark.parametrize(("operation", "inputs", "parameters"), CALLS)
def test_gradients_by_hand_are_those_of_the_value(
    operation: str, inputs: tuple[Any, ...], parameters: dict[str, Any]
) -> None:
    function = getattr(reference, operation)
    arrays = [np.array(array) for array in inputs]
    value = np.asarray(function(*arrays, **parameters))
    upstream = RANDOM.normal(size=value.shape)
    gradients = function.gradient(upstream, *arrays, **parameters)
    names = [item.name for item in OPERATIONS[operation].inputs]
    floating = {name for name, array in zip(names, arrays, strict=True) if array.dtype.kind == "f"}
    assert set(gradients) == floating
    for name, gradient in gradients.items():
        position = names.index(name)
        differences = _differences(function, arrays, position, parameters, upstream)
        assert gradient.shape == arrays[position].shape
        np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-7)


def _differences(
    function: Callable[..., Any], arrays: list[Any], position: int, parameters: dict[str, Any], upstream: Any
) -> Any:
    """Central differences of the upstream-weighted value, element by element."""
    differences = np.zeros(arrays[position].shape)
    for index in np.ndindex(differences.shape):
        ends = []
        for step in (STEP, -STEP):
            moved = list(arrays)
            moved[position] = arrays[position].copy()
            moved[position][index] += step
            ends.append(float((function(*moved, **parameters) * upstream).sum()))
        differences[index] = (ends[0] - ends[1]) / (2 * STEP)
    return differences


def test_an_ignored_row_is_exactly_0_whatever_it_holds() -> None:
    logits = np.array([[np.nan, np.inf, 0.0], [1.0, 2.0, 3.0]])
    target = np.array([-100, 0])
    alone = reference.cross_entropy(logits[1:], target[1:])
    assert reference.cross_entropy(logits, target) == alone
    gradient = reference.cross_entropy.gradient(np.float64(1), logits, target)["logits"]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(gradient[0], [0, 0, 0])


def test_a_coefficient_of_0_removes_an_infinite_term() -> None:
    masked = np.array([[-np.inf, 1.0, 2.0]])
    assert np.isfinite(reference.cross_entropy(masked, np.array([[0.0, 0.5, 0.5]])))
    assert reference.binary_cross_entropy(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0
    assert reference.binary_cross_entropy_with_logits(np.array([np.inf]), np.array([1.0])) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_the_gradient_of_a_mean_over_weights_of_0_is_0_over_0(smoothing: float) -> None:
    """Of the rows that count; of nll_loss at the labels alone, for it does not look at other classes."""
    scores, labels, options = -np.arange(1.0, 7.0).reshape(2, 3), np.array([1, -100]), {"weight": np.zeros(3)}
    of_nll = reference.nll_loss.gradient(1.0, scores, labels, **options)["log_probs"]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(of_nll, [[0, np.nan, 0], [0, 0, 0]])
    options |= {"label_smoothing": smoothing}
    gradients = reference.cross_entropy.gradient(1.0, scores, labels, **options)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(gradients["logits"], [[np.nan] * 3, [0] * 3])


def test_the_binary_gradient_at_targets_0_and_1() -> None:
    probs, target = np.array([0.0, 0.25, 0.25, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    gradients = reference.binary_cross_entropy.gradient(np.ones(4), probs, target, reduction="none")  # type: ignore[attr-defined]
    np.testing.assert_allclose(gradients["probs"], [1, 4 / 3, -4, -1])
    np.testing.assert_allclose(gradients["target"], [np.inf, np.log(3), np.log(3), -np.inf])


def test_the_gradient_in_the_target_at_an_infinite_logit_is_its_limit() -> None:
    logits, positive = np.array([-np.inf, -np.inf, np.inf]), np.array([0.0, 0.75, 0.75])
    for target in (0.0, 0.5, 1.0):
        gradients = reference.binary_cross_entropy_with_logits.gradient(  # type: ignore[attr-defined]
            np.ones(3), logits, np.full(3, target), pos_weight=positive, reduction="none"
        )
        np.testing.assert_array_equal(gradients["target"], [0, np.inf, -np.inf])


def test_labels_out_of_range_and_probabilities_outside_are_errors() -> None:
    with pytest.raises(IndexError, match=r"outside 0 \.\. 3"):
        reference.nll_loss(X, LABELS + 1)
    with pytest.raises(IndexError, match=r"outside 0 \.\. 2"):
        reference.one_hot(np.array([-1]), num_classes=3)
    for probs, target in ((1.5, 1.0), (0.5, 1.5)):
        with pytest.raises(ValueError, match="outside 0"):
            reference.binary_cross_entropy(np.array([probs]), np.array([target]))


def test_every_bfloat16_goes_to_float32_and_back() -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    values = widen(bits)
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(narrow(values)[numbers], bits[numbers])
    assert np.isnan(widen(narrow(values)[~numbers])).all()


def test_bfloat16_rounds_to_nearest_and_ties_to_even() -> None:
    bits = RANDOM.integers(0, 1 << 32, 100_000, dtype=np.uint64).astype(np.uint32)
    ties = (np.arange(1 << 15, dtype=np.uint32) << np.uint32(17)) | np.uint32(0x8000)
    values = np.concatenate([bits, ties, ties | np.uint32(1 << 16)]).view(np.float32)
    values = values[~np.isnan(values)]
    np.testing.assert_array_equal(narrow(values), values.astype(ml_dtypes.bfloat16).view(np.uint16))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_zeros_and_ones_cast_to_every_dtype(dtype: str) -> None:
    integers = np.array([[0, 1]], np.int64)
    there = cast(integers, "int64", dtype)
    np.testing.assert_array_equal(cast(there, dtype, "float32"), [[0, 1]])
    assert cast(np.array(1), "int64", dtype).shape == ()
