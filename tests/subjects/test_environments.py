from __future__ import annotations

import datetime
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.errors import SubjectError
from conformance.subjects import environments, packages, pythons
from conformance.subjects.environments import interpreter, provide
from conformance.subjects.packages import Release, UnresolvedError
from conformance.subjects.pythons import Python
from conformance.subjects.subject import parse

DAY = datetime.datetime(2021, 10, 21, tzinfo=datetime.UTC)
OWN = Python(sys.executable, (sys.version_info[0], sys.version_info[1], sys.version_info[2]))


def silent(_: str) -> None:
    """Takes a note."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
    return tmp_path / "environments"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> dict[str, Release]:
    """An index of our own: name and version -> release; every set of pins resolves to itself."""
    there = {
        "torch 1.10.0": Release("torch", "1.10.0", ((3, 6), (3, 7), (3, 8), (3, 9)), DAY),
        "torch 1.11.0": Release("torch", "1.11.0", ((3, 7), (3, 8), (3, 9), (3, 10)), DAY),
        "torch 1.3.0": Release("torch", "1.3.0", ((2, 7), (3, 5), (3, 6), (3, 7)), DAY),
        "jax 0.4.33": Release("jax", "0.4.33", (), DAY),
        "jaxlib 0.4.33": Release("jaxlib", "0.4.33", ((3, 10), (3, 11)), DAY),
        "tensorflow 2.3.0": Release("tensorflow", "2.3.0", ((3, 8),), DAY),
        "tensorflow-cpu 2.4.0": Release("tensorflow-cpu", "2.4.0", ((3, 8),), DAY),
        "tensorflow 2.4.0": Release("tensorflow", "2.4.0", ((3, 8),), DAY),
        "numpy 1.26.4": Release("numpy", "1.26.4", (), DAY),
    }
    monkeypatch.setattr(packages, "release", lambda name, version: there.get(f"{name} {version}"))
    monkeypatch.setattr(packages, "resolve", lambda requirements, *_: "\n".join(requirements))
    return there


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments that were installed, by folder: each is this process's own interpreter."""
    done: list[str] = []

    def install(recipe: object, python: Python, lock: str, place: Path) -> None:
        (place / "bin").mkdir(parents=True)
        time.sleep(0.3)  # Long enough for another builder to come along.
        start = place / "bin" / "python"
        start.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
        start.chmod(0o755)
        done.append(place.name)

    monkeypatch.setattr(environments, "_install", install)
    return done


def machine(monkeypatch: pytest.MonkeyPatch, *minors: tuple[int, int]) -> None:
    there = [Python(f"/python{a}.{b}", (a, b, 1)) for a, b in minors]
    monkeypatch.setattr(pythons, "found", lambda: there)


