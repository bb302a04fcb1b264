"""Bounds at the edges: special values, empty input, axes, parameters; never an error, a warning or a nan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from conformance.arithmetic import FORMATS
from conformance.operations import OPERATIONS, upstream

INF, NAN = np.inf, np.nan
HARD = np.array(
    [[0, 1, -INF], [INF, 1, 2], [INF, INF, 0], [-INF, -INF, -INF], [NAN, 1, 2], [1e308, -1e308, 0], [5, 5, 5]]
)
LABELS = np.array([0, 1, -100, 2, 0, 1, 2])
ONE = np.array(1.0)
REDUCTIONS = ("none", "sum", "mean")


def pair(operation: str, quantity: str, dtype: str = "float32", **arguments: object) -> tuple[object, object]:
    """Bound and attainable for the default upstream gradient, checked for sanity."""
    complete = OPERATIONS[operation].completed(arguments)
    g = upstream(OPERATIONS[operation].result_shape(complete))
    bound, attainable = OPERATIONS[operation].error_bounds(complete, quantity, g, FORMATS[dtype])
    name = quantity.rpartition(":")[2]
    shape = g.shape if quantity == "value" else np.shape(arguments[name])
    assert bound.shape == attainable.shape == shape
    assert np.isfinite(bound).all()
    assert np.all((attainable >= 0) & (attainable <= bound))
    return bound, attainable


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("quantity", ["value", "gradient:x"])
@pytest.mark.parametrize("operation", ["sigmoid", "log_sigmoid", "softmax", "log_softmax", "logsumexp"])
def test_special_scores(operation: str, quantity: str, dtype: str) -> None:
    pair(operation, quantity, dtype, x=HARD)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_special_losses_over_classes(reduction: str, dtype: str) -> None:
    for weight in (None, np.array([1.0, 0.0, 2.0])):
        common = {"weight": weight, "reduction": reduction}
        for quantity in ("value", "gradient:log_probs"):
            pair("nll_loss", quantity, dtype, log_probs=HARD, target=LABELS, **common)
        for smoothing, quantity in itertools.product((0.0, 0.1, 1.0), ("value", "gradient:logits")):
            more = {**common, "label_smoothing": smoothing}
            pair("cross_entropy", quantity, dtype, logits=HARD, target=LABELS, **more)
            for target in (np.eye(3)[[0, 1, 2, 0, 1, 2, 0]], np.full((7, 3), 1 / 3)):
                pair("cross_entropy", quantity, dtype, logits=HARD, target=target, **more)
                pair("cross_entropy", "gradient:target", dtype, logits=HARD, target=target, **more)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("target", [0.0, 1.0, 0.3])
def test_special_binary_losses(target: float, reduction: str, dtype: str) -> None:
    probs = np.array([0, 1, 0.5, 1e-300, NAN, 2, -1, 1 - 2.0**-53])
    for quantity in ("value", "gradient:probs", "gradient:target"):
        common = {"target": np.full(8, target), "reduction": reduction}
        pair("binary_cross_entropy", quantity, dtype, probs=probs, **common)
    for positive, quantity in itertools.product(
        (None, np.array([2.0, 0.0, 1e-3])), ("value", "gradient:logits", "gradient:target")
    ):
        more = {"target": np.full(HARD.shape, target), "reduction": reduction, "pos_weight": positive}
        pair("binary_cross_entropy_with_logits", quantity, dtype, logits=HARD, **more)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("prob", "target"), [(0.0, 0.0), (1.0, 1.0)])
def test_a_second_derivative_at_an_end_has_the_bound_of_those_beside_it(
    prob: float, target: float, dtype: str
) -> None:
    """The term that would be infinite has a coefficient of 0; the other's bound is not lost with it."""
    at, beside = (
        pair("binary_cross_entropy", "second:probs", dtype, probs=np.array([p]), target=np.array([target]))
        for p in (prob, abs(prob - 2.0**-30))
    )
    np.testing.assert_allclose(at, beside, rtol=1e-6)
    assert np.all(np.asarray(at) > 0)


@pytest.mark.parametrize("operation", ["softmax", "log_softmax", "logsumexp"])
def test_a_mask_leaves_the_other_entries_their_bounds(operation: str) -> None:
    masked = pair(operation, "value", x=np.array([[1.5, -INF, 0.25, -INF]]))
    plain = pair(operation, "value", x=np.array([[1.5, 0.25]]))
    for with_mask, without in zip(masked, plain, strict=True):
        kept = np.asarray(with_mask)[:, [0, 2]] if operation != "logsumexp" else with_mask
        np.testing.assert_array_equal(kept, without)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_an_ignored_row_adds_nothing(smoothing: float) -> None:
    rows = np.array([[1.5, 0.25], [NAN, INF], [-2.0, 3.0]])
    common = {"label_smoothing": smoothing, "weight": np.array([0.5, 2.0]), "ignore_index": 7}
    for quantity in ("value", "gradient:logits"):
        with_it = pair("cross_entropy", quantity, logits=rows, target=np.array([0, 7, 1]), **common)
        without = pair("cross_entropy", quantity, logits=rows[[0, 2]], target=np.array([0, 1]), **common)
        for bound, other in zip(with_it, without, strict=True):
            kept = bound if quantity == "value" else np.asarray(bound)[[0, 2]]
            np.testing.assert_allclose(kept, other, rtol=1e-12)
            assert quantity == "value" or not np.asarray(bound)[1].any()


