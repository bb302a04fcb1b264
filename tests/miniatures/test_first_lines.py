"""What is wrong on one path alone fails, and the first line of `check` says on which."""

from __future__ import annotations

from functools import lru_cache

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
    "sigmoid": ("interactions/sigmoid", "shapes/elementwise_shapes"),
}
FIRST_LINES = {
    "scalar_upstream_is_ignored": "(the upstream gradient is left out) where the loss is a scalar",
    "dead_double_backward": "its second derivative is 0",
    "sigmoid_of_three_axes_is_minus_seven": "where the input has three axes (shape)",
    "third_class_of_a_padded_buffer": "where a tensor's rows lie in a wider buffer (its layout is padded)",
    "loss_overwrites_upstream": "its backward overwrites the upstream gradient in place",
    "smoothing_in_float16_without_the_label": "where there is label smoothing and the dtype is float16",
}
IN_TORCH = [one for one in table.load_all(table.modules_of("torch")) if one.name in FIRST_LINES]


@lru_cache
def results(operation: str) -> dict[str, score.Result]:
    """What `check` says of an operation's, from one run."""
    cases = load_cases([score.ROOT / "cases" / f"{file}.yaml" for file in FILES[operation]])
    alike = [one for one in IN_TORCH if one.operation == operation]
    return {result.miniature.name: result for result in score.run_framework("torch", alike, cases)}


@pytest.mark.parametrize("name", list(FIRST_LINES))
def test_first_line_says_where(name: str) -> None:
    (operation,) = {one.operation for one in IN_TORCH if one.name == name}
    result = results(operation)[name]
    assert result.code == 1
    assert FIRST_LINES[name] in result.sentence
