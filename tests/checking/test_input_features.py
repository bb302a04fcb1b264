"""What is special about a case, in words: each feature is found where it is, and not where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.features.feature_phrases import PHRASES
from conformance.checking.features.input_features import UPSTREAM_LAYOUTS, of_case, of_quantity

NLL = "nll_loss, inputs: {log_probs: [[-1, -2, -3], [-4, -5, -6]], target: "
#: A case -> all of its features in float32: two lines each of a file, the second indented.
LINES = Path(__file__).with_name("features_of_cases.txt").read_text("utf-8").splitlines()
CASES = dict(zip(LINES[::2], map(str.strip, LINES[1::2]), strict=True))
#: What every case has in float32.
IN_FLOAT32 = {"narrow", "beyond bfloat16"}
#: What of_quantity finds, what another dtype than float32 adds, and what no case file can say.
DECLARED = {"declared empty_mean", "declared masked_row", "declared smoothing"}
OTHERS = (
    DECLARED
    | {"of bias", "of head", "of hidden", "bias"}  # linear cross-entropy's, of which the miniatures ask
    | {"of key", "of query", "of value"}  # attention's, of which they ask, too
    | {"upstream", "scalar upstream", "upstream zero", "of target", "float16", "bfloat16", "half", "float64"}
    | {"graph retained", "graph shared", "graph result"}
    | {"upstream layout", *(f"upstream {name}" for name in UPSTREAM_LAYOUTS)}
    | IN_FLOAT32
)


def case_of(folder: Path, text: str) -> Case:
    """A case of an operation, written on one line."""
    path = folder / "f.yaml"
    path.write_text(f"source: s\ncases:\n  - {{id: a, dtypes: [float32], why: w, operation: {text}}}\n")
    return load_cases([path])[0]


@pytest.mark.parametrize("text", CASES)
def test_features_of_a_case(tmp_path: Path, text: str) -> None:
    """These and no others."""
    assert of_case(case_of(tmp_path, text), "float32") - IN_FLOAT32 == set(CASES[text].split("; "))


def test_every_trait_is_tested() -> None:
    """One that nothing has would be a phrase that nobody reads."""
    met = {feature for features in CASES.values() for feature in features.split("; ")}
    assert met | OTHERS == set(PHRASES)
    assert not met & OTHERS


@pytest.mark.parametrize(
    ("text", "quantity", "features"),
    [
        (f"{NLL}[0, 2]}}", "value", set()),
        (f"{NLL}[0, 2]}}", "gradient:log_probs", set()),
        (f"{NLL}[0, 2]}}, parameters: {{reduction: none}}", "gradient:log_probs", {"upstream"}),
        (f"{NLL}[0, 2]}}, upstream: 1", "gradient:log_probs", set()),
        (
            f"{NLL}[0, 2]}}, upstream: 0",
            "gradient:log_probs",
            {"upstream", "scalar upstream", "upstream zero"},
        ),
        (f"{NLL}[0, 2]}}, upstream: 3", "gradient:log_probs", {"upstream", "scalar upstream"}),
        (
            "binary_cross_entropy_with_logits, inputs: {logits: [1, 2], target: [0, 0.5]}",
            "gradient:target",
            {"of target"},
        ),
        (f"{NLL}[0, 3]}}, expect: error", "gradient:log_probs", set()),
        (
            "softmax, inputs: {x: [1, 2]}, layout: {upstream: strided}",
            "gradient:x",
            {"upstream", "upstream layout", "upstream strided"},
        ),
        ("softmax, inputs: {x: [1, 2]}, quantities: [second]", "second:x", {"upstream"}),
        (
            "linear_cross_entropy, inputs: {hidden: [[1, 2]], head: [[1, 0], [0, 1]], target: [0]}",
            "gradient:hidden",
            {"of hidden"},
        ),
        (
            "attention, inputs: {query: [[1, 2]], key: [[1, 0]], value: [[0, 1]]}",
            "gradient:query",
            {"of query", "upstream"},
        ),
    ],
)
def test_features_of_a_quantity(tmp_path: Path, text: str, quantity: str, features: set[str]) -> None:
    assert of_quantity(case_of(tmp_path, text), "float32", quantity) == features


@pytest.mark.parametrize(
    ("dtype", "features"),
    [
        ("float16", {"float16", "half", "narrow", "beyond bfloat16"}),
        ("bfloat16", {"bfloat16", "half", "narrow"}),
        ("float32", IN_FLOAT32),
        ("float64", {"float64", "beyond bfloat16"}),
    ],
)
def test_features_of_a_dtype(tmp_path: Path, dtype: str, features: set[str]) -> None:
    case = case_of(tmp_path, "sigmoid, inputs: {x: [1, 2]}")
    assert of_case(case, dtype) - {"one axis", "odd elements"} == features
