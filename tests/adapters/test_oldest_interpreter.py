"""The adapters run on Python 3.8 with NumPy 1.19, and import nothing but what is there."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from adapters.driving import DTYPES, SERVE, Client

from conformance.subjects import environments, pythons

FILES = sorted(SERVE.parent.glob("*.py"))
FRAMEWORKS = {"numpy", "torch", "tensorflow", "jax", "jaxlib"}
OLD = [python for python in pythons.found() if python.minor == pythons.OLDEST]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_syntax_is_of_the_oldest_python(file: Path) -> None:
    ast.parse(file.read_text(encoding="utf-8"), file.name, feature_version=pythons.OLDEST)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_imports_the_standard_library_the_framework_and_its_siblings(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in sys.stdlib_module_names | FRAMEWORKS
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= sys.stdlib_module_names | FRAMEWORKS
        if isinstance(node, ast.ImportFrom):
            assert node.level <= 1, "nothing of the package but siblings"


if OLD:

    def test_it_serves_on_the_oldest_python_and_numpy() -> None:
        interpreter = environments.interpreter(("numpy==1.19.5",), print, OLD[0])
        with Client("numpy", python=interpreter) as old, Client("numpy") as new:
            assert old.hello["python"].startswith("3.8.")
            assert old.hello["numpy"] == "1.19.5"
            assert old.hello["formulations"] == new.hello["formulations"]
            for dtype in DTYPES:
                for formulation in new.hello["formulations"]["cross_entropy"]:
                    _compare(old, new, formulation, dtype)
            assert old.close() == (0, "")
            assert new.close() == (0, "")

    def _compare(old: Client, new: Client, formulation: str, dtype: str) -> None:
        asked = ["value", "gradient:logits"]
        tensors = {"logits": np.random.default_rng(5).normal(size=(6, 4)), "target": [0, 3, 1, 2, -100, 1]}
        got = old.ask("cross_entropy", formulation, dtype, asked, **tensors)
        expected = new.ask("cross_entropy", formulation, dtype, asked, **tensors)
        assert got.outcomes == expected.outcomes
        for quantity, array in expected.arrays.items():
            assert got.arrays[quantity].dtype == array.dtype
            np.testing.assert_allclose(got.numbers(quantity), expected.numbers(quantity), rtol=1e-2)
