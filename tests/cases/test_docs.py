"""`docs/writing-cases.md` shows what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.cases.discovery import corpus
from conformance.cases.models import CaseEntry, CaseFile
from conformance.cases.tensors import landmarks
from conformance.cases.tensors.generators import GENERATORS
from conformance.cases.validation import validate

PAGE = (corpus().parent / "docs" / "writing-cases.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_valid(tmp_path: Path, text: str) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(text)
    assert len(validate([path])) == (4 if "vary:" in text else 13 if "cover:" in text else 1)


def rows(title: str) -> set[str]:
    """The words in the first column of the table that follows a heading or a word."""
    table = re.search(rf"{title}.*?\n\n?(\|.*?)\n\n", PAGE, re.DOTALL)
    assert table is not None
    cells = [line.split("|")[1] for line in table[1].splitlines()[2:]]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_every_key_edge_and_generator_is_told() -> None:
    assert rows("## The keys of a file") == set(CaseFile.model_fields)
    assert rows("## The keys of a case") == set(CaseEntry.model_fields)
    assert rows("Edges") == set(landmarks.NAMES)
    assert rows("Generators") == set(GENERATORS)


def test_settings_of_generators_are_told_with_their_defaults() -> None:
    for name, model in GENERATORS.items():
        line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        told = dict(part.partition("=")[::2] for part in line.split("`")[3].replace(" ", "").split(","))
        wanted = {
            key: "" if field.is_required() else str(field.default).lower().removesuffix(".0")
            for key, field in model.model_fields.items()
        }
        assert told == wanted
