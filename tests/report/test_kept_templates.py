"""Templates that an earlier run compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

from conformance.report import pages


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the templates that were compiled."""
    names: list[str] = []
    whole = Environment.compile

    def seen(self: Environment, source: str, name: str, *more: object) -> object:
        names.append(name)
        return whole(self, source, name, *more)

    monkeypatch.setattr(Environment, "compile", seen)
    pages._environment.cache_clear()
    yield names
    pages._environment.cache_clear()


def test_a_template_is_compiled_once_for_all_runs(tmp_path: Path, compiled: list[str]) -> None:
    pages.compile_templates(tmp_path / "kept")
    assert "report.html" in compiled
    pages._environment.cache_clear()
    compiled.clear()
    pages.compile_templates(tmp_path / "kept")
    assert compiled == []


@pytest.mark.parametrize("damage", [b"", b"no bytecode", b"j2\x05\x00\x00\x00"])
def test_a_kept_template_that_is_damaged_is_compiled_again(
    tmp_path: Path, compiled: list[str], damage: bytes
) -> None:
    pages.compile_templates(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(damage or path.read_bytes()[:-9])
    pages._environment.cache_clear()
    compiled.clear()
    pages.compile_templates(tmp_path)
    assert "report.html" in compiled


def test_a_directory_that_cannot_be_written_is_done_without(tmp_path: Path, compiled: list[str]) -> None:
    (tmp_path / "file").write_text("")
    pages.compile_templates(tmp_path / "file")
    assert "report.html" in compiled
