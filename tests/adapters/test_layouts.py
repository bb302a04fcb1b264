"""Memory layouts of the inputs, and functions that write into their inputs."""

from __future__ import annotations

import math
import resource
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapters.driving import Client

from conformance.adapters.base import Adapter, Unsupported
from conformance.adapters.layouts import LAYOUTS, Layout, memory_order
from conformance.adapters.loop import make_adapter
from conformance.adapters.response import answer
from conformance.adapters.user_function import load_function
from conformance.cases.models import LayoutName
from conformance.judging.verdict import judge_outcome

Get = Callable[..., Client]
VALUES = np.arange(1.0, 13.0, dtype=np.float32).reshape(3, 4)
#: Strides in elements of a (3, 4) array in each layout.
STRIDES = {
    "transposed": (1, 3),
    "strided": (8, 2),
    "padded": (64, 1),
    "offset": (4, 1),
    "reversed": (4, -1),
    "broadcast": (0, 1),
    "far": (1 << 30, 1),
}
#: Memory orders of three axes of the sizes 2, 3 and 2, and the strides that they mean.
ORDERS = [([1, 0, 2], (2, 4, 1)), ([2, 0, 1], (3, 1, 6)), ("channels_last", (6, 1, 3))]
WRITES = """
import numpy
def halves_its_input(x):
    value = 1 / (1 + numpy.exp(-x))
    x *= 0.5
    return value
"""


@pytest.mark.parametrize("framework", ["numpy", "torch"])
@pytest.mark.parametrize("layout", ["transposed", "strided", "broadcast", "padded", "offset", "far"])
def test_a_layout_changes_strides_and_no_value(framework: str, layout: str) -> None:
    adapter = make_adapter(framework)
    values = np.repeat(VALUES[:1], 3, axis=0) if layout == "broadcast" else VALUES
    laid_out = adapter.lay_out(adapter.load(values.copy(), "float32"), layout)
    strides = laid_out.stride() if framework == "torch" else tuple(s // 4 for s in laid_out.strides)
    assert strides == STRIDES[layout]
    np.testing.assert_array_equal(adapter.store(laid_out)[0], values)


def test_a_matrix_with_its_classes_innermost_is_contiguous() -> None:
    assert memory_order("channels_last", 2) == (0, 1)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
@pytest.mark.parametrize(("layout", "strides"), ORDERS)
def test_an_order_of_the_axes_is_that_of_their_strides(
    framework: str, layout: Layout, strides: tuple[int, ...]
) -> None:
    adapter = make_adapter(framework)
    values = VALUES.reshape(2, 3, 2)
    laid_out = adapter.lay_out(adapter.load(values.copy(), "float32"), layout)
    assert strides == (laid_out.stride() if framework == "torch" else tuple(s // 4 for s in laid_out.strides))
    np.testing.assert_array_equal(adapter.store(laid_out)[0], values)


def test_channels_last_is_what_torch_calls_so() -> None:
    adapter = make_adapter("torch")
    for axes, memory in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        tensor = torch.arange(2.0**axes).reshape((2,) * axes)
        assert adapter.lay_out(tensor, "channels_last").stride() == tensor.to(memory_format=memory).stride()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_rows_far_apart_are_virtual(dtype: str) -> None:
    """In no dtype does memory grow by more than the pages of the rows."""
    adapter = make_adapter("torch")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tensor = adapter.lay_out(torch.ones(4, 8, dtype=getattr(torch, dtype)), "far")
    assert (tensor.stride(0), float(tensor.sum())) == (1 << 30, 32.0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 16  # in KiB


def test_the_models_and_the_adapters_name_the_same_layouts() -> None:
    assert typing.get_args(LayoutName) == LAYOUTS


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_nan_and_no_label_lie_around_what_is_not_contiguous(framework: str) -> None:
    adapter = make_adapter(framework)
    for layout in ("padded", "offset"):
        for values, between in ((VALUES, math.nan), (np.arange(12).reshape(3, 4), -7)):
            laid_out = adapter.lay_out(adapter.load(values.copy(), values.dtype.name), layout)
            base = laid_out._base.reshape(-1).numpy() if framework == "torch" else whole(laid_out).reshape(-1)
            outside = base.size - values.size
            same = np.isnan(base) if between != between else base == between
            assert (outside > 0, int(same.sum())) == (True, outside), (layout, between)


def whole(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array that this is a view of."""
    while array.base is not None:
        array = array.base
    return array


def test_numpy_alone_has_negative_strides() -> None:
    laid_out = make_adapter("numpy").lay_out(VALUES, "reversed")
    assert tuple(s // 4 for s in laid_out.strides) == STRIDES["reversed"]
    np.testing.assert_array_equal(laid_out, VALUES)
    adapter = make_adapter("torch")
    tensor = adapter.load(VALUES.copy(), "float32")
    with pytest.raises(Unsupported, match="negative strides"):
        adapter.lay_out(tensor, "reversed")


def test_between_strided_elements_lies_what_no_case_has() -> None:
    laid_out = make_adapter("numpy").lay_out(VALUES, "strided")
    assert np.isnan(laid_out.base.reshape(-1)[1::2]).all()
    labels = make_adapter("numpy").lay_out(np.array([3, 1]), "strided")
    assert list(labels.base.reshape(-1)) == [3, -7, 1, -7]


@pytest.mark.parametrize("framework", ["tensorflow", "jax"])
def test_frameworks_without_strides_say_so(client: Get, framework: str) -> None:
    response = client(framework).ask("sigmoid", layouts={"x": "transposed"}, x=VALUES)
    assert response.status() == "unsupported"
    assert response.message() == f"{framework} lets nobody choose a memory layout"


def test_a_function_that_writes_into_its_input_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(WRITES)
    adapter = make_adapter("numpy")
    adapter.adopt(load_function(f"{tmp_path / 'own.py'}:halves_its_input"), "sigmoid")
    outcome = ask(adapter)
    judgement = judge_outcome(outcome, expects_error=False)
    assert judgement is not None
    assert (judgement.verdict, judgement.message) == ("wrong", "overwrites its input x")


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_function_that_reads_its_input_alone_is_judged_by_its_value(framework: str) -> None:
    assert ask(make_adapter(framework)) == {"status": "returned"}


def ask(adapter: Adapter) -> dict[str, Any]:
    """The outcome of sigmoid's value on a (3, 4) input."""
    request = {
        "id": 0,
        "operation": "sigmoid",
        "formulation": "functional",
        "dtype": "float32",
        "quantities": ["value"],
        "parameters": {},
        "arrays": [{"name": "x", "dtype": "float32"}],
    }
    header, _ = answer(adapter, request, {"x": VALUES.copy()}, [])
    outcome: dict[str, Any] = header["outcomes"]["value"]
    return outcome
