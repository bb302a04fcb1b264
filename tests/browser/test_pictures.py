"""The documentation's pictures can be taken of any report."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from report.fabricate import fabricate

DOCS = Path(__file__).parents[2] / "docs"


def test_every_picture_that_a_page_shows_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    make_pages = importlib.import_module("make_pages")
    pictures = make_pages.write_pictures(fabricate(2_000), tmp_path / "pictures")
    shown = {path.name for path in (DOCS / "pictures").iterdir()}
    assert {path.name for path in pictures} == shown
    for path in pictures:
        assert path.read_bytes().startswith(b"\x89PNG"), path
        assert path.stat().st_size > 10_000, path
