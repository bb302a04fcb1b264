"""What `report.write` writes: whole files, true to the run, with every text escaped."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from report.fabricate import BRACKETS, HOSTILE, SUBJECTS, fabricate, inputs_of
from report.page_columns import cells, unpacked
from rich.console import Console

from conformance.comparison.difference import Difference, diff
from conformance.comparison.files import terminal as show
from conformance.report import terminal, write
from conformance.report.badge import badge
from conformance.report.code_scanning.annotations import commands
from conformance.report.files import write_whole
from conformance.report.frames import light
from conformance.report.overview import overview_of
from conformance.report.table_data import carry, pack
from conformance.results.run import Run

FILES = {"report.html", "summary.md", "badge.svg", "results.sarif"}


@pytest.fixture(scope="module")
def run() -> Run:
    """A run with discrepancies, known deviations and hostile texts, and another one before it."""
    run = fabricate(2_000)
    run.arguments = inputs_of
    return run


def before(run: Run) -> Difference:
    """What changed since another made-up run."""
    return diff(fabricate(2_000, seed=2), run, elements=False)


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of its report."""
    folder = tmp_path_factory.mktemp("run")
    write(run, folder, difference=before(run))
    return folder


class Tags(HTMLParser):
    """Collects the elements of a page, and the attributes that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the tag, and what it would fetch or run."""
        self.tags.append(tag)
        for name, value in attrs:
            if name == "src" or name.startswith("on") or (tag == "link" and name == "href"):
                self.loads.append(f"{tag} {name}={value}")


class TestWrite:
    """`write` draws a run into a directory."""

    def test_writes_four_files_and_leaves_nothing_beside_them(self, written: Path) -> None:
        """The files that are written beside and renamed are gone."""
        assert {path.name for path in written.iterdir()} == FILES

    def test_the_page_loads_nothing(self, written: Path) -> None:
        """No element fetches or runs anything, whatever the texts of the run hold."""
        page = Tags()
        page.feed((written / "report.html").read_text(encoding="utf-8"))
        assert page.loads == ["link href=data:,"]
        assert "img" not in page.tags
        assert "iframe" not in page.tags

    def test_the_page_forbids_what_it_does_not_need(self, written: Path) -> None:
        """Its content security policy lets no address in."""
        text = (written / "report.html").read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
        assert policy is not None
        assert "default-src 'none'" in policy[1]
        assert "http" not in policy[1]

    def test_the_page_carries_the_whole_frame(self, run: Run, written: Path) -> None:
        """Every check, every column, to the last digit."""
        text = (written / "report.html").read_text(encoding="utf-8")
        data, codes = (unpacked(text, name) for name in ("checks", "checks-codes"))
        about = json.loads(data)
        assert about["rows"] == len(run.frame)
        carried = cells(about, codes)
        assert len(carried.pop("template")) == len(run.frame)  # of programs, which no table shows
        assert list(carried) == list(run.frame.columns)
        assert carried["message"] == run.frame["message"].tolist()
        errors = [
            None if pd.isna(value) else "inf" if value == float("inf") else value
            for value in run.frame["ulp_error"]
        ]
        assert carried["ulp_error"] == errors

    @pytest.mark.parametrize("name", sorted(FILES))
    def test_two_writes_are_the_same(self, run: Run, written: Path, tmp_path: Path, name: str) -> None:
        """The same run gives the same bytes."""
        write(run, tmp_path, difference=before(run))
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()

    def test_an_empty_run_is_drawn_too(self, tmp_path: Path) -> None:
        """A run without a single check says so."""
        empty = fabricate(2_000)
        write(Run(empty.frame.iloc[:0], {}, {}), tmp_path)
        assert "Nothing was checked." in (tmp_path / "summary.md").read_text(encoding="utf-8")

    def test_a_run_that_was_loaded_draws_the_same(self, run: Run, tmp_path: Path) -> None:
        """What the files hold is enough: a saved and loaded run gives the same summary."""
        from conformance.results.loading import load

        plain = fabricate(500)
        plain.frame["message"] = ""
        plain.save(tmp_path)
        loaded, kept = overview_of(load(tmp_path)).summary, overview_of(plain).summary
        assert (loaded.detail, loaded.counts, loaded.state) == (kept.detail, kept.counts, kept.state)


class TestWriteWhole:
    """`write_whole` lets no reader see half a file."""

    def test_a_reader_sees_old_or_new(self, tmp_path: Path) -> None:
        """While a file is written over and over, every read gives one whole text."""
        path = tmp_path / "file"
        texts = {letter * 200_000 for letter in "ab"}
        write_whole(path, min(texts))
        stop = time.monotonic() + 0.5

        def rewrite() -> None:
            while time.monotonic() < stop:
                for text in texts:
                    write_whole(path, text)

        writer = threading.Thread(target=rewrite)
        writer.start()
        while time.monotonic() < stop:
            assert path.read_text() in texts
        writer.join()

    def test_a_failure_leaves_nothing(self, tmp_path: Path) -> None:
        """What cannot be renamed into place is taken away again."""
        (tmp_path / "folder").mkdir()
        with pytest.raises(OSError, match="folder"):
            write_whole(tmp_path / "folder", "text")
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]


