"""What is wrong on one path alone fails, and the first line of `check` says on which."""

from __future__ import annotations

import pytest
import score
import table

from conformance.cases.loader import load_cases

FILES = {
    "cross_entropy": (
        "gradients/class_labels",
        "gradients/patterns",
        "gradients/second",
        "gradients/upstreams",
        "shapes/layout_products",
        "shapes/layouts",
    ),
    "sigmoid": ("extreme/sigmoid_tails", "shapes/elementwise_shapes", "shapes/layouts"),
}
FIRST_LINES = {
    "scalar_upstream_is_ignored": "(the upstream gradient is left out) where the loss is a scalar",
    "dead_double_backward": "its second derivative is 0",
    "sigmoid_of_three_axes_is_minus_seven": "the input has more than two axes (shape)",
    "third_class_of_a_padded_buffer": "where a tensor's rows lie in a wider buffer (its layout is padded)",
    "loss_overwrites_upstream": "its backward overwrites the upstream gradient in place",
    "smoothing_in_float16_without_the_label": "where there is label smoothing and the dtype is float16",
}
IN_TORCH = [one for one in table.load_all(table.modules_of("torch")) if one.name in FIRST_LINES]


@pytest.fixture(scope="module")
def results() -> dict[str, score.Result]:
    """What `check` says of each, from one run an operation."""
    by_name = {}
    for operation, files in FILES.items():
        cases = load_cases([score.ROOT / "cases" / f"{file}.yaml" for file in files])
        alike = [one for one in IN_TORCH if one.operation == operation]
        for result in score.run_framework("torch", alike, cases):
            by_name[result.miniature.name] = result
    return by_name


@pytest.mark.parametrize("name", list(FIRST_LINES))
def test_first_line_says_where(name: str, results: dict[str, score.Result]) -> None:
    assert results[name].code == 1
    assert FIRST_LINES[name] in results[name].sentence
