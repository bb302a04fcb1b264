"""Profiles, and the mode `vmap`, which only the profile `full` runs unasked."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.driving import Client

import conformance
from conformance.adapters.base import Call, Unsupported
from conformance.adapters.by_rows import row_call
from conformance.adapters.registry import FRAMEWORKS, description
from conformance.cases.loader import load_cases
from conformance.operations import OPERATIONS
from conformance.plan import profiles
from conformance.plan.requests import pick
from conformance.plan.settings import Settings
from conformance.subjects.subject import MODES, parse

Get = Callable[..., Client]
ROWS = np.array([[10.0, 3, 1], [-1, 0, -4]])


def test_the_full_profile_runs_every_mode_of_each_framework() -> None:
    names = [one.name for one in profiles.expanded([parse("torch"), parse("jax")])]
    modes = [f"{name}:{mode}" for name in ("torch", "jax") for mode in MODES[name][1:]]
    assert set(modes) | {"torch", "jax"} <= set(names)
    assert names.index("torch") < names.index("torch:compile") < names.index("jax")


def test_the_full_profile_takes_large_cases() -> None:
    cases = load_cases()
    left_out = [case for case in cases if "large" in case.tags]
    assert left_out
    assert set(pick(cases, Settings(profile="full"))) - set(pick(cases, Settings())) == set(left_out)


@pytest.mark.parametrize(
    ("operation", "scalars", "arrays", "expected"),
    [
        ("softmax", {"axis": -1}, {"x": ROWS}, {"axis": 0}),
        ("softmax", {"axis": 1}, {"x": ROWS}, {"axis": 0}),
        ("softmax", {"axis": 2}, {"x": ROWS[None]}, {"axis": 1}),
        ("softmax", {"axis": 2}, {"x": ROWS}, {"axis": 2}),  # outside of both
        ("softmax", {"axis": -3}, {"x": ROWS}, {"axis": -3}),
        ("sigmoid", {}, {"x": ROWS[0]}, {}),
        ("entropy", {}, {"logits": ROWS}, {}),
        ("attention", {}, {"query": ROWS[None], "key": ROWS[None], "value": ROWS[None]}, {}),
        ("cross_entropy", {"reduction": "none"}, {"logits": ROWS, "target": ROWS}, {"reduction": "none"}),
        ("one_hot", {"num_classes": 3}, {"target": ROWS[0]}, {"num_classes": 3}),
    ],
)
def test_a_call_on_a_batch_as_a_call_on_its_rows(
    operation: str, scalars: dict[str, Any], arrays: dict[str, Any], expected: dict[str, Any]
) -> None:
    inputs = tuple(arrays)
    call = Call(print, inputs, tuple(scalars.items()), "float32")
    assert dict(row_call(operation, call, arrays).scalars) == expected


@pytest.mark.parametrize(
    ("operation", "scalars", "arrays", "reason"),
    [
        ("softmax", {"axis": 0}, {"x": ROWS}, "own"),
        ("softmax", {"axis": -2}, {"x": ROWS}, "own"),
        ("softmax", {"axis": None}, {"x": ROWS}, "own"),
        ("sigmoid", {}, {"x": np.float64(1)}, "rows"),
        ("sigmoid", {}, {"x": np.zeros((0, 3))}, "rows"),
        ("cross_entropy", {}, {"logits": ROWS, "target": ROWS}, "reduction none"),
        ("nll_loss", {"reduction": "none"}, {"log_probs": ROWS[None], "target": ROWS}, "N, C"),
        ("entropy", {}, {"logits": ROWS[None]}, "N, C"),
        ("js_div", {"reduction": "none"}, {"logits": ROWS[0], "target": ROWS[0]}, "N, C"),
        ("attention", {}, {"query": ROWS, "key": ROWS, "value": ROWS}, "keys"),
        (
            "binary_cross_entropy",
            {"reduction": "none"},
            {"probs": ROWS, "target": ROWS, "weight": ROWS},
            "weights",
        ),
        ("logsumexp", {"axis": 1}, {"x": ROWS, "where": ROWS}, "mask"),
        ("one_hot", {"num_classes": -1}, {"target": ROWS[0]}, "how many classes"),
    ],
)
def test_what_has_no_rows_of_its_own_is_unsupported(
    operation: str, scalars: dict[str, Any], arrays: dict[str, Any], reason: str
) -> None:
    inputs = tuple(name for name in arrays if name not in ("weight", "where"))
    with pytest.raises(Unsupported, match=reason):
        row_call(operation, Call(print, inputs, tuple(scalars.items()), "float32"), arrays)


@pytest.mark.parametrize(("framework", "formulation"), [("torch", "functional"), ("jax", "composed")])
def test_vmap_gives_the_same_rows(client: Get, framework: str, formulation: str) -> None:
    asked = {"parameters": {"reduction": "none"}, "quantities": ["value", "gradient:logits"]}
    tensors = {"logits": ROWS, "target": np.array([1, 2]), "upstream": np.array([1.0, -0.5])}
    looped = client(framework).ask("cross_entropy", formulation, **asked, **tensors)
    batched = client(framework, "--mode", "vmap").ask("cross_entropy", formulation, **asked, **tensors)
    for quantity in ("value", "gradient:logits"):
        np.testing.assert_allclose(batched.numbers(quantity), looped.numbers(quantity), rtol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_mode_is_a_row_that_says_what_it_does(framework: str) -> None:
    rows = description(framework).modes
    assert len({row.line for row in rows}) == len(rows)
    assert all(row.line and row.wrapped for row in rows)
    assert all(": " in reason for row in rows for reason in row.cannot), "what it cannot do, and the reason"
    assert {row.like for row in rows} <= {"", *description(framework).mode_names}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_page_of_modes_has_each_row(framework: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "modes.md").read_text("utf-8").partition("\n## ")[0]
    rows = [line for line in page.splitlines() if line.startswith(f"| `{framework}:")]
    assert rows == [
        f"| `{framework}:{row.name}` | {row.line} | `{row.wrapped}` | {row.like} | {'; '.join(row.cannot)} |"
        for row in description(framework).modes
    ]


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
def test_each_row_has_its_wrapper(framework: str) -> None:
    module = "adapter" if framework == "tensorflow" else "modes"
    table = importlib.import_module(f"conformance.adapters.{framework}.{module}").MODES
    assert tuple(table) == description(framework).mode_names


#: Torch's operator behind each operation, in its dispatcher's words, and inputs to call it with.
OPERATORS = {
    "sigmoid": ("aten::sigmoid", {"x": ROWS}),
    "log_sigmoid": ("aten::log_sigmoid", {"x": ROWS}),
    "softmax": ("aten::softmax.int", {"x": ROWS}),
    "log_softmax": ("aten::log_softmax.int", {"x": ROWS}),
    "logsumexp": ("aten::logsumexp", {"x": ROWS}),
    "nll_loss": ("aten::nll_loss", {"log_probs": ROWS, "target": np.array([1, 2])}),
    "cross_entropy": ("aten::cross_entropy_loss", {"logits": ROWS, "target": np.array([1, 2])}),
    "binary_cross_entropy": ("aten::binary_cross_entropy", {"probs": ROWS * 0 + 0.5, "target": ROWS * 0}),
    "binary_cross_entropy_with_logits": (
        "aten::binary_cross_entropy_with_logits",
        {"logits": ROWS, "target": ROWS * 0},
    ),
}


OPERATORS["kl_div"] = "aten::kl_div", {"log_probs": ROWS - 20, "target": ROWS * 0 + 0.5}


@pytest.mark.parametrize("operation", OPERATORS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_autocast_widens_what_torch_registers_for_it(client: Get, operation: str, dtype: str) -> None:
    """By its dispatcher's own table, and by what it returns."""
    import torch  # late: the other tests of this file need it not

    operator, tensors = OPERATORS[operation]
    widened = parse("torch:autocast").widens(operation)
    assert torch._C._dispatch_has_kernel_for_dispatch_key(operator, "AutocastCPU") == widened
    worker = client("torch", "--mode", "autocast")
    for formulation in {"functional", "module"}.intersection(OPERATIONS[operation].formulations):
        response = worker.ask(operation, formulation, dtype=dtype, **tensors)
        assert response.header["arrays"][0]["dtype"] == ("float32" if widened else dtype)


