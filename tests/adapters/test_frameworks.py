"""Facts about the installed frameworks that the adapters and the cases rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from adapters.driving import Client

Get = Callable[..., Client]
POST = {"logits": np.array([[10.0, 3, 1], [-1, 0, -4]]), "target": np.array([1, 2])}
ROWS = np.log(np.exp(POST["logits"]).sum(axis=1)) - POST["logits"][[0, 1], POST["target"]]


# PyTorch.


@pytest.mark.parametrize("formulation", ["functional", "module"])
@pytest.mark.parametrize(
    ("parameters", "expected", "warning"),
    [
        ({"size_average": False}, ROWS.sum(), "please use reduction='sum' instead"),
        ({"size_average": True}, ROWS.mean(), "please use reduction='mean' instead"),
        ({"reduce": False}, ROWS, "please use reduction='none' instead"),
        ({"reduction": "elementwise_mean"}, ROWS.mean(), "reduction='elementwise_mean' is deprecated"),
    ],
)
def test_torch_reads_legacy_spellings_with_a_warning(
    client: Get, formulation: str, parameters: dict[str, Any], expected: Any, warning: str
) -> None:
    response = client("torch").ask("cross_entropy", formulation, parameters=parameters, **POST)
    np.testing.assert_allclose(response.numbers(), expected, rtol=1e-6)
    assert any(warning in text for text in response.warnings), response.warnings


@pytest.mark.parametrize("framework", ["numpy", "tensorflow", "jax"])
def test_legacy_spellings_are_unsupported_elsewhere(client: Get, framework: str) -> None:
    for parameters in ({"size_average": False}, {"reduce": False}, {"reduction": "elementwise_mean"}):
        response = client(framework).ask("cross_entropy", "composed", parameters=parameters, **POST)
        assert response.status() == "unsupported"


@pytest.mark.parametrize(("dimensions", "axis"), [(0, 0), (1, 0), (2, 1), (3, 0), (4, 1)])
def test_torch_chooses_an_implicit_axis_with_a_warning(client: Get, dimensions: int, axis: int) -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)[:dimensions])
    for formulation in ("functional", "module"):
        implicit = client("torch").ask("softmax", formulation, parameters={"axis": None}, x=x)
        explicit = client("torch").ask("softmax", formulation, parameters={"axis": axis}, x=x)
        np.testing.assert_array_equal(implicit.numbers(), explicit.numbers())
        assert "Implicit dimension choice" in implicit.warnings[0]
        assert explicit.warnings == []


@pytest.mark.parametrize("framework", ["numpy", "tensorflow", "jax"])
def test_an_implicit_axis_is_unsupported_elsewhere(client: Get, framework: str) -> None:
    response = client(framework).ask("softmax", parameters={"axis": None}, x=POST["logits"])
    assert response.message() == "functional softmax takes no implicit axis"


def test_torch_clamps_the_logarithms_of_binary_cross_entropy(client: Get) -> None:
    asked = ["value", "gradient:probs"]
    response = client("torch").ask("binary_cross_entropy", quantities=asked, probs=[0.0], target=[1.0])
    assert response.numbers() == 100
    np.testing.assert_allclose(response.numbers("gradient:probs"), [-1e12])


@pytest.mark.parametrize(
    ("operation", "tensors", "parameters", "message"),
    [
        (
            "cross_entropy",
            {"logits": np.eye(3), "target": np.array([0, 1, 3])},
            {},
            "IndexError Target 3 is out",
        ),
        (
            "cross_entropy",
            {"logits": np.eye(3), "target": np.eye(3)},
            {"ignore_index": 1},
            "RuntimeError ignore",
        ),
        (
            "cross_entropy",
            {"logits": np.eye(2), "target": np.array([0, 1], "int32")},
            {},
            "RuntimeError expected",
        ),
        ("binary_cross_entropy", {"probs": [1.5], "target": [1.0]}, {}, "RuntimeError all elements of input"),
        (
            "binary_cross_entropy",
            {"probs": [0.5], "target": [1.5]},
            {},
            "RuntimeError all elements of target",
        ),
        (
            "one_hot",
            {"target": np.array([3])},
            {"num_classes": 3},
            "RuntimeError Class values must be smaller",
        ),
    ],
)
def test_torch_refuses(
    client: Get, operation: str, tensors: dict[str, Any], parameters: dict[str, Any], message: str
) -> None:
    response = client("torch").ask(operation, parameters=parameters, **tensors)
    assert response.status() == "raised"
    assert response.message().startswith(message)


# TensorFlow and Keras.


def test_keras_clips_probabilities_by_its_epsilon(client: Get) -> None:
    clipped = -np.log(np.float32(1e-7))
    for formulation in ("functional", "module"):
        response = client("tensorflow").ask("binary_cross_entropy", formulation, probs=[0.0], target=[1.0])
        np.testing.assert_allclose(response.numbers(), clipped, rtol=1e-6)


def test_keras_computes_in_the_dtype_that_it_is_told(client: Get) -> None:
    for operation, tensors in (("cross_entropy", POST), ("sigmoid", {"x": POST["logits"]})):
        for dtype in ("float16", "bfloat16", "float64"):
            response = client("tensorflow").ask(operation, "module", dtype, **tensors)
            assert response.arrays["value"].dtype.name == dtype


def test_keras_averages_over_the_rows_that_are_not_ignored(client: Get) -> None:
    response = client("tensorflow").ask("cross_entropy", "module", parameters={"ignore_index": 1}, **POST)
    np.testing.assert_allclose(response.numbers(), ROWS[1], rtol=1e-6)


def test_keras_smooths_labels_by_the_length_of_the_last_axis(client: Get) -> None:
    """keras-team/keras#23451; where the last axis is the class axis it is right."""
    x = np.random.default_rng(2).normal(size=(2, 3, 5))
    target, smoothing = np.array([[0, 1, 2, 0, 1], [2, 1, 0, 2, 1]]), {"label_smoothing": 0.1}
    worker = client("tensorflow")
    wrong = worker.ask("cross_entropy", "module", "float64", parameters=smoothing, logits=x, target=target)
    right = worker.ask("cross_entropy", "composed", "float64", parameters=smoothing, logits=x, target=target)
    assert abs(wrong.numbers() - right.numbers()) > 0.01
    flat = {"logits": x[:, :, 0], "target": target[:, 0]}
    wrong = worker.ask("cross_entropy", "module", "float64", parameters=smoothing, **flat)
    right = worker.ask("cross_entropy", "composed", "float64", parameters=smoothing, **flat)
    np.testing.assert_allclose(wrong.numbers(), right.numbers(), rtol=1e-12)


