"""`known.yaml`: a deviation described once belongs to the cases that show it, and to no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.deviations import Check, matches
from conformance.cases.loader import load_cases
from conformance.errors import CaseError

CASES = """
source: tests
cases:
  - id: one
    operation: softmax
    inputs: {x: [1, 2]}
    why: shows the deviation
  - id: other
    operation: softmax
    inputs: {x: [1, 3]}
    why: does not
"""
ENTRY = """
known:
  - id: a-deviation
    operation: softmax
    cases: [one]
    subject: torch*
    reason: returns something else
    source: a link
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of cases with a known.yaml above it."""
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme" / "cases.yaml").write_text(CASES)
    return tmp_path


def test_belongs_to_the_cases_it_names(folder: Path) -> None:
    """The entry reaches the case it names, from a folder above, and no other case."""
    (folder / "known.yaml").write_text(ENTRY)
    known = {case.id: [entry.reason for entry in case.known] for case in load_cases([folder / "theme"])}
    assert known == {"one": ["returns something else"], "other": []}


@pytest.mark.parametrize(
    ("processor", "known"),
    [
        ("", True),
        ("avx512f", True),
        ("avx512f, not avx512_fp16", True),
        ("not avx512_fp16", True),
        ("avx512_fp16", False),
        ("not avx512f", False),
        ("avx512f, not avx2", False),
    ],
)
def test_a_processor_has_and_lacks_what_is_named(folder: Path, processor: str, known: bool) -> None:
    """All that is named must hold of the processor that the subject ran on."""
    (folder / "known.yaml").write_text(f"{ENTRY}    processor: '{processor}'\n")
    (entry,) = load_cases([folder / "theme"])[0].known
    flags = frozenset({"avx2", "avx512f"})
    assert matches(entry, Check(("torch",), "float32", "functional", "value", "2.13.0", flags)) is known


def test_several_files_of_a_folder_are_read(folder: Path) -> None:
    """`modes.known.yaml` stands beside `known.yaml`, and is no case file."""
    (folder / "known.yaml").write_text(ENTRY)
    (folder / "theme" / "modes.known.yaml").write_text(ENTRY.replace("something else", "something of a mode"))
    known = {case.id: [entry.reason for entry in case.known] for case in load_cases([folder])}
    assert known == {"one": ["returns something else", "returns something of a mode"], "other": []}


def test_other_operations_are_not_meant(folder: Path) -> None:
    """An entry speaks of one operation only."""
    (folder / "known.yaml").write_text(ENTRY.replace("operation: softmax", "operation: sigmoid"))
    assert not any(case.known for case in load_cases([folder / "theme"]))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("operation: softmax", "operation: softmix", "did you mean 'softmax'?"),
        ("subject: torch*", "subject: torsch*", "no subject is like 'torsch*'"),
        ("subject: torch*", "subject: torch*\n    processor: avx513", "no instruction set is 'avx513'"),
        ("    source: a link\n", "", "the key `source` is missing"),
        ("cases: [one]", "cases: []", "known.yaml:5"),
    ],
)
def test_faults_are_told_with_their_place(folder: Path, old: str, new: str, said: str) -> None:
    """A malformed entry is one clear line."""
    (folder / "known.yaml").write_text(ENTRY.replace(old, new))
    with pytest.raises(CaseError, match=r"known\.yaml:") as raised:
        load_cases([folder / "theme"])
    assert said in str(raised.value)


def test_an_entry_that_nothing_shows_is_a_fault(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Over the whole corpus each entry must fit a check."""
    (folder / "known.yaml").write_text(ENTRY.replace("[one]", "[three]"))
    monkeypatch.setattr("conformance.cases.loader.corpus", lambda: folder)
    with pytest.raises(CaseError, match="a-deviation fits no check of any case"):
        load_cases(None)


def test_a_corpus_is_read_as_far_as_an_operation_needs_it(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """What fits no case of an operation that is not read is none of this reading's faults."""
    (folder / "known.yaml").write_text(ENTRY.replace("[one]", "[three]"))
    monkeypatch.setattr("conformance.cases.loader.corpus", lambda: folder)
    assert load_cases(None, operations=("sigmoid",)) == []
    with pytest.raises(CaseError, match="a-deviation fits no check of any case"):
        load_cases(None, operations=("softmax",))