@pytest.mark.parametrize(
    ("operation", "formulation", "tensors"),
    [
        ("linear_cross_entropy", "functional", {"hidden": ROWS, "head": ROWS, "target": np.array([1, 0])}),
        ("token_log_prob", "functional", {"logits": ROWS, "target": np.array([1, 2])}),
        ("capped_cross_entropy", "functional", {"logits": ROWS, "target": np.array([1, 2])}),
        ("js_div", "functional", {"logits": ROWS, "target": ROWS}),
        ("sigmoid_focal_loss", "composed", {"logits": ROWS, "target": ROWS * 0}),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_autocast_widens_what_ends_in_a_cross_entropy(
    client: Get, operation: str, formulation: str, tensors: dict[str, np.ndarray], dtype: str
) -> None:
    assert parse("torch:autocast").widens(operation)
    response = client("torch", "--mode", "autocast").ask(operation, formulation, dtype=dtype, **tensors)
    assert response.header["arrays"][0]["dtype"] == "float32"


WIDE = """
import torch.nn.functional as F


def cross_entropy(logits, target):
    return F.cross_entropy(logits.float(), target)


def softmax(x):
    return F.softmax(x.float(), -1)
"""
TWO = """
source: a test
cases:
  - {id: loss, operation: cross_entropy, inputs: {logits: [[1, 2]], target: [1]}, quantities: [value]}
  - {id: shares, operation: softmax, inputs: {x: [[1, 2]]}, quantities: [value]}
"""


@pytest.mark.parametrize(
    ("operation", "mode", "conforms"),
    [
        ("cross_entropy", None, False),
        ("cross_entropy", "autocast", True),
        ("softmax", None, False),
        ("softmax", "autocast", False),
    ],
)
def test_float32_for_half_inputs_is_right_where_the_modes_rule_says_so(
    operation: str, mode: str | None, conforms: bool, tmp_path: Path
) -> None:
    (tmp_path / "wide.py").write_text(WIDE)
    (tmp_path / "two.yaml").write_text(TWO)
    function, cases = f"{tmp_path / 'wide.py'}:{operation}", [tmp_path / "two.yaml"]
    run = conformance.check(function, operation, mode=mode, paths=cases, dtypes=["bfloat16"])
    rows = run.frame[run.frame["subject"] == run.subject]
    assert rows["conforms"].tolist() == [conforms]
    assert ("returned dtype float32" in rows["message"].iloc[0]) != conforms


def test_what_is_known_of_a_mode_holds_for_those_that_run_its_kernels() -> None:
    likes = {
        "torch:func": ("torch",),
        "torch:vmap": ("torch",),
        "jax:vmap_axes": ("jax:vmap", "jax"),
        "jax:checkpoint": ("jax",),
        "tensorflow:xla": ("tensorflow",),
        "torch": (),
    }
    assert {name: parse(name).like for name in likes} == likes
