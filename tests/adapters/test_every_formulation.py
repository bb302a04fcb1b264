"""Every operation, formulation and dtype of every framework: shape, dtype, and close to the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from adapters.conftest import FRAMEWORKS
from adapters.driving import DTYPES, Client, Response

from conformance.adapters.base import DEFAULTS, FORMULATIONS
from conformance.operations import OPERATIONS

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(3, 4, 2)) * 2
LABELS = np.array([[0, 3], [2, 1], [1, 1]])
CLASS_WEIGHTS = np.array([0.5, 1.0, 2.0, 1.5])
SOFT = np.moveaxis(RANDOM.dirichlet(np.ones(4), (3, 2)), -1, 1)
PROBABILITIES = RANDOM.uniform(0.1, 0.9, X.shape)
UPSTREAM = RANDOM.normal(size=(3, 4, 2))
HIDDEN, HEAD = RANDOM.normal(size=(3, 5)), RANDOM.normal(size=(4, 5))
KEPT = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 0, 0]], float)[:, :, None] * np.ones(2)
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1.5e-1}

#: Operation -> calls: tensors and parameters. Losses come in each reduction and with each kind of target.
CALLS: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "sigmoid": [({"x": X, "upstream": UPSTREAM}, {})],
    "log_sigmoid": [({"x": X, "upstream": UPSTREAM}, {})],
    "softmax": [
        ({"x": X, "upstream": UPSTREAM}, {"axis": 1}),
        ({"x": X, "upstream": UPSTREAM, "where": KEPT}, {"axis": 1}),
    ],
    "log_softmax": [
        ({"x": X, "upstream": UPSTREAM}, {"axis": 1}),
        ({"x": X, "upstream": UPSTREAM, "where": KEPT}, {"axis": 1}),
    ],
    "logsumexp": [({"x": X, "upstream": UPSTREAM[:, 0]}, {"axis": 1})],
    "one_hot": [({"target": LABELS}, {"num_classes": 4})],
    "nll_loss": [
        ({"log_probs": X, "target": LABELS}, {}),
        ({"log_probs": X, "target": LABELS, "weight": CLASS_WEIGHTS}, {"ignore_index": 1}),
        ({"log_probs": X, "target": LABELS, "upstream": UPSTREAM[:, 0]}, {"reduction": "none"}),
    ],
    "cross_entropy": [
        ({"logits": X, "target": LABELS}, {}),
        ({"logits": X, "target": LABELS}, {"ignore_index": 1}),
        (
            {"logits": X, "target": LABELS, "weight": CLASS_WEIGHTS},
            {"ignore_index": 1, "label_smoothing": 0.1},
        ),
        ({"logits": X, "target": SOFT, "upstream": UPSTREAM[:, 0]}, {"reduction": "none"}),
        ({"logits": X, "target": LABELS, "where": KEPT}, {}),
    ],
    "attention": [
        ({"query": HIDDEN, "key": HEAD, "value": HEAD, "upstream": RANDOM.normal(size=(3, 5))}, {}),
        ({"query": HIDDEN, "key": HEAD, "value": HEAD, "where": KEPT[:, :, 0]}, {"scale": 0.25}),
    ],
    "binary_cross_entropy": [
        ({"probs": PROBABILITIES, "target": SOFT}, {}),
        ({"probs": PROBABILITIES, "target": SOFT, "weight": np.array([0.5, 2.0])}, {"reduction": "sum"}),
    ],
    "binary_cross_entropy_with_logits": [
        ({"logits": X, "target": SOFT}, {}),
        ({"logits": X, "target": SOFT, "pos_weight": np.array([0.5, 2.0])}, {"reduction": "sum"}),
    ],
    "entropy": [({"logits": X, "upstream": UPSTREAM[:, 0]}, {})],
    "js_div": [
        ({"logits": X, "target": UPSTREAM}, {}),
        ({"logits": X, "target": UPSTREAM}, {"beta": 0.25, "reduction": "sum"}),
        ({"logits": X, "target": UPSTREAM, "upstream": UPSTREAM[:, 0]}, {"reduction": "none"}),
    ],
    "sigmoid_focal_loss": [
        ({"logits": X, "target": SOFT}, {}),
        ({"logits": X, "target": SOFT}, {"alpha": -1.0, "gamma": 0.5, "reduction": "sum"}),
        ({"logits": X, "target": SOFT, "upstream": UPSTREAM}, {"alpha": 0.75, "reduction": "none"}),
    ],
    "kl_div": [
        ({"input": np.log(PROBABILITIES), "target": SOFT}, {}),
        ({"input": np.log(PROBABILITIES), "target": SOFT}, {"reduction": "batchmean"}),
        (
            {"input": np.log(PROBABILITIES), "target": np.log(SOFT), "upstream": UPSTREAM},
            {"log_target": True, "reduction": "none"},
        ),
    ],
    "capped_cross_entropy": [
        ({"logits": X, "target": LABELS, "upstream": UPSTREAM[:, 0]}, {"softcap": 2.0, "reduction": "none"}),
        (
            {"logits": X, "target": LABELS},
            {"softcap": 2.0, "z_loss": 0.25, "logit_scale": 1.5, "label_smoothing": 0.125, "divisor": 7.0},
        ),
    ],
    "token_log_prob": [
        ({"logits": X, "target": LABELS, "upstream": UPSTREAM[:, 0]}, {}),
        ({"logits": X, "target": LABELS, "upstream": UPSTREAM[:, 0]}, {"temperature": 0.75}),
    ],
    "linear_cross_entropy": [
        ({"hidden": HIDDEN, "head": HEAD, "target": np.array([0, 3, 2])}, {}),
        (
            {"hidden": HIDDEN, "head": HEAD, "target": np.array([1, 3, 2]), "weight": CLASS_WEIGHTS},
            {"ignore_index": 1},
        ),
        (
            {"hidden": HIDDEN, "head": HEAD, "target": np.array([0, 3, 2]), "bias": CLASS_WEIGHTS},
            {"label_smoothing": 0.1, "reduction": "sum"},
        ),
        (
            {"hidden": HIDDEN, "head": HEAD, "target": np.array([0, 3, 2]), "upstream": UPSTREAM[:, 0, 0]},
            {"reduction": "none"},
        ),
    ],
}


#: Formulations that compute in another dtype than they are asked for: known deviations of the corpus, by id.
COMPUTED_IN = {
    ("tensorflow", "attention", "module", "float64"): "float32",  # tensorflow-keras-attention-float64
    ("jax", "attention", "functional", "float64"): "float32",  # jax-attention-float64
}
#: And those that raise.
RAISES = {("jax", "attention", "functional", "float16")}  # jax-attention-float16


def quantities(operation: str, tensors: dict[str, Any]) -> list[str]:
    """The value and each gradient."""
    inputs = [item.name for item in OPERATIONS[operation].inputs]
    floating = [name for name in inputs if np.asarray(tensors[name]).dtype.kind == "f"]
    return ["value", *(f"gradient:{name}" for name in floating)]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_returns_what_the_reference_returns(
    client: Callable[..., Client], framework: str, operation: str
) -> None:
    worker, reference = client(framework), client("numpy")
    for position, (tensors, parameters) in enumerate(CALLS[operation]):
        asked = quantities(operation, tensors)
        for dtype in DTYPES if position == 0 else ("float32",):
            rounded = reference.ask(operation, "functional", "float64", asked, parameters, **tensors)
            for formulation in worker.hello["formulations"][operation]:
                got = worker.ask(operation, formulation, dtype, asked, parameters, **tensors)
                key = (framework, operation, formulation, dtype)
                for quantity in asked:
                    if key in RAISES:
                        assert got.status(quantity) == "raised"
                        continue
                    computed = COMPUTED_IN.get(key, dtype)
                    _compare(got, rounded, quantity, dtype, computed, f"{formulation} {parameters}")


def _compare(
    got: Response, reference: Response, quantity: str, dtype: str, computed: str, where: str
) -> None:
    if got.status(quantity) == "unsupported":
        return
    exact, found = reference.numbers(quantity), got.numbers(quantity)
    assert found.shape == exact.shape, where
    assert got.arrays[quantity].dtype.name == dtype, where
    finite = np.isfinite(exact)  # a masked log-probability is -inf
    assert (found == exact)[~finite].all(), f"{where} {dtype} {quantity}"
    scale = TOLERANCE[computed] * max(1.0, float(np.abs(exact[finite]).max()))
    assert np.abs(found[finite] - exact[finite]).max() <= scale, f"{where} {dtype} {quantity}"


def test_the_parameters_of_the_operations_are_known() -> None:
    """By its name an array is a parameter or an input; a default asks for nothing that may be unsupported."""
    for operation in OPERATIONS.values():
        defaults = {parameter.name: parameter.default for parameter in operation.parameters}
        tensors = {parameter.name for parameter in operation.parameters if parameter.kind == "tensor"}
        assert tensors <= set(DEFAULTS), operation.name
        assert {name: DEFAULTS[name] for name in defaults if name in DEFAULTS} == {
            name: default for name, default in defaults.items() if name in DEFAULTS
        }
        assert not {item.name for item in operation.inputs} & set(DEFAULTS), operation.name


@pytest.mark.parametrize(
    ("framework", "lacks"),
    [
        ("torch", {("binary_cross_entropy", "one_hot")}),
        ("numpy", {("nll_loss", "module")}),
        ("tensorflow", {("nll_loss", "functional"), ("nll_loss", "module"), ("log_sigmoid", "module")}),
        ("jax", {("cross_entropy", "functional"), ("binary_cross_entropy", "functional")}),
    ],
)
def test_what_a_framework_lacks_is_unsupported_with_a_reason(
    client: Callable[..., Client], framework: str, lacks: set[tuple[str, str]]
) -> None:
    worker = client(framework)
    for operation, formulation in lacks:
        tensors, parameters = CALLS[operation][0]
        response = worker.ask(operation, formulation, parameters=parameters, **tensors)
        assert response.status() == "unsupported"
        assert response.message() == f"{framework} has no formulation {formulation} of {operation}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_hello_says_what_there_is(client: Callable[..., Client], framework: str) -> None:
    hello = client(framework).hello
    assert hello["framework"] == framework
    assert set(hello["formulations"]) == set(OPERATIONS)
    for operation, formulations in hello["formulations"].items():
        assert formulations == [name for name in FORMULATIONS if name in formulations]
        assert set(formulations) <= set(OPERATIONS[operation].formulations), operation
    assert hello["flushes_subnormals"] in (True, False)
    assert hello["hardware"]["cpu"]
    assert hello["version"]