class TestPayload:
    """The data that the page carries."""

    def test_no_markup_can_be_written(self) -> None:
        """The packed text is of letters that end no element."""
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", pack("".join(HOSTILE).encode("utf-8", "replace")))

    def test_lone_surrogates_do_not_stop_it(self) -> None:
        """Text that is no Unicode is written with escapes."""
        assert unpacked(carry("one", "a\ud800b"), "one") == b"a\\ud800b"


class TestSummary:
    """summary.md fits a job summary."""

    def test_is_short_and_says_it_first(self, run: Run, written: Path) -> None:
        """The verdict is the first line; the whole stays far below GitHub's limit of one megabyte."""
        text = (written / "summary.md").read_text(encoding="utf-8")
        assert text.startswith("## ❌ This stack does not conform: ")
        assert len(text) < 20_000
        assert "`report.html`" in text

    def test_tables_stay_tables(self, written: Path) -> None:
        """No text of the run breaks a row, opens markup or addresses anyone."""
        text = (written / "summary.md").read_text(encoding="utf-8")
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {line.count("|") for line in block.splitlines()}
            assert len(widths) == 1, block
        for evil in ("<script", "<img", "<b>", "@"):
            assert evil not in text.replace("<details><summary>", "")


class TestBadge:
    """badge.svg says the verdict."""

    @pytest.mark.parametrize(("complete", "says"), [(True, "discrepancies"), (False, "discrepancies")])
    def test_is_an_image_with_a_name(self, complete: bool, says: str) -> None:
        """It is well-formed, and its accessible name is its text."""
        root = ElementTree.fromstring(badge(overview_of(fabricate(500, complete=complete)).summary))
        assert says in str(root.get("aria-label"))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert f"{texts[0]}: {texts[1]}" == root.get("aria-label")

    def test_counts_what_conforms_and_nothing_else(self) -> None:
        """What is known, of a textbook formulation or unsupported is no conforming check."""
        run = fabricate(2_000)
        frame = run.frame.drop(index=run.discrepancies().index)
        overview = overview_of(Run(frame, run.environment, run.frames))
        assert overview.summary.state == "conforms"
        conforming = int(frame["conforms"].fillna(False).sum())
        summary = replace(overview.summary, stale=())
        assert f">{conforming:,} checks conform<" in badge(summary)
        assert conforming < len(frame)
        assert ">1 check conforms<" in badge(replace(summary, conforming=1))
        assert f">{conforming:,} checks conform, 2 known gone<" in badge(replace(summary, stale=("a", "b")))


@pytest.fixture(scope="module")
def texts(run: Run, written: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What people read: each file of the run and of its difference, and what the terminal prints."""
    folder = tmp_path_factory.mktemp("diff")
    difference = diff(fabricate(2_000, seed=2), run)
    difference.save(folder)
    files = [written / "summary.md", written / "badge.svg", folder / "diff.md", folder / "diff.html"]
    out = {path.name: path.read_text(encoding="utf-8") for path in files}
    page = (written / "report.html").read_text(encoding="utf-8")
    out["report.html"] = page[: page.index("<footer")] + page[page.index("<footer") : page.index('id="data-')]
    for name, shown in (
        ("run", lambda one: terminal(run, one)),
        ("diff", lambda one: show(difference, one)),
    ):
        shown(Console(file=(stream := io.StringIO()), width=200))
        out[f"{name} in the terminal"] = stream.getvalue()
    out["annotations"] = "\n".join(commands(light(run.frame)))
    log = json.loads((written / "results.sarif").read_text(encoding="utf-8"))
    out["results.sarif"] = "\n".join(one["message"]["text"] for one in log["runs"][0]["results"])
    return out


class TestHostileTexts:
    """Control characters and turned lines are shown as signs, in every file and in the terminal."""

    MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

    def test_nothing_moves_a_cursor_or_turns_a_line(self, texts: dict[str, str]) -> None:
        """Neither the control characters of a message nor those of an id come through."""
        scripts = re.compile(r"<(script|style)[^>]*>.*?</\1>", re.DOTALL)
        for name, text in texts.items():
            found = self.MOVES.search(scripts.sub("", text))
            assert found is None, (name, found and text[max(0, found.start() - 60) : found.end() + 20])

    def test_they_are_shown(self, texts: dict[str, str]) -> None:
        """An escape is a sign for an escape, Hebrew is Hebrew, brackets are brackets."""
        assert "␛[31m red" in texts["report.html"]
        assert "שלום" in texts["report.html"]
        assert "&lt;U+202E&gt;txt.exe" in texts["report.html"]
        for name in ("report.html", "diff.html", "results.sarif", "annotations"):
            assert BRACKETS in texts[name], name

    def test_markup_stays_text(self, texts: dict[str, str]) -> None:
        """diff.html and diff.md open no element that a text of the run names."""
        page = Tags()
        page.feed(texts["diff.html"])
        assert page.loads == ["link href=data:,"]
        assert not {"img", "iframe", "b"} & set(page.tags)
        assert "<img" not in texts["diff.md"]
        assert "<script" not in texts["diff.md"]


class TestSubjects:
    """Every subject of the run is on the page."""

    def test_named_with_versions(self, written: Path) -> None:
        """The stack's table names each subject."""
        text = (written / "report.html").read_text(encoding="utf-8")
        for name in SUBJECTS:
            assert f'<th scope="row">{name}</th>' in text
