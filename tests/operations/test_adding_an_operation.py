"""The page on adding an operation, followed to the letter in a copy of the tree."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-an-operation.md").read_text(encoding="utf-8")

#: A sentence that names a file, and the block that follows it.
STEP = re.compile(r"(`FUNCTIONS` in )?`([\w./]+)` (is|gains):\n\n```\w+\n(.*?)```\n", re.DOTALL)


def follow(page: str, tree: Path) -> list[str]:
    """Carries out each step of the page; the files that it touched."""
    touched = []
    for in_table, pattern, verb, block in STEP.findall(page):
        name = pattern.replace("NAME", "softplus")
        path = tree / name
        if in_table:
            head, table, rest = path.read_text(encoding="utf-8").partition("FUNCTIONS: Table = {\n")
            assert table, name
            text = head + table + block + rest
        elif verb == "gains":
            text = path.read_text(encoding="utf-8") + "\n\n" + block
        else:
            assert not path.exists(), name
            text = block
        path.write_text(text, encoding="utf-8")
        touched.append(name)
    return touched


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the page's operation in it."""
    copy = tmp_path_factory.mktemp("tree")
    unneeded = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("conformance", "cases", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=unneeded)
    for name in ("pyproject.toml", "conftest.py", "schema.json"):
        shutil.copy(ROOT / name, copy)
    touched = follow(PAGE, copy)
    assert [name.rpartition("/")[0] for name in touched] == [
        "conformance/operations",
        "conformance/operations/error_analysis",
        "conformance/adapters/torch",
        "conformance/adapters/numpy",
        "tests/oracle",
        "tests/bounds",
        "cases/extreme",
    ]
    return copy


def run(tree: Path, *arguments: str) -> str:
    """What a command in the copy prints; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(tree / "cache")}
    ran = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=tree, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_case_of_it_conforms(tree: Path) -> None:
    run(tree, "conformance", "run", "cases/extreme/softplus.yaml", "--subject", "torch", "--subject", "numpy",
        "--output", "out")  # fmt: skip
    with (tree / "out" / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    judged = {(r["subject"], r["formulation"], r["quantity"]) for r in rows if r["conforms"] == "True"}
    assert judged == {
        ("torch", "functional", "value"), ("torch", "functional", "gradient:x"),
        ("torch", "composed", "value"), ("torch", "composed", "gradient:x"),
        ("numpy", "functional", "value"),
    }  # fmt: skip
    assert {row["verdict"] for row in rows if not row["conforms"]} == {"unsupported"}
    assert {row["operation"] for row in rows} == {"softplus"}


def test_lists_and_schema_have_it(tree: Path) -> None:
    assert "softplus" in run(tree, "conformance", "list", "operations")
    schema = run(tree, "conformance", "schema")
    assert '"softplus"' in schema
    assert schema != (tree / "schema.json").read_text(encoding="utf-8")


def test_its_oracle_and_its_bound_are_tested(tree: Path) -> None:
    names = ("test_bounds.py", "test_bounds_attainable.py", "test_oracle.py")
    files = [f"tests/operations/{name}" for name in names]
    printed = run(tree, "pytest", "-q", "-p", "no:cacheprovider", "-k", "softplus", *files)
    (passed,) = re.findall(r"(\d+) passed", printed)
    assert int(passed) >= 3  # both bounds, and gradients that are slopes of the oracle's values
    program = "from oracle.definition import random_calls\nimport conformance\n"
    program += "for call in random_calls(120, 5):\n    if call.operation == 'softplus':\n"
    program += "        from test_exact_independent import check\n        assert check(call) == []\n"
    program += "        print('agrees')\n"
    (tree / "agreement.py").write_text(
        f"import sys\nsys.path[:0] = ['tests', 'tests/operations']\n{program}", encoding="utf-8"
    )
    assert run(tree, "agreement").count("agrees") >= 5
