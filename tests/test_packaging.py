"""What a wheel and a source distribution hold, and that the wheel alone does what a checkout does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FRAMEWORKS = {"torch", "tensorflow", "jax"}
SCHEMAS = {"schema.json", "known.schema.json"}
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def build(target: str, source: Path, directory: Path) -> Path:
    """Builds a distribution of the source tree and returns its file."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel's contents, as an installer lays them out."""
    directory = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def names(wheel: Path) -> set[str]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> Message:
    """The core metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def run_beside(site: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the directory, with the installed wheel before everything else."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def tracked(*folders: str) -> set[Path]:
    """The files of folders of this tree, but for what Python leaves there."""
    files = {path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts}


def checked_in() -> set[Path]:
    """What git tracks; in an unpacked source distribution, which has no git, its folders' files."""
    if not (ROOT / ".git").exists():
        return tracked(".ci", "benchmarks", "docs", "tests")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()}


def test_wheel_carries_every_case_and_every_part_of_the_package(wheel: Path) -> None:
    cases = {f"conformance/_cases/{path.relative_to('cases').as_posix()}" for path in tracked("cases")}
    code = {path.as_posix() for path in tracked("conformance")}
    assert cases
    assert {name for name in names(wheel) if ".dist-info/" not in name} == cases | code | {
        f"conformance/{name}" for name in SCHEMAS
    }


def test_type_checkers_are_told_that_the_package_has_types(wheel: Path) -> None:
    """PEP 561: without the marker they take every name of an installed package for Any."""
    assert "conformance/py.typed" in names(wheel)
    assert "Typing :: Typed" in metadata(wheel).get_all("Classifier")


def test_the_schemas_that_installed_case_files_name_are_installed(installed: Path) -> None:
    """An editor that opens a case of the wheel completes and checks it, as in a checkout."""
    files = sorted((installed / "conformance" / "_cases").rglob("*.yaml"))
    for file in files:
        named = MODELINE.match(file.read_text(encoding="utf-8"))
        assert named is None or (file.parent / named[1]).is_file(), file
    assert any(MODELINE.match(file.read_text(encoding="utf-8")) for file in files)
    for name in SCHEMAS:
        assert (installed / "conformance" / name).read_bytes() == (ROOT / name).read_bytes()


def test_metadata_names_what_users_depend_on(wheel: Path) -> None:
    facts = metadata(wheel)
    assert facts["Name"] == "loss-conformance"
    assert facts["Requires-Python"] == ">=3.11"
    assert facts["License-Expression"] == "Apache-2.0"
    assert {*FRAMEWORKS, "all", "test"} <= set(facts.get_all("Provides-Extra"))


def test_no_framework_is_installed_unless_asked_for(wheel: Path) -> None:
    always = [line for line in metadata(wheel).get_all("Requires-Dist") if "extra ==" not in line]
    assert always
    assert not [line for line in always if line.startswith(tuple(FRAMEWORKS))]


def test_environments_pin_every_package_exactly_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {Requirement(line).name for line in [*project["dependencies"], *extras["test"]]} | FRAMEWORKS
    text = (ROOT / "tox.ini").read_text(encoding="utf-8")
    pins = [
        line.split("==")[0].strip() for line in text.splitlines() if line.startswith("    ") and "==" in line
    ]
    assert wanted <= set(pins)
    assert len(pins) == len(set(pins))


def requirements(name: str) -> dict[str, str]:
    """A file of requirements: each `name==version` with what stands behind it."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return dict(line.split(" ", 1) for line in text.splitlines()[1:])


def test_every_pin_has_its_hashes_and_names_no_place() -> None:
    """constraints.txt is what `.ci/pin.py` makes of the pins; each file of a version has its hash."""
    entries, tools = requirements("constraints.txt"), requirements(".ci/tools.txt")
    pins = re.findall(r"^    ([\w.-]+==\S+)", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    assert {
        re.sub("[-_.]+", "-", pin.split("==")[0]).lower() + "==" + pin.split("==")[1] for pin in pins
    } <= set(entries)
    for name, hashes in [*entries.items(), *tools.items()]:
        assert re.fullmatch(r"( *--hash=sha256:\w{64})+", hashes), name


def test_continuous_integration_installs_pinned_tools_alone() -> None:
    """tox itself, what it needs, and what builds the package: all come before an environment has pins."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    installed = re.findall(r"^python3 -m pip install ([^#\n]+)", script, re.MULTILINE)
    assert [words.split() for words in installed] == [["-r", ".ci/tools.txt"]]
    assert {"tox", "tox-uv"} <= {name.split("==")[0] for name in requirements(".ci/tools.txt")}
    package = (
        (ROOT / "tox.ini").read_text(encoding="utf-8").partition("[testenv:.pkg]")[2].partition("\n[")[0]
    )
    assert "UV_CONSTRAINT = {tox_root}/constraints.txt" in package
    assert {"hatchling", "editables"} <= {name.split("==")[0] for name in requirements("constraints.txt")}


def test_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    built = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(built) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert {path for path in checked_in() if not (source / path).is_file()} == set()
    assert names(build("wheel", source, tmp_path / "again")) == names(wheel)


def test_installed_wheel_lists_the_corpus(installed: Path, tmp_path: Path) -> None:
    here = subprocess.run(
        [sys.executable, "-m", "conformance", "list", "cases"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    there = run_beside(installed, tmp_path, "-m", "conformance", "list", "cases")
    assert there.returncode == 0, there.stderr
    assert there.stdout == here.stdout


def test_installed_wheel_runs_a_case(installed: Path, tmp_path: Path) -> None:
    arguments = ("--subject", "numpy", "--operation", "sigmoid", "--dtype", "float32", "--output", "out")
    ran = run_beside(installed, tmp_path, "-m", "conformance", "run", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {"results.csv", "run.json", "report.html"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_pytest_loads_the_plugin_once_where_both_name_it(installed: Path, tmp_path: Path) -> None:
    """The root conftest.py of a checkout and the entry point of an installation name the same plugin."""
    arguments = ("-m", "pytest", "--help", "-p", "no:cacheprovider", "--rootdir", ".")
    alone = run_beside(installed, tmp_path, *arguments)
    (tmp_path / "conftest.py").write_text(
        (ROOT / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    both = run_beside(installed, tmp_path, *arguments)
    for ran in (alone, both):
        assert ran.returncode == 0, ran.stderr
        assert len(re.findall(r"^ *--subject\b", ran.stdout, re.MULTILINE)) == 1
