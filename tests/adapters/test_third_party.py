"""The documented distribution, outside the repository: it adds a framework, runs, and is judged."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding-an-adapter.md"
CALCULATOR = """
import math

__version__ = "7.5"


class Page:
    def __init__(self, numbers, shape):
        self.numbers, self.shape = numbers, shape


def sigmoid(x):
    small = [math.exp(-abs(number)) for number in x.numbers]
    halves = [(1.0 if number > 0 else e) / (1 + e) for number, e in zip(x.numbers, small)]
    return Page([math.nan if math.isnan(n) else half for n, half in zip(x.numbers, halves)], x.shape)
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "pocket-calculator"
version = "7.5"

[tool.hatch.build.targets.wheel]
only-include = ["calculator.py"]
"""


def wheel(folder: Path, module: str, text: str, project: str, into: Path) -> Path:
    """Builds a distribution of one module."""
    folder.mkdir()
    (folder / module).write_text(text, encoding="utf-8")
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    before = set(into.glob("*"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (built,) = set(into.glob("*")) - before
    return built


class Site:
    """A folder that distributions are installed into, beside the suite."""

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder, self.index = folder, index

    def install(self, *words: str) -> None:
        """As `python -m pip install WORDS`, into the folder and from the index alone."""
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-index"]
        places = ["--find-links", str(self.index), "--target", str(self.folder), "--python", sys.executable]
        subprocess.run([*command, *places, *words], check=True, capture_output=True)

    def conformance(self, words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """The command line with the folder on its path."""
        environment = {**os.environ, "PYTHONPATH": f"{self.folder}{os.pathsep}{ROOT}", "COLUMNS": "200"}
        command = [sys.executable, "-m", "conformance", *words]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The documentation's adapter, installed; the framework that it needs waits in an index."""
    base = tmp_path_factory.mktemp("elsewhere")
    index = base / "index"
    index.mkdir()
    text = PAGE.read_text(encoding="utf-8").partition("## In a distribution of your own")[2]
    project, adapter = (
        re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[0] for kind in ("toml", "python")
    )
    wheel(base / "calculator", "calculator.py", CALCULATOR, PROJECT, index)
    mine = wheel(base / "adapter", "conformance_pocket.py", adapter, project, index)
    made = Site(base / "site", index)
    made.install("--no-deps", str(mine))
    return made


RUN = ("run", "--subject", "pocket", "--operation", "sigmoid", "--output", "out")


def test_the_hint_of_a_missing_one_installs_it_and_it_is_judged(site: Site, tmp_path: Path) -> None:
    listed = site.conformance(["list", "subjects", "--json"], tmp_path)
    (pocket,) = [entry for entry in json.loads(listed.stdout) if entry["subject"] == "pocket"]
    assert "missing: python -m pip install conformance-pocket" in str(pocket)
    refused = site.conformance(RUN, tmp_path)
    assert refused.returncode == 2
    said = "pocket is not installed here: its adapter needs pocket-calculator; install it with: "
    assert said in refused.stderr

    hint = shlex.split(refused.stderr.strip().partition(said)[2])
    assert hint[:4] == ["python", "-m", "pip", "install"]
    site.install(*hint[4:])

    listed = site.conformance(["list", "subjects"], tmp_path)
    assert [line for line in listed.stdout.splitlines() if "pocket" in line and "installed" in line]
    ran = site.conformance(RUN, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["formulation"] == "functional"]
    judged = [row for row in rows if row["quantity"] == "value" and row["dtype"] == "float64"]
    assert sum(row["conforms"] == "True" for row in judged) > 50
    assert {row["conforms"] for row in judged} <= {"True", ""}  # layouts, say, it does not have
    assert {row["framework_version"] for row in judged} == {"7.5"}
    rest = [row for row in rows if row not in judged]
    assert {row["verdict"] for row in rest} == {"unsupported"}
    assert {row["message"] for row in rest} >= {"calculator has float64 alone", "pocket gives no gradients"}


def test_nobody_knows_what_installs_a_framework_without_an_adapter(site: Site, tmp_path: Path) -> None:
    refused = site.conformance(["run", "--subject", "pockets", "--output", "out"], tmp_path)
    assert refused.returncode == 2
    assert "did you mean pocket?" in refused.stderr
    assert "pip install" not in refused.stderr