@pytest.mark.parametrize("formulation", ["functional", "module", "composed"])
@pytest.mark.parametrize("label", [-1, 3])
def test_tensorflow_refuses_labels_out_of_range(client: Get, formulation: str, label: int) -> None:
    target = np.array([0, label])
    response = client("tensorflow").ask("cross_entropy", formulation, logits=POST["logits"], target=target)
    assert response.status() == "raised"
    assert response.message().startswith("InvalidArgumentError")
    assert "\x1b" not in response.message()


def test_tensorflow_and_jax_make_a_row_of_zeros_of_a_label_out_of_range(client: Get) -> None:
    for framework in ("tensorflow", "jax"):
        response = client(framework).ask("one_hot", parameters={"num_classes": 2}, target=np.array([0, 2]))
        np.testing.assert_array_equal(response.numbers(), [[1, 0], [0, 0]])


@pytest.mark.parametrize("mode", ["function", "xla"])
def test_tensorflow_in_its_other_modes_returns_the_same(client: Get, mode: str) -> None:
    worker, eager = client("tensorflow", "--mode", mode), client("tensorflow")
    asked = ["value", "gradient:logits"]
    before = worker.ask("sigmoid", "manual", x=POST["logits"]).header["compilations"]
    for formulation in ("functional", "module", "composed"):
        got = worker.ask("cross_entropy", formulation, quantities=asked, **POST)
        expected = eager.ask("cross_entropy", formulation, quantities=asked, **POST)
        for quantity in asked:
            np.testing.assert_allclose(
                got.numbers(quantity), expected.numbers(quantity), rtol=1e-5, atol=1e-7
            )
    assert worker.hello["mode"] == mode
    assert got.header["compilations"] == before + 3


# JAX.


def test_jax_cannot_refuse_a_label_under_jit(client: Get) -> None:
    def ask(label: int) -> float:
        target = np.array([0, label])
        response = client("jax").ask("cross_entropy", "composed", logits=POST["logits"], target=target)
        return float(response.numbers())

    assert np.isnan(ask(3))
    assert ask(-1) == ask(2)


def test_jax_refuses_a_label_op_by_op(client: Get) -> None:
    for label in (-1, 3):
        response = client("jax", "--mode", "eager").ask(
            "cross_entropy", "composed", logits=POST["logits"], target=np.array([0, label])
        )
        assert response.message() == "IndexError a label lies outside 0 .. 2"


def test_jax_has_float64_where_it_is_asked_for_and_nowhere_else(client: Get) -> None:
    for dtype in ("float64", "float32", "float64", "bfloat16"):
        response = client("jax").ask("cross_entropy", "composed", dtype, ["value", "gradient:logits"], **POST)
        assert {array.dtype.name for array in response.arrays.values()} == {dtype}
    response = client("jax").ask("cross_entropy", "composed", "float64", **POST)
    np.testing.assert_allclose(response.numbers(), ROWS.mean(), rtol=1e-13)
