"""Which packages a worker's process holds: its own framework, and not what that takes along."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from conformance.adapters.imports import as_if_absent

TENSORFLOW = """
import sys
from conformance.adapters import on_tensorflow
held = [name for name in ("jax", "pandas", "pyarrow") if name in sys.modules]
import pandas  # a user's function may need it
print(held, on_tensorflow.tf.__name__, pandas.__name__)
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
