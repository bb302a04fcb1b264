"""The pages that show a run are written whole from one stored run, and refuse none that is complete."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import conformance
from conformance.results.run import Run

ROOT = Path(__file__).parents[1]
CAPTION = re.compile(r"of run `(\w+)` \((\d{4}-\d\d-\d\d)")


@pytest.fixture
def make_pages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, which finds its parts in its own folder."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("make_pages")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run of the corpus that meets a known deviation, and one that is no longer called known."""
    folder = tmp_path_factory.mktemp("run")
    made = conformance.run(
        [str(ROOT / "cases" / "extreme" / "infinities.yaml")],
        subjects=["numpy"],
        operations=["cross_entropy", "nll_loss"],
        dtypes=["float32"],
        output=str(folder),
    )
    rows = made.known()
    assert rows["known"].nunique() > 1
    made.frame.loc[made.frame["known"].eq(rows["known"].iloc[0]), "known"] = ""
    return made


def test_findings_are_written_whole_and_discrepancies_are_shown(
    make_pages: ModuleType, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "findings").mkdir()
    (tmp_path / "findings" / "gone.md").write_text("a finding of another run")
    index, *pages = make_pages.make_findings.write(run, tmp_path)
    text = index.read_text(encoding="utf-8")
    assert f"run `{run.environment['id']}` of {run.environment['started'][:10]}" in text
    assert "## Discrepancies of this run" in text
    assert set(pages) == set((tmp_path / "findings").iterdir())
    assert pages
    assert all(f"(findings/{page.name})" in text for page in pages)


def test_captions_name_the_run(make_pages: ModuleType, run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in make_pages.CAPTIONED:
        shutil.copy(ROOT / name, tmp_path / name)
    make_pages.write_captions(run, tmp_path)
    for name in make_pages.CAPTIONED:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert CAPTION.findall(text) == [(run.environment["id"], run.environment["started"][:10])]
    (tmp_path / "README.md").write_text("no picture")
    with pytest.raises(SystemExit, match=r"README\.md: 0 captions"):
        make_pages.write_captions(run, tmp_path)


def test_pictures_of_all_pages_are_of_one_run() -> None:
    captions = [CAPTION.findall((ROOT / name).read_text()) for name in ("README.md", "docs/report.md")]
    assert captions[0]
    assert captions[0] == captions[1]
