"""A program lays its tensors out in memory as the subject had them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from conformance.adapters.layouts import LAYOUTS, Layout
from conformance.adapters.loop import make_adapter
from conformance.report.reproduction.layout_statements import statements
from conformance.report.reproduction.program import Check, reproduce


@pytest.mark.parametrize("framework", ["torch", "numpy"])
@pytest.mark.parametrize("layout", [*LAYOUTS, [1, 2, 0]])
@pytest.mark.parametrize("kind", ["float32", "int64"])
def test_statements_give_the_adapters_strides_and_values(framework: str, layout: Layout, kind: str) -> None:
    values = np.broadcast_to(np.arange(4).reshape(2, 2), (3, 2, 2)).astype(kind)
    adapter = make_adapter(framework)
    tensor = adapter.load(values.copy(), kind)
    scope: dict[str, Any] = {"np": np, "torch": torch, "x": tensor}
    exec("\n".join(statements(framework, "x", layout, (3, 2, 2), kind == "float32")), scope)
    np.testing.assert_array_equal(adapter.store(scope["x"])[0], values)
    if (framework, layout) != ("torch", "reversed"):
        right = adapter.lay_out(tensor, layout)
        if framework == "torch":
            assert (scope["x"].stride(), scope["x"].storage_offset()) == (
                right.stride(),
                right.storage_offset(),
            )
        else:
            assert scope["x"].strides == right.strides


def test_a_program_tracks_a_tensor_once_it_is_laid_out() -> None:
    arguments = {"x": np.ones((2, 3)), "axis": 1, "layout": {"x": "padded"}}
    program = reproduce(Check("softmax", "functional", "gradient:x", "float32", "torch"), arguments) or ""
    lines = program.splitlines()
    assert lines.index("x.requires_grad_()") > lines.index(
        'x = torch.nn.functional.pad(x, (0, 61), value=float("nan"))[..., :3]'
    )


def test_frameworks_without_layouts_have_no_statements() -> None:
    assert statements("jax", "x", "padded", (2, 3), True) == []
