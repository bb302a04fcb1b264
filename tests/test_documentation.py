"""What the documentation promises is there: commands, links, verdicts, public names."""

from __future__ import annotations

import doctest
import re
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import conformance

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "reports" / "README.md"])
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
TREE_PATH = re.compile(r"`((?:conformance|tests|docs|cases|benchmarks|\.ci)/[\w./*-]*)`")
MODULES = [
    path.as_posix()
    for room in ("conformance", "tests", "docs", "benchmarks")
    for path in (ROOT / room).rglob("*.py")
]
WAY = re.compile(r"^\| (\d+) \| `(conformance/[^`]+)` \| .{20,} \|", re.MULTILINE)
WHEEL_ONLY = {"conformance/_cases"}  # paths that are made when the package is built
READERS_OWN = {"conformance_pocket.py", "focal.py", "kernels.py"}  # files that a page has its reader write


@pytest.mark.parametrize("environment", ["report", "test"])
def test_readme_gives_one_command_for_the_report_and_one_for_the_tests(environment: str) -> None:
    assert README.splitlines().count(f"python3 -m pip install tox && tox run -e {environment}") == 1


def test_readme_lists_every_command() -> None:
    from conformance.cli import cli

    rows = set(re.findall(r"^\| `conformance (\w+)", README, flags=re.MULTILINE))
    assert rows == set(cli.commands)


def test_readme_explains_every_verdict() -> None:
    from conformance.report.verdicts import LOOKS

    section = README.partition("## Verdicts")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    explained = {word for row in rows for word in row.split("`")}
    assert {look.name for look in LOOKS} - {"not run"} <= explained


def test_readme_uses_public_names_only() -> None:
    used = set(re.findall(r"conformance\.([a-z_]\w*)\(", README))
    assert used
    assert used <= set(conformance.__all__)


def test_readme_session_prints_what_it_shows() -> None:
    (session,) = re.findall(r"```pycon\n(.*?)```", README, flags=re.DOTALL)
    example = doctest.DocTestParser().get_doctest(session, {}, "README.md", None, None)
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_of_the_tree_exist(page: Path) -> None:
    """A part in capitals, as `conformance/adapters/FRAMEWORK/`, stands for any name."""
    text = page.read_text(encoding="utf-8")
    paths = set(TREE_PATH.findall(text)) - WHEEL_ONLY
    patterns = {path: re.sub(r"\b[A-Z]{2,}\b", "*", path).rstrip("/") for path in paths}
    assert [path for path, pattern in patterns.items() if not any(ROOT.glob(pattern))] == []
    modules = set(re.findall(r"`([\w/]+\.py)`", text)) - paths - READERS_OWN  # named by last parts
    assert [module for module in modules if not any(path.endswith(f"/{module}") for path in MODULES)] == []


def test_glossary_explains_every_word_in_one_row() -> None:
    rows = re.findall(r"^\| ([a-z]+) \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word, meaning in rows if len(meaning) >= 40]
    assert len(words) == len(set(words))
    assert set(words) == {
        *(
            "operation",
            "formulation",
            "case",
            "group",
            "program",
            "quantity",
            "subject",
            "variant",
            "adapter",
        ),
        *("check", "observation", "exact", "bound", "attainable", "relation", "identity", "equivalence"),
        *("breakpoint", "known", "upstream", "run", "formula", "discrepancy", "sweep", "convention"),
        *("control", "inherited", "misfit", "feature", "cause", "harm"),
        *("mode", "ulp", "corpus", "profile", "stack", "miniature"),
    }


def test_drawing_of_the_rooms_has_every_room_and_arrows_that_run_down() -> None:
    (drawing,) = re.findall(r"```mermaid\n(.*?)```", ARCHITECTURE, flags=re.DOTALL)
    arrows = re.findall(r"^\s+(\w+)(?:\[.*?\])? --> (\w+)", drawing, re.MULTILINE)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [path.parent.name for path in (ROOT / "conformance").glob("*/__init__.py")]
    assert {room for arrow in arrows for room in arrow} == {"doors", *rooms}
    heights = {"doors": -1, **{room: layers.index(room) for room in rooms}}
    assert [arrow for arrow in arrows if heights[arrow[0]] >= heights[arrow[1]]] == []


def test_way_of_a_check_passes_at_most_fifteen_files() -> None:
    rows = WAY.findall(ARCHITECTURE)
    assert [int(number) for number, _ in rows] == [*range(1, len(rows) + 1)]
    assert 10 <= len({path for _, path in rows}) == len(rows) <= 15
    assert [path for _, path in rows if not (ROOT / path).is_file()] == []


def test_way_of_a_check_is_the_way_that_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty cache, or nothing would be parsed and computed; adapters run in another process."""
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
    entered: set[str] = set()
    threading.setprofile(lambda frame, _event, _argument: entered.add(frame.f_code.co_filename))
    sys.setprofile(lambda frame, _event, _argument: entered.add(frame.f_code.co_filename))
    try:
        case_file = ROOT / "cases" / "seeds" / "000_4dde878f34a0f263.yaml"
        conformance.run([case_file], subjects=["numpy"], dtypes=["float32"], output=tmp_path / "run")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    here = [path for _, path in WAY.findall(ARCHITECTURE) if not path.startswith("conformance/adapters")]
    assert [path for path in here if str(ROOT / path) not in entered] == []


def test_ten_questions_are_answered_by_files() -> None:
    questions = re.findall(r"^(\d+)\. \*\*([^*]+\?)\*\*((?: .*\n?)+)", ARCHITECTURE, re.MULTILINE)
    assert [int(number) for number, _, _ in questions] == [*range(1, 11)]
    assert [question for _, question, answer in questions if not TREE_PATH.search(answer)] == []


def test_every_finding_has_its_page_and_every_page_its_row() -> None:
    docs = ROOT / "docs"
    rows = re.findall(
        r"^\| \w+ \| \[.+\]\((findings/[^)]+)\) \|", (docs / "findings.md").read_text(), re.MULTILINE
    )
    assert len(rows) == len(set(rows)) >= 25
    assert set(rows) == {page.relative_to(docs).as_posix() for page in (docs / "findings").iterdir()}


def test_index_of_the_documentation_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(LINK.findall(index))


def test_every_option_that_the_documentation_shows_is_there() -> None:
    from conformance.cli import cli

    known = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in cli.commands.items()
    }
    shown = [
        (page.name, command, option)
        for page in PAGES
        for command, rest in re.findall(r"\bconformance (\w+)\b([^`\n|]*)", page.read_text(encoding="utf-8"))
        if command in known
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest)
    ]
    assert len({command for _, command, _ in shown}) >= 3
    assert [one for one in shown if one[2] not in known[one[1]]] == []


def test_the_table_of_the_actions_inputs_is_the_actions_own() -> None:
    action = YAML(typ="safe").load((ROOT / "action.yml").read_text(encoding="utf-8"))
    section = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition("| input |")[2]
    section, _, after = section.partition("\n\n")
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}
    assert told == set(action["inputs"])
    for row in rows:
        default = re.fullmatch(r" `([^`]+)` ", row.split("|")[2])
        for name in re.findall(r"`([\w-]+)`", row.split("|")[1]):
            assert action["inputs"][name]["default"] == (default[1] if default else ""), name
    assert set(re.findall(r"`([\w-]+)`", after.partition("\n\n")[0])) == set(action["outputs"])