def test_a_probability_of_zero_removes_an_infinite_term() -> None:
    bound, _ = pair(
        "cross_entropy", "value", logits=np.array([[1.0, -INF, 2.0]]), target=np.array([[0.25, 0.0, 0.75]])
    )
    other, _ = pair("cross_entropy", "value", logits=np.array([[1.0, 2.0]]), target=np.array([[0.25, 0.75]]))
    assert 0 < float(np.asarray(bound)) == pytest.approx(float(np.asarray(other)), rel=1e-12)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (0, 3), (2, 3, 4)])
@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("operation", ["softmax", "log_softmax", "logsumexp"])
def test_shapes_and_axes(operation: str, axis: int, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape) * np.ones(shape)
    for quantity in ("value", "gradient:x"):
        bound, _ = pair(operation, quantity, x=np.asarray(x), axis=axis)
        if len(shape) == 3 and quantity == "value":
            moved, _ = pair(operation, quantity, x=np.moveaxis(x, axis, -1), axis=-1)
            back = moved if operation == "logsumexp" else np.moveaxis(np.asarray(moved), -1, axis)
            np.testing.assert_array_equal(bound, back)


@pytest.mark.parametrize("operation", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 2), 1)])
def test_the_implicit_axis_is_that_of_torch(operation: str, shape: tuple[int, ...], axis: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    implicit, explicit = pair(operation, "value", x=x, axis=None), pair(operation, "value", x=x, axis=axis)
    np.testing.assert_array_equal(implicit[0], explicit[0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("classes", [3, 0])
def test_nothing_in(reduction: str, classes: int) -> None:
    empty, labels = np.zeros((0, classes)), np.zeros(0, dtype=np.int64)
    for quantity in ("value", "gradient"):
        for operation, name in (("nll_loss", "log_probs"), ("cross_entropy", "logits")):
            asked = quantity if quantity == "value" else f"gradient:{name}"
            bound, _ = pair(operation, asked, **{name: empty, "target": labels, "reduction": reduction})
            assert not np.any(bound)
    pair("binary_cross_entropy", "value", probs=empty, target=empty, reduction=reduction)


def test_class_axis_one_with_further_dimensions() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 5, 3, 4)), rng.integers(0, 5, (2, 3, 4))
    folded, flat = np.moveaxis(logits, 1, -1).reshape(-1, 5), labels.reshape(-1)
    for quantity in ("value", "gradient:logits"):
        deep, _ = pair("cross_entropy", quantity, logits=logits, target=labels)
        wide, _ = pair("cross_entropy", quantity, logits=folded, target=flat)
        if quantity != "value":
            deep = np.moveaxis(np.asarray(deep), 1, -1).reshape(-1, 5)
        np.testing.assert_allclose(np.asarray(deep), np.asarray(wide), rtol=1e-12)
    folded_bound, _ = pair("cross_entropy", "value", logits=folded[0], target=flat[0])
    first, _ = pair("cross_entropy", "value", logits=folded[:1], target=flat[:1])
    assert folded_bound == first


@pytest.mark.parametrize(
    ("legacy", "reduction"),
    [
        ({"size_average": False}, "sum"),
        ({"size_average": True}, "mean"),
        ({"reduce": False}, "none"),
        ({"reduce": True}, "mean"),
        ({"size_average": False, "reduce": False}, "none"),
        ({"size_average": False, "reduce": True, "reduction": "none"}, "sum"),
        ({"reduction": "elementwise_mean"}, "mean"),
    ],
)
def test_legacy_spellings_of_the_reduction(legacy: dict[str, object], reduction: str) -> None:
    rng = np.random.default_rng(0)
    logits, labels, probs = rng.standard_normal((4, 5)), np.array([1, 0, 4, 2]), rng.uniform(0.1, 0.9, (4, 5))
    calls = {
        "nll_loss": {"log_probs": -np.abs(logits), "target": labels},
        "cross_entropy": {"logits": logits, "target": labels},
        "binary_cross_entropy": {"probs": probs, "target": probs},
        "binary_cross_entropy_with_logits": {"logits": logits, "target": probs},
    }
    for operation, inputs in calls.items():
        shape = {"none": labels.shape if operation in ("nll_loss", "cross_entropy") else probs.shape}
        g = np.ones(shape.get(reduction, ()))
        function = OPERATIONS[operation].error_bounds
        for quantity in ("value", f"gradient:{next(iter(inputs))}"):
            old = function({**inputs, **legacy}, quantity, g, FORMATS["float32"])
            new = function({**inputs, "reduction": reduction}, quantity, g, FORMATS["float32"])
            np.testing.assert_array_equal(old[0], new[0])


def test_one_hot_has_no_error() -> None:
    bound, _ = pair("one_hot", "value", target=np.array([[0, 2], [1, 1]]), num_classes=3)
    assert np.shape(bound) == (2, 2, 3)
    assert not np.any(bound)


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"one_hot"}))
def test_a_quantity_that_is_none_is_an_error(operation: str) -> None:
    values = np.array([[0.5, 0.25]])
    inputs = {"x": values, "logits": values, "log_probs": values, "probs": values, "target": np.array([0])}
    inputs |= {"hidden": values, "head": values, "input": values}
    inputs |= {"query": values, "key": values, "value": values}
    if operation.startswith("binary") or operation in ("kl_div", "js_div"):
        inputs["target"] = values
    with pytest.raises(ValueError, match="gradient:weight"):
        OPERATIONS[operation].error_bounds(inputs, "gradient:weight", ONE, FORMATS["float32"])
