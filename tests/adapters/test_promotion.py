"""The dtype of a result whose tensors have dtypes of their own is what the installed frameworks make it."""

from __future__ import annotations

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from conformance.adapters.base import Adapter
from conformance.adapters.loop import make_adapter
from conformance.adapters.promotion import BITS, promoted
from conformance.adapters.response import answer
from conformance.arithmetic import to_storage

LOGITS, LABELS, SOFT = [[1.0, 0.0, -3.0], [2.0, 1.0, 0.0]], [0, 2], [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]
WEIGHT, NUMBERS = [1.0, 2.0, 0.5], [0.25, 0.5, 0.125]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "probabilities": ("cross_entropy", {"logits": LOGITS, "target": SOFT}),
    "weighted labels": ("cross_entropy", {"logits": LOGITS, "target": LABELS, "weight": WEIGHT}),
    "log-probabilities": ("nll_loss", {"log_probs": LOGITS, "target": LABELS, "weight": WEIGHT}),
    "linear": (
        "linear_cross_entropy",
        {"hidden": [NUMBERS, NUMBERS], "head": LOGITS + [NUMBERS], "target": LABELS, "weight": WEIGHT},
    ),
    "binary": ("binary_cross_entropy", {"probs": NUMBERS, "target": NUMBERS, "weight": WEIGHT}),
    "logits": (
        "binary_cross_entropy_with_logits",
        {"logits": NUMBERS, "target": NUMBERS, "weight": WEIGHT, "pos_weight": WEIGHT},
    ),
}


@pytest.mark.parametrize("pair", list(itertools.product(BITS, BITS)))
def test_promotion_is_that_of_torch_jax_and_numpy(pair: tuple[str, str]) -> None:
    right = promoted(pair)
    assert torch.promote_types(*(getattr(torch, name) for name in pair)) == getattr(torch, right)
    if "float64" not in pair:  # without x64 there is none
        assert jnp.promote_types(*pair) == jnp.dtype(right)
    if "bfloat16" not in pair:
        assert np.promote_types(*pair) == np.dtype(right)


def asked(adapter: Adapter, call: str, formulation: str, dtype: str, own: dict[str, str]) -> dict[str, Any]:
    """The outcome of a call whose tensors have dtypes of their own, with the result's dtype."""
    operation, given = CALLS[call]
    arrays, entries = {}, []
    for name, values in given.items():
        kind = "int64" if values is LABELS else own.get(name, dtype)
        array = np.asarray(values)
        stored = array.astype(np.int64) if kind == "int64" else to_storage(array.astype(float), kind)
        arrays[name] = stored.view(np.uint16) if kind == "bfloat16" else stored
        entries.append({"name": name, "dtype": kind})
    request = {
        "id": 0,
        "operation": operation,
        "formulation": formulation,
        "dtype": dtype,
        "quantities": ["value"],
        "parameters": {"reduction": "none"},
        "arrays": entries,
        "mixed": True,
    }
    header, _ = answer(adapter, request, arrays, [])
    outcome: dict[str, Any] = header["outcomes"]["value"]
    return dict(outcome, dtype=header["arrays"][0]["dtype"] if header["arrays"] else "")


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax", "numpy"])
@pytest.mark.parametrize("call", CALLS)
def test_a_result_has_the_dtype_that_the_table_says(framework: str, call: str) -> None:
    adapter = make_adapter(framework)
    operation, given = CALLS[call]
    answered = 0
    for formulation in adapter.formulations.get(operation, {}):
        for name in given:
            if given[name] is LABELS:
                continue
            for dtype, own in (("bfloat16", "float32"), ("float32", "bfloat16"), ("float16", "bfloat16")):
                outcome = asked(adapter, call, formulation, dtype, {name: own})
                if outcome["status"] == "returned":
                    answered += 1
                    where = (formulation, name, dtype, own, outcome)
                    assert [outcome["dtype"]] == outcome["dtypes"], where
                else:
                    assert outcome["status"] == "unsupported", (formulation, name, dtype, own, outcome)
    assert answered or framework == "tensorflow"


def test_what_a_framework_refuses_is_unsupported_of_mixed_dtypes_alone() -> None:
    adapter = make_adapter("torch")
    outcome = asked(adapter, "weighted labels", "functional", "bfloat16", {"weight": "float32"})
    assert outcome["status"] == "unsupported"
    assert "expected scalar type BFloat16 but found Float" in outcome["message"]
    request = {"operation": "cross_entropy", "formulation": "functional", "dtype": "float32", "id": 0}
    arrays = {"logits": np.float32(LOGITS), "target": np.array(LABELS), "weight": np.float64(WEIGHT)}
    entries = [{"name": name, "dtype": array.dtype.name} for name, array in arrays.items()]
    header, _ = answer(
        adapter, dict(request, quantities=["value"], parameters={}, arrays=entries), arrays, []
    )
    assert header["outcomes"]["value"]["status"] == "raised"
