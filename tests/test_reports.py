"""The page of reports: each case, miniature, mode and convention that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.operations.conventions import CONVENTIONS
from conformance.subjects.subject import MODES

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "reports.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\[.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
NAMED = re.compile(r"\b(case|miniature|mode|convention) ((?:`[^`]+`(?:, )?)+)")
#: As https://github.com/OWNER/NAME/issues/1, with the text that a reader sees.
LINK = re.compile(r"\[([\w.-]*#\d+)\]\(https://github\.com/[\w.-]+/([\w.-]+)/(?:issues|pull)/(\d+)\)")


def named(kind: str) -> set[str]:
    return {
        name
        for _, _, cell in ROWS
        for found, names in NAMED.findall(cell)
        if found == kind
        for name in re.findall(r"`([^`]+)`", names)
    }


@pytest.mark.parametrize(
    ("report", "about", "shown"), ROWS, ids=[row[0].partition("]")[0][1:] for row in ROWS]
)
def test_report_has_links_and_says_what_shows_it_or_why_nothing_does(
    report: str, about: str, shown: str
) -> None:
    links = LINK.findall(report)
    assert ", ".join(f"[{text}]" for text, _, _ in links) == re.sub(r"\(\S+\)", "", report)
    for text, repository, number in links:
        name, _, shown_number = text.partition("#")
        assert shown_number == number
        assert name in ("", repository, repository.removesuffix("-nightly"))
    assert len(about) > 10
    assert NAMED.search(shown) or TEXT.index(report) > TEXT.index("## Not shown, and why")


def test_no_report_has_two_rows() -> None:
    addresses = re.findall(r"\((https://\S+)\)", TEXT)
    assert len(addresses) == len(set(addresses))
    assert len(ROWS) >= 50


def test_every_case_exists() -> None:
    assert named("case") - {case.id for case in load_cases()} == set()


def test_every_miniature_exists() -> None:
    folder = ROOT / "tests" / "miniatures"
    text = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    assert named("miniature") - set(re.findall(r"^def (\w+)\(", text, re.MULTILINE)) == set()


def test_every_mode_and_convention_exists() -> None:
    modes = {f"{framework}:{mode}" for framework, names in MODES.items() for mode in names}
    assert named("mode") - modes == set()
    assert named("convention") == set(CONVENTIONS)
