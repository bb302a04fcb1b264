"""Which packages a worker's process holds: its own framework, and not what that takes along."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from conformance.adapters.imports import as_if_absent

TENSORFLOW = """
import sys
from conformance.adapters.tensorflow import adapter
held = [name for name in ("jax", "pandas", "pyarrow") if name in sys.modules]
import pandas  # a user's function may need it
print(held, adapter.tf.__name__, pandas.__name__)
"""
TORCH = """
import sys
import torch
from conformance.adapters.torch.eager import flow
x = torch.ones(3, requires_grad=True)
loss, one = (x * 2).sum(), torch.ones(())
torch.autograd.grad(loss, x, flow(loss, one))
print("sympy" in sys.modules, flow(loss, one), flow(loss, 3 * one))
print(flow(x, None).tolist(), flow(x, 2 * x).tolist())
"""


def test_absent_packages_fail_to_import_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with as_if_absent("this", "json"):
        assert importlib.import_module("json") is sys.modules["json"]
        with pytest.raises(ImportError):
            importlib.import_module("this")
    assert importlib.import_module("this").__name__ == "this"


def test_they_come_back_after_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(ZeroDivisionError), as_if_absent("this"):
        raise ZeroDivisionError
    assert "this" not in sys.modules


def test_tensorflow_does_without_what_it_takes_along() -> None:
    ended = subprocess.run([sys.executable, "-c", TENSORFLOW], capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[0] == "[] tensorflow pandas"


def test_a_loss_begins_with_autograds_own_one() -> None:
    """And with nothing else: any other upstream gradient is told."""
    ended = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[:2] == ["False None tensor(3.)", "[1.0, 1.0, 1.0] [2.0, 2.0, 2.0]"]
