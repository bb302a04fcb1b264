"""Profiles, and the mode `vmap`, which only the profile `full` runs unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from adapters.driving import Client

from conformance.adapters.base import Call, Unsupported
from conformance.adapters.by_rows import row_call
from conformance.cases.loader import load_cases
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


def test_the_full_profile_asks_a_mode_for_functional_alone() -> None:
    case = load_cases()[0]
    wanted = profiles.wanted_by("full")
    assert wanted is not None
    asked = {
        (subject, formulation)
        for subject in ("torch", "torch:eager", "torch:compile")
        for formulation in ("functional", "naive")
        if wanted(subject, case, "float32", formulation, "value")
    }
    assert ("torch:compile", "naive") not in asked
    assert len(asked) == 5
    assert wanted("jax:eager", case, "float32", "composed", "value"), "JAX has no losses of its own"
    assert profiles.wanted_by("default") is None


def test_the_full_profile_asks_a_slow_mode_for_one_dtype_and_no_products() -> None:
    wanted = profiles.wanted_by("full")
    assert wanted is not None
    single, product = (
        next(case for case in load_cases() if ("[" in case.id) is many and "semantics" in case.tags)
        for many in (False, True)
    )
    asked = [
        (case.id, dtype)
        for case in (single, product)
        for dtype in ("float16", "float32")
        if wanted("torch:compile", case, dtype, "functional", "value")
    ]
    assert asked == [(single.id, "float32")]
    assert wanted("tensorflow:xla", product, "float16", "functional", "value")


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