def test_a_missing_python_is_named_with_those_that_would_do(
    cache: Path, index: dict[str, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, (3, 11), (3, 13))
    with pytest.raises(SubjectError) as caught:
        interpreter(["torch==1.10.0"], silent)
    assert str(caught.value) == "no Python 3.9 found; torch 1.10.0 has wheels for 3.6 to 3.9"


def test_a_release_older_than_any_worker_says_so(cache: Path, index: dict[str, Release]) -> None:
    with pytest.raises(
        SubjectError, match=r"torch 1.3.0 has wheels for 2.7 to 3.7; a worker needs Python 3.8"
    ):
        interpreter(["torch==1.3.0"], silent)


def test_a_release_that_does_not_exist_is_named(cache: Path, index: dict[str, Release]) -> None:
    with pytest.raises(SubjectError, match=r"there is no torch 9.9 on the package index"):
        interpreter(["torch==9.9"], silent)


def test_the_compiled_part_decides_which_python_serves_jax(
    cache: Path, index: dict[str, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, (3, 13))
    with pytest.raises(
        SubjectError, match=r"no Python 3.11 found; jaxlib 0.4.33 has wheels for 3.10 to 3.11"
    ):
        interpreter(["jax==0.4.33"], silent)


def test_tensorflow_comes_without_gpu_code_where_that_exists(cache: Path, index: dict[str, Release]) -> None:
    small, full = (environments._Recipe.of([f"tensorflow=={version}"]) for version in ("2.4.0", "2.3.0"))
    assert small.requirements[0] == "tensorflow-cpu==2.4.0"
    assert full.requirements[0] == "tensorflow==2.3.0"
    assert "protobuf<3.21" in small.constraints


def test_old_torch_gets_the_companions_of_its_time(cache: Path, index: dict[str, Release]) -> None:
    recipe = environments._Recipe.of(["torch==1.10.0", "numpy==1.21.6"])
    assert {"torch==1.10.0", "numpy==1.21.6", "setuptools"} <= set(recipe.requirements)
    assert {"numpy<2", "setuptools<70"} <= set(recipe.constraints)
    assert recipe.before == DAY + datetime.timedelta(weeks=6)


def test_pins_of_one_framework_share_a_python(
    cache: Path, index: dict[str, Release], installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, (3, 10), (3, 9), (3, 8))
    monkeypatch.setattr(environments, "_check", lambda *_: None)
    provide([parse("torch==1.10.0"), parse("torch==1.11.0"), parse("torch==1.11.0:compile")], silent)
    records = [json.loads(path.read_text("utf-8")) for path in cache.glob("*/environment.json")]
    assert [record["python"] for record in records] == ["3.9.1", "3.9.1"]


def test_an_environment_is_built_once_and_used_again(
    cache: Path, index: dict[str, Release], installs: list[str]
) -> None:
    first = interpreter(["numpy==1.26.4"], silent, OWN)
    assert interpreter(["numpy==1.26.4"], silent, OWN) == first
    assert len(installs) == 1
    assert Path(first).is_relative_to(cache)
    assert not list(cache.glob("*.new"))


def test_a_half_built_or_broken_environment_is_built_again(
    cache: Path, index: dict[str, Release], installs: list[str]
) -> None:
    path = Path(interpreter(["numpy==1.26.4"], silent, OWN))
    path.parents[1].joinpath("environment.json").unlink()
    assert interpreter(["numpy==1.26.4"], silent, OWN) == str(path)
    path.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    assert interpreter(["numpy==1.26.4"], silent, OWN) == str(path)
    assert len(installs) == 3


def test_what_was_left_by_a_builder_that_died_is_no_obstacle(
    cache: Path, index: dict[str, Release], installs: list[str]
) -> None:
    recipe = environments._Recipe.of(["numpy==1.26.4"])
    (cache / f"{recipe.digest(OWN)}.new" / "bin").mkdir(parents=True)
    assert Path(interpreter(["numpy==1.26.4"], silent, OWN)).is_file()


def test_builders_at_the_same_time_build_once(
    cache: Path, index: dict[str, Release], installs: list[str]
) -> None:
    found: list[str] = []
    notes: list[str] = []
    builders = [
        threading.Thread(target=lambda: found.append(interpreter(["numpy==1.26.4"], notes.append, OWN)))
        for _ in range(4)
    ]
    for one in builders:
        one.start()
    for one in builders:
        one.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert len(installs) == 1
    assert "waiting for another process that builds numpy 1.26.4" in notes


def test_a_failed_build_leaves_nothing_that_looks_whole(
    cache: Path, index: dict[str, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SubjectError("the disk is full")

    monkeypatch.setattr(environments, "_install", full)
    with pytest.raises(SubjectError, match="the disk is full"):
        interpreter(["numpy==1.26.4"], silent, OWN)
    assert not list(cache.glob("*/environment.json"))


def test_what_does_not_import_is_no_environment(
    cache: Path, index: dict[str, Release], installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Release("nothing_at_all", "1.0", (), DAY)
    monkeypatch.setattr(packages, "release", lambda *_: there)
    with pytest.raises(
        SubjectError, match=r"nothing_at_all 1.0 on Python .* does not import: ModuleNotFoundError"
    ):
        interpreter(["nothing_at_all==1.0"], silent, OWN)
    assert not list(cache.glob("*/environment.json"))


def test_pins_that_contradict_each_other_say_why(
    cache: Path, index: dict[str, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise UnresolvedError("because of this and that")

    monkeypatch.setattr(packages, "resolve", refuse)
    with pytest.raises(SubjectError, match=r"numpy 1.26.4 with scipy 0.1 cannot be had on .*: because"):
        interpreter(["numpy==1.26.4", "scipy==0.1"], silent, OWN)


def test_the_machines_pythons_answer_and_the_own_version_comes_first() -> None:
    there = pythons.found()
    assert there[0].minor == sys.version_info[:2]
    rest = [python.version for python in there[1:]]
    assert rest == sorted(rest, reverse=True)
    for python in there:
        done = subprocess.run([python.path, "-V"], capture_output=True, text=True, check=True)
        assert done.stdout.split()[1].startswith(pythons.show(python.minor))


def test_pyenvs_pythons_are_found_by_their_folder_not_by_their_shims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims, own = tmp_path / "shims", tmp_path / "versions" / "3.11.99" / "bin"
    for folder, text in ((shims, "exit 127"), (own, f'exec "{sys.executable}" "$@"')):
        folder.mkdir(parents=True)
        (folder / "python3").write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (folder / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", str(shims))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    candidates = list(pythons._candidates())
    assert own / "python3" in candidates
    assert not any(path.is_relative_to(shims) for path in candidates)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "error: Request failed\n  cause: error sending request for url\n  cause: dns error",
            "the package index cannot be reached (dns error); check the network, or name a folder of wheels",
        ),
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        ("error: something else\nlast words", "uv failed: error: something else | last words"),
        ("", "uv failed: without a word"),
    ],
)
def test_what_uv_says_becomes_one_line(said: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    text = str(packages._fault(said))
    assert text.startswith(told)
    assert "\n" not in text


def test_wheels_are_read_for_this_machine_alone() -> None:
    platforms = frozenset({"manylinux1_x86_64", "any"})
    assert packages._pythons("torch-1.10.0-cp39-cp39-manylinux1_x86_64.whl", platforms) == {(3, 9)}
    assert packages._pythons("torch-1.10.0-cp39-cp39-win_amd64.whl", platforms) == set()
    assert packages._pythons("jax-0.4.33-py3-none-any.whl", platforms) == {(0, 0)}
    assert packages._pythons("a-1.0-cp312-abi3-manylinux1_x86_64.whl", platforms) == {
        (3, 12),
        (3, 13),
        (3, 14),
    }
    assert packages._pythons("torch-2.13.0%2Bcpu-cp311-cp311-manylinux1_x86_64.whl", platforms) == {(3, 11)}
    assert packages._pythons("torch-2.13.0-cp314-cp314t-manylinux1_x86_64.whl", platforms) == set()


def test_a_release_that_is_source_alone_has_its_date() -> None:
    source = {"url": "https://index/jax-0.4.13.tar.gz", "upload-time": DAY}
    there = packages._read("jax", "0.4.13", {"packages": [{"name": "jax", "sdist": source}]})
    assert there == Release("jax", "0.4.13", (), DAY)
    assert "jax" not in environments.WHEELS
    assert "jaxlib" in environments.WHEELS


def test_what_is_pinned_is_taken_whatever_its_date(cache: Path, index: dict[str, Release]) -> None:
    recipe = environments._Recipe.of(["jax==0.4.33", "numpy==2.1.0"])
    assert recipe.dateless == ("jax", "jaxlib", "numpy")
    options = packages.exclusions(["numpy"], DAY, recipe.dateless)
    assert options[:4] == ["--only-binary", "numpy", "--exclude-newer", "2021-10-21T00:00:00Z"]
    exempt = [text.split("=") for text in options[5::2]]
    assert [name for name, _ in exempt] == ["jax", "jaxlib", "numpy"]
    assert all(moment > "2021-10-22" for _, moment in exempt)
    assert packages.exclusions([], None, recipe.dateless) == []


def test_pips_wheels_serve_where_uvs_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    assert packages._environment()["UV_FIND_LINKS"] == "/a,/b"
    monkeypatch.setenv("UV_FIND_LINKS", "/c")
    assert packages._environment()["UV_FIND_LINKS"] == "/c"
    assert packages._environment()["UV_PYTHON_DOWNLOADS"] == "never"


def test_without_a_network_the_call_ends_with_one_line_and_2(tmp_path: Path) -> None:
    environment: dict[str, str] = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CONFORMANCE_CACHE": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    done = conformance(["run", "--subject", "torch==1.10.0", "--output", str(tmp_path / "out")], environment)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("conformance: the package index cannot be reached (")


def conformance(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
