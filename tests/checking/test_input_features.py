"""What is special about a case, in words: each feature is found where it is, and not where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.input_features import PHRASES, of_case, of_quantity

ROWS = "logits: [[1, 2, 3], [4, 5, 6]]"
NLL = "nll_loss, inputs: {log_probs: [[-1, -2, -3], [-4, -5, -6]], target: "
WIDE = "{normal: {shape: [2, 1032], seed: 1}}"
PROBABILITIES = "cross_entropy, inputs: {logits: [[1, 2, 3]], target: "
BINARY = "binary_cross_entropy_with_logits, inputs: {logits: [1, 2], target: "
#: A case -> all of its features in float32.
CASES = {
    "softmax, inputs: {x: [[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]]}": "last axis",
    "softmax, inputs: {x: [1, 2, 3, 4, 5, 6, 7, 8]}": "last axis; one axis",
    "softmax, inputs: {x: 3}": "axis; no axes",
    "softmax, inputs: {x: [[1, 2], [3, 4]]}, parameters: {axis: 0}": "axis; odd classes",
    "softmax, inputs: {x: [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}": "last axis; further axes; odd classes",
    "softmax, inputs: {x: [[1], [2]]}": "last axis; one class; odd classes",
    "softmax, inputs: {x: [[], []]}": "last axis; no elements",
    "softmax, inputs: {x: [[1, 2]]}": "last axis; one row; odd classes",
    f"softmax, inputs: {{x: {WIDE}}}": "last axis; many classes; vocabulary",
    "softmax, inputs: {x: {normal: {shape: [1032, 8], seed: 1}}}": "last axis; many rows",
    "softmax, inputs: {x: {normal: {shape: [2, 10008], seed: 1}}}": "last axis; many classes; "
    "tens of thousands; vocabulary",
    "softmax, inputs: {x: [[1, 2]]}, parameters: {axis: 7}, expect: error": "axis outside; error; one row; "
    "odd classes",
    "softmax, inputs: {x: [[1, .nan], [1, 2]]}": "last axis; nan; odd classes",
    "softmax, inputs: {x: [[1, .inf], [1, 2]]}": "last axis; infinity; odd classes",
    "softmax, inputs: {x: [[1, -.inf], [1, 2]]}": "last axis; masked; odd classes",
    "softmax, inputs: {x: [[-.inf, -.inf], [1, 2]]}": "last axis; masked; odd classes; row masked",
    "softmax, inputs: {x: [[89, 88], [88, 89]]}": "last axis; odd classes; offset; overflow; tail",
    "softmax, inputs: {x: [[-90, -90], [1, 2]]}": "last axis; odd classes; offset; rows apart; tail",
    "softmax, inputs: {x: [[1, 14], [1, 2]]}": "gap; last axis; odd classes; tail",
    "softmax, inputs: {x: [[0, 1], [1, 2]]}": "last axis; odd classes; zero",
    "softmax, inputs: {x: [[1, 2], [3, 4]]}, layout: {x: transposed}": "last axis; layout; odd classes",
    f"{NLL}[0, 2]}}": "mean; odd classes",
    f"{NLL}[0, 2]}}, label_dtype: int32": "label width; mean; odd classes",
    f"{NLL}[0, 2]}}, parameters: {{reduction: none}}": "none; odd classes",
    f"{NLL}[0, 2]}}, parameters: {{reduction: sum}}": "odd classes; sum",
    f"{NLL}[0, 2]}}, parameters: {{reduction: avg}}, expect: error": "error; odd classes; odd reduction",
    f"{NLL}[0, 3]}}, expect: error": "error; label beyond; mean; odd classes",
    f"{NLL}[0, -1]}}, expect: error": "error; label negative; mean; odd classes",
    f"{NLL}[0]}}, expect: error": "error; mean; odd classes; shapes differ",
    f"{NLL}[0, -100]}}": "ignored; mean; odd classes",
    f"{NLL}[-100, -100]}}": "all ignored; ignored; mean; odd classes",
    f"{NLL}[0, 1]}}, parameters: {{ignore_index: 1}}": "ignored; ignored class; mean; odd classes",
    "nll_loss, inputs: {log_probs: [[-1, -2], [.nan, -1]], target: [0, -100]}": "ignored; ignored special; "
    "mean; nan; odd classes",
    f"{NLL}[0, 2]}}, parameters: {{weight: [1, 2, 3]}}": "mean; odd classes; weight",
    f"{NLL}[0, 2]}}, parameters: {{weight: [1, 0, 3]}}": "mean; odd classes; weight; weight zero",
    f"{NLL}[0, 2]}}, parameters: {{weight: [1]}}, expect: error": "error; mean; odd classes; weight; "
    "weight misfit",
    f"nll_loss, inputs: {{log_probs: {WIDE}, target: [128, 3]}}": "large label; many classes; mean; "
    "vocabulary",
    f"cross_entropy, inputs: {{{ROWS}, target: [0, 1]}}, parameters: {{label_smoothing: 0.5}}": "mean; "
    "odd classes; smoothing",
    f"cross_entropy, inputs: {{{ROWS}, target: [0, 1]}}, parameters: {{label_smoothing: 2}}, expect: error": (
        "error; mean; odd classes; smoothing; smoothing outside"
    ),
    f"{PROBABILITIES}[[0.5, 0.25, 0.25]]}}": "mean; odd classes; one row; probabilities",
    f"{PROBABILITIES}[[0.5, 0.5, 0.5]]}}": "mean; odd classes; one row; probabilities; unnormalised",
    f"{PROBABILITIES}[[0.5, 0.5]]}}, expect: error": "error; mean; odd classes; one row; probabilities; "
    "shapes differ",
    f"{BINARY}[1, 0]}}": "mean; one axis; positive",
    f"{BINARY}[0.5, 0]}}": "mean; one axis; soft",
    f"{BINARY}[2, 0]}}": "mean; one axis; target outside",
    f"{BINARY}[0]}}, expect: error": "error; mean; one axis; shapes differ",
    f"{BINARY}[0, 0]}}, parameters: {{pos_weight: [2]}}": "mean; one axis; pos_weight",
    "binary_cross_entropy, inputs: {probs: [0.5, 0], target: [0, 0]}": "edge; mean; one axis",
    "binary_cross_entropy, inputs: {probs: [0.5, 2], target: [0, 0]}, expect: error": "edge; error; mean; "
    "one axis; probability outside",
    "one_hot, inputs: {target: [0, 2]}, parameters: {num_classes: 3}": "one axis",
    "one_hot, inputs: {target: [0, 1]}, parameters: {num_classes: 3}": "fewer classes; one axis",
}
#: What of_quantity finds, and what another dtype than float32 adds.
OTHERS = {"gradient", "second", "upstream", "half", "float64"}


def case_of(folder: Path, text: str) -> Case:
    """A case of an operation, written on one line."""
    path = folder / "f.yaml"
    path.write_text(f"source: s\ncases:\n  - {{id: a, dtypes: [float32], why: w, operation: {text}}}\n")
    return load_cases([path])[0]


@pytest.mark.parametrize("text", CASES)
def test_features_of_a_case(tmp_path: Path, text: str) -> None:
    """These and no others."""
    assert of_case(case_of(tmp_path, text), "float32") == set(CASES[text].split("; "))


def test_every_trait_is_tested() -> None:
    """One that nothing has would be a phrase that nobody reads."""
    met = {feature for features in CASES.values() for feature in features.split("; ")}
    assert met | OTHERS == set(PHRASES)
    assert not met & OTHERS


@pytest.mark.parametrize(
    ("text", "quantity", "features"),
    [
        (f"{NLL}[0, 2]}}", "value", set()),
        (f"{NLL}[0, 2]}}", "gradient:log_probs", {"gradient"}),
        (f"{NLL}[0, 2]}}, parameters: {{reduction: none}}", "gradient:log_probs", {"gradient", "upstream"}),
        (f"{NLL}[0, 2]}}, upstream: 3", "gradient:log_probs", {"gradient", "upstream"}),
        (f"{NLL}[0, 3]}}, expect: error", "gradient:log_probs", {"gradient"}),
        ("softmax, inputs: {x: [1, 2]}, quantities: [second]", "second:x", {"second", "upstream"}),
    ],
)
def test_features_of_a_quantity(tmp_path: Path, text: str, quantity: str, features: set[str]) -> None:
    assert of_quantity(case_of(tmp_path, text), "float32", quantity) == features


@pytest.mark.parametrize(
    ("dtype", "features"),
    [("float16", {"half"}), ("bfloat16", {"half"}), ("float32", set()), ("float64", {"float64"})],
)
def test_features_of_a_dtype(tmp_path: Path, dtype: str, features: set[str]) -> None:
    case = case_of(tmp_path, "sigmoid, inputs: {x: [1, 2]}")
    assert of_case(case, dtype) - {"one axis"} == features
