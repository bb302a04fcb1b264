"""Ways to make a call: each took effect, and what an adapter cannot do is unsupported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from adapters.driving import Client

X = np.array([[0.5, -1.0]])
RECORDING = """
import threading

import torch

calls, inside = [], []
gate = threading.Barrier(2)


def threads(x):
    return x * 0 + torch.get_num_threads()


def number_of_the_call(x):
    calls.append(None)
    return x * 0 + len(calls)


def both_inside(x):
    gate.wait(20)  # passes once two calls are in here
    return torch.sigmoid(x)
"""
Get = Callable[..., Client]


def answered(folder: Path, name: str, way: str) -> float:
    """What a recording function returns, called this way."""
    (folder / "recording.py").write_text(RECORDING)
    with Client(
        "torch", "--function", f"{folder / 'recording.py'}:{name}", "--operation", "sigmoid"
    ) as worker:
        numbers = worker.ask("sigmoid", call=way, x=X).numbers()
        worker.close()
    return float(numbers[0, 0])


def test_torch_computes_with_one_thread_where_it_is_asked_to(tmp_path: Path) -> None:
    assert answered(tmp_path, "threads", "one_thread") == 1


def test_the_second_of_two_calls_counts(tmp_path: Path) -> None:
    assert answered(tmp_path, "number_of_the_call", "once") == 1
    assert answered(tmp_path, "number_of_the_call", "twice") == 2


def test_two_calls_are_under_way_at_once(tmp_path: Path) -> None:
    """Each waits for the other inside the function."""
    assert answered(tmp_path, "both_inside", "at_once") == pytest.approx(0.62245934)


@pytest.mark.parametrize(("framework", "words"), [("numpy", "one thread"), ("jax", "jax/one_thread")])
def test_threads_that_cannot_be_changed_are_unsupported(client: Get, framework: str, words: str) -> None:
    response = client(framework).ask("sigmoid", call="one_thread", x=X)
    assert response.status() == "unsupported"
    assert words in response.message()


@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow", "jax"])
@pytest.mark.parametrize("way", ["twice", "at_once"])
def test_every_framework_can_be_called_so(client: Get, framework: str, way: str) -> None:
    asked = {"quantities": ["value", "gradient:x"], "x": X, "upstream": X}
    plain = client(framework).ask("sigmoid", **asked)
    for quantity in ("value", "gradient:x"):
        numbers = client(framework).ask("sigmoid", call=way, **asked).numbers(quantity)
        assert numbers.tobytes() == plain.numbers(quantity).tobytes()


def test_a_way_that_does_not_exist_is_unsupported(client: Get) -> None:
    assert client("numpy").ask("sigmoid", call="thrice", x=X).status() == "unsupported"
