"""Registry of frameworks: one folder and one line, and each description says what its adapter has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conformance.adapters import registry
from conformance.adapters.base import Adapter

PACKAGE = Path(registry.__file__).parents[1]
#: The files that every framework's folder has.
FILES = {"__init__.py", "adapter.py", "description.py", "formulations.py", "kernels.py"}

#: A framework: lists of numbers, and two functions.
FRAMEWORK = """
import math

__version__ = "7.1"


def softmax(rows):
    return [[math.exp(x - max(row)) / sum(math.exp(y - max(row)) for y in row) for x in row] for row in rows]
"""
FOLDER = {
    "__init__.py": '"""Toy."""\n',
    "description.py": "from ..description import Description, Mode\n"
    "DESCRIPTION = Description(modes=(Mode('slowly', 'takes its time'),))\n",
    "formulations.py": "import toy\n\nFUNCTIONS = {'softmax': {'functional': toy.softmax}}\n",
    "adapter.py": """
import numpy as np
import toy

from ..base import Adapter, Unsupported
from .description import DESCRIPTION
from .formulations import FUNCTIONS


class ToyAdapter(Adapter):
    framework = "toy"
    modes = DESCRIPTION.mode_names
    formulations = FUNCTIONS

    def load(self, array, dtype):
        return array.tolist()

    def store(self, result):
        return np.array(result), "float64"

    def compute(self, call, tensors, wrt, upstream):
        if wrt:
            raise Unsupported("toy has no gradients")
        return call(tensors), []

    def describe(self):
        return {"version": toy.__version__}


ADAPTER = ToyAdapter
""",
}
CASES = """
source: a test
cases:
  - id: rows
    operation: softmax
    inputs: {x: [[1, 2, 3], [0.5, -1, 800]]}
    dtypes: [float64]
    formulations: [functional]
"""


def conformance(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line of the package in `folder`/tree, beside the frameworks in `folder`."""
    path = os.pathsep.join([str(folder / "tree"), str(folder)])
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        check=False,
    )


def test_a_framework_is_one_folder_and_one_line(tmp_path: Path) -> None:
    copy = tmp_path / "tree" / "conformance"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "toy.py").write_text(FRAMEWORK)
    (tmp_path / "rows.yaml").write_text(CASES)
    for name, text in FOLDER.items():
        path = copy / "adapters" / "toy" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    listed = copy / "adapters" / "registry.py"
    before = listed.read_text()
    listed.write_text(before.replace('"jax")\n', '"jax", "toy")\n', 1))
    changed = [a for a, b in zip(before.splitlines(), listed.read_text().splitlines(), strict=True) if a != b]
    assert len(changed) == 1

    output = tmp_path / "run"
    ran = conformance(tmp_path, "run", "rows.yaml", "--subject", "toy:slowly", "--output", str(output))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = pd.read_csv(output / "results.csv").set_index("quantity")
    assert rows.framework_version.tolist() == [7.1, 7.1]
    assert rows.conforms["value"]
    assert rows.verdict["gradient:x"] == "unsupported"
    refused = conformance(tmp_path, "run", "--subject", "toy:quickly")
    assert (refused.returncode, "toy has the modes slowly" in refused.stderr) == (2, True)


@pytest.mark.parametrize("framework", registry.FRAMEWORKS)
def test_every_folder_has_the_same_files(framework: str) -> None:
    assert {path.name for path in (PACKAGE / "adapters" / framework).iterdir()} >= FILES


@pytest.mark.parametrize("framework", registry.FRAMEWORKS)
def test_adapters_take_their_modes_and_devices_from_the_description(framework: str) -> None:
    adapter: type[Adapter] = registry.adapter_class(framework)
    described = registry.description(framework)
    assert adapter.framework == framework
    assert (adapter.modes, adapter.devices) == (described.mode_names, described.devices)


def test_descriptions_import_no_framework() -> None:
    program = "import sys; from conformance.adapters.registry import *\n"
    program += "for framework in FRAMEWORKS: description(framework)\n"
    program += "print({'numpy', 'torch', 'tensorflow', 'jax'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_a_stranger_has_an_empty_description() -> None:
    assert registry.description("myframework").modes == ()
