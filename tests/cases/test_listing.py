"""`conformance list`: what there is, as a table."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from conformance.cases.listing import show
from conformance.errors import RunError
from conformance.operations import OPERATIONS

CASES = """
source: a source
tags: [extreme]
cases:
  - {id: one, operation: softmax, inputs: {x: [1, 2]}, dtypes: [float32], why: the first}
  - {id: two, operation: softmax, inputs: {x: [2, 1]}, why: turned}
"""


def shown(what: str, *paths: Path) -> list[list[str]]:
    """The cells of the table, row by row, its head first."""
    console = Console(file=(stream := io.StringIO()), width=400)
    show(what, [str(path) for path in paths], console)
    lines = stream.getvalue().replace("┃", "│").splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two cases."""
    path = tmp_path / "f.yaml"
    path.write_text(CASES)
    return path


def test_cases(file: Path) -> None:
    """One line each: where it comes from and why it is there."""
    head, one, two = shown("cases", file)
    assert head == ["case", "operation", "dtypes", "tags", "source", "why"]
    assert one == ["one", "softmax", "float32", "extreme", "a source", "the first"]
    assert two[2] == "float16 bfloat16 float32 float64"


def test_operations() -> None:
    """Their signatures and formulations."""
    rows = {row[0]: row[1:] for row in shown("operations")[1:]}
    assert list(rows) == list(OPERATIONS)
    assert "label_smoothing=0.0" in rows["cross_entropy"][1]
    assert rows["softmax"] == ["x", "axis=-1 where=None", "functional module composed manual"]


def test_subjects() -> None:
    """Whether each is here, and its modes."""
    rows = {row[0]: row[1:] for row in shown("subjects")[1:]}
    assert rows["numpy"][-1] == "installed"
    assert rows["numpy"][0] == np.__version__
    assert {"eager", "compile"} <= set(rows["torch"][1].split())
    assert "/avx2" in rows["torch"][2]


def test_relations(file: Path) -> None:
    """Every relation of every operation, with what claims it."""
    rows = shown("relations", file)[1:]
    assert len(rows) == sum(len(one.relations) for one in OPERATIONS.values())
    assert any(row[0] == "one_hot" and "F.one_hot" in row[-1] for row in rows)


def as_json(what: str, *paths: Path, **options: list[str]) -> list[dict[str, object]]:
    """The list as the objects that `--json` prints."""
    console = Console(file=(stream := io.StringIO()), width=40)
    show(what, [str(path) for path in paths], console, as_json=True, **options)
    rows: list[dict[str, object]] = json.loads(stream.getvalue())
    return rows


def test_json_of_selected_cases(file: Path) -> None:
    more = "  - {id: three, operation: sigmoid, inputs: {x: [1]}, tags: [other], why: a}\n"
    file.write_text(CASES + more)
    assert [row["case"] for row in as_json("cases", file, operations=["softmax"])] == ["one", "two"]
    (row,) = as_json("cases", file, tags=["other"])
    assert (row["case"], row["tags"]) == ("three", ["extreme", "other"])
    assert {row["operation"] for row in as_json("relations", file, operations=["one_hot"])} == {"one_hot"}


def test_json_of_subjects_names_versions_and_variants() -> None:
    rows = {row["subject"]: row for row in as_json("subjects")}
    assert list(rows["numpy"]) == ["subject", "version", "modes", "variants", "here"]
    assert rows["numpy"]["version"] == np.__version__


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("cases", {"operations": ["cross-entropy"]}, "did you mean cross_entropy?"),
        ("operations", {"tags": ["extreme"]}, "only cases have tags"),
        ("subjects", {"operations": ["softmax"]}, "of no operation"),
    ],
)
def test_what_cannot_be_listed(what: str, options: dict[str, list[str]], words: str, file: Path) -> None:
    with pytest.raises(RunError, match=words.replace("?", "[?]")):
        as_json(what, file, **options)
