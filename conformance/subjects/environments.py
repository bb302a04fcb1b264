"""Environments of pins: an interpreter built with uv on a Python of this machine, kept, and used again.

An environment lives under the cache directory by the digest of its pins and its Python. It is built beside
its folder and renamed, under a lock: whoever looks sees a whole one or none.
"""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.adapters.description import VersionRule
from conformance.adapters.registry import FRAMEWORKS, description
from conformance.caches import cache_directory
from conformance.errors import SubjectError
from conformance.subjects import packages, pythons
from conformance.subjects.packages import Release, UnresolvedError
from conformance.subjects.pythons import Python
from conformance.subjects.subject import Subject

Note = Callable[[str], None]

#: Raised when environments that were built before no longer serve.
RECIPE = 1
#: Companions are those of this long after the framework's release: the versions that it was used with.
COMPANIONS_UNTIL = datetime.timedelta(weeks=6)
#: The oldest NumPy that a worker runs on; TensorFlow 2.3 refuses 1.19.
NUMPY = "numpy>=1.18"
#: By then NumPy 1.19 was out, and most packages had wheels for Python 3.8.
EARLIEST = datetime.datetime(2020, 10, 1, tzinfo=datetime.UTC)
#: Companions that are taken as wheels only, beside what the frameworks' descriptions name.
COMPANION_WHEELS = ("scipy", "ml-dtypes", "h5py", "grpcio")
#: Taken as wheels only: built from source they would take hours, or a compiler.
WHEELS = (*COMPANION_WHEELS, *(name for each in FRAMEWORKS for name in description(each).wheels))
_RECORD = "environment.json"
#: Between two signs of life while packages come down.
NOTE_SECONDS = 20.0


def provide(subjects: Sequence[Subject], note: Note, python: str | None = None) -> list[Subject]:
    """The subjects, each pinned one with the interpreter of its environment, built where missing.

    Subjects of one framework share a Python where one serves them all, so that the framework alone differs.

    Args:
        subjects: The subjects, pinned or not.
        note: What is told that an environment is built.
        python: The path of the Python to build on; None for the machine's that serves best.

    Raises:
        SubjectError: No Python, no such release, no network.
    """
    bases: dict[str, Python | None] = {}
    pinned = [subject for subject in subjects if subject.pins and not subject.remote]
    for framework in dict.fromkeys(subject.framework for subject in pinned):
        all_pins = list(dict.fromkeys(each.pins for each in pinned if each.framework == framework))
        bases[framework] = pythons.at(python) if python else _shared(all_pins, note)
    ready: dict[tuple[str, ...], str] = {}
    for subject in pinned:
        if subject.pins not in ready:
            ready[subject.pins] = interpreter(subject.pins, note, bases[subject.framework])
    clean = {"PYTHONPATH": "", "PYTHONHOME": ""}  # what they name is made for another Python
    return [
        dataclasses.replace(each, python=ready[each.pins], environment={**clean, **each.environment})
        if each.pins and not each.remote
        else each
        for each in subjects
    ]


def interpreter(pins: Sequence[str], note: Note, python: Python | None = None) -> str:
    """The path of an interpreter that has the pins.

    Args:
        pins: Exact versions, the framework's first: ``torch==1.10.0``, ``numpy==1.21.6``.
        note: What is told that an environment is built.
        python: The Python to build on; None: the machine's are tried, this process's version first, then
            newest to oldest.

    Raises:
        SubjectError: No Python, no such release, no network.
    """
    recipe = _Recipe.of(pins)
    bases = [python] if python else recipe.bases()
    for base in bases:
        built = _built_before(recipe, base)
        if built:
            return built
    refusal: UnresolvedError | None = None
    for base in bases:
        try:
            lock = recipe.resolve(base)
        except UnresolvedError as error:
            refusal = refusal or error
        else:
            return _build(recipe, base, lock, note)
    raise SubjectError(f"{recipe.title} cannot be had on Python {bases[0].text}: {refusal}")


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """Everything that decides what is installed for some pins."""

    pins: tuple[str, ...]
    framework: str
    main: Release
    compiled: Release
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]

    @staticmethod
    def of(pins: Sequence[str]) -> _Recipe:
        """The recipe of pins, the framework's first; SubjectError where the index has no such release."""
        framework, version = pins[0].split("==")
        main = _release(framework, version)
        if main is None:
            raise SubjectError(f"there is no {framework} {version} on the package index")
        described, compiled = description(framework), main
        if described.compiled_distribution:
            name = described.compiled_distribution
            compiled = _release(name, _pinned(pins, name) or version) or main
        always, limits = (
            _applying(rules, version) for rules in (described.requirements, described.constraints)
        )
        requirements = (f"{main.name}{described.extras}=={main.version}", *pins[1:], NUMPY, *always)
        return _Recipe(tuple(pins), framework, main, compiled, requirements, limits)

    @property
    def title(self) -> str:
        """The pins as a person reads them."""
        return " with ".join(pin.replace("==", " ") for pin in self.pins)

    @property
    def before(self) -> datetime.datetime | None:
        """The date that companions must be older than; None where the index tells no dates."""
        if self.main.uploaded is None:
            return None
        return max(self.main.uploaded + COMPANIONS_UNTIL, EARLIEST)

    @property
    def dateless(self) -> tuple[str, ...]:
        """What is pinned, by name: it is taken whatever its date."""
        names = [self.main.name, self.compiled.name, *(pin.split("==")[0] for pin in self.pins)]
        return tuple(dict.fromkeys(names))

    def bases(self) -> list[Python]:
        """The machine's Pythons that the wheels serve, best first; SubjectError without any."""
        here = pythons.found()
        served = self.compiled.pythons
        fitting = [python for python in here if not served or python.minor in served]
        if fitting:
            return fitting
        what = f"{self.compiled.name} {self.compiled.version} has wheels for {_span(served)}"
        if served and served[-1] < pythons.OLDEST:
            raise SubjectError(f"{what}; a worker needs Python {pythons.show(pythons.OLDEST)} or newer")
        wanted = f"Python {pythons.show(served[-1])}" if served else "Python"
        raise SubjectError(f"no {wanted} found; {what}")

    def resolve(self, python: Python) -> str:
        """The exact packages, a line each."""
        return packages.resolve(
            self.requirements, self.constraints, WHEELS, python, self.before, self.dateless
        )

    def digest(self, python: Python) -> str:
        """The name of the environment's folder."""
        wanted = [sorted(self.pins), self.requirements, self.constraints, str(self.before)]
        parts = [RECIPE, wanted, python.text, platform.system(), platform.machine()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def _shared(all_pins: Sequence[tuple[str, ...]], note: Note) -> Python | None:
    """A Python on which each of several sets of pins can be had; None where each must find its own."""
    if len(all_pins) < 2:
        return None
    recipes = [_Recipe.of(pins) for pins in all_pins]
    first, *others = [recipe.bases() for recipe in recipes]
    common = [python for python in first if all(python in bases for bases in others)]
    for python in common:
        if all(_built_before(recipe, python) for recipe in recipes):
            return python
    for python in common:
        try:
            for recipe in recipes:
                if not _built_before(recipe, python):
                    recipe.resolve(python)
        except UnresolvedError:
            continue
        return python
    note("no Python serves all of " + ", ".join(recipe.title for recipe in recipes) + ": each gets its own")
    return None


def _folder() -> Path:
    return cache_directory() / "environments"


def _release(framework: str, version: str) -> Release | None:
    """A framework's release, from the record of an earlier question or from the index."""
    record = _folder() / "releases" / f"{framework}-{version}.json"
    try:
        stored = json.loads(record.read_text("utf-8"))
        uploaded = datetime.datetime.fromisoformat(stored["uploaded"]) if stored["uploaded"] else None
        minors = tuple((major, minor) for major, minor in stored["pythons"])
        return Release(stored["name"], stored["version"], minors, uploaded)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    release, refusal = None, None
    for name in description(framework).distributions or (framework,):
        try:
            release = release or packages.release(name, version)
        except SubjectError as error:
            refusal = error
    if release is None:
        if refusal is not None:
            raise refusal
        return None
    uploaded_text = release.uploaded.isoformat() if release.uploaded else ""
    _write(record, json.dumps({**dataclasses.asdict(release), "uploaded": uploaded_text}))
    return release


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # threads build at the same time
        partial.write_text(text, "utf-8")
        partial.replace(path)
    except OSError as error:
        raise SubjectError(
            f"{path.parent}: cannot be written: {error.strerror}; set CONFORMANCE_CACHE"
        ) from None


def _applying(rules: Sequence[VersionRule], version: str) -> tuple[str, ...]:
    """The requirements of the rules that speak of a release; of one without a proper version, none."""
    try:
        release = Version(Version(version).base_version)
    except InvalidVersion:
        return ()
    return tuple(
        text for versions, texts in rules if SpecifierSet(versions).contains(release) for text in texts
    )


def _pinned(pins: Sequence[str], name: str) -> str | None:
    return next((pin.split("==")[1] for pin in pins if pin.split("==")[0] == name), None)


def _span(minors: Sequence[tuple[int, int]]) -> str:
    """3.6 to 3.9; or 3.8 alone."""
    if not minors:
        return "every Python"
    ends = list(dict.fromkeys([minors[0], minors[-1]]))
    return " to ".join(pythons.show(minor) for minor in ends)


def _built_before(recipe: _Recipe, python: Python) -> str | None:
    """The interpreter of an environment that was built before and still starts."""
    folder = _folder() / recipe.digest(python)
    path = folder / "bin" / "python"
    if not (folder / _RECORD).is_file() or not path.exists():
        return None
    done = subprocess.run([path, "-E", "-c", "import numpy"], capture_output=True, check=False, cwd=folder)
    return str(path) if done.returncode == 0 else None


def _build(recipe: _Recipe, python: Python, lock: str, note: Note) -> str:
    folder = _folder() / recipe.digest(python)
    with _locked(folder, recipe, note):
        built = _built_before(recipe, python)  # Whoever held the lock may have built it.
        if built:
            return built
        partial = folder.with_name(folder.name + ".new")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        count = len([line for line in lock.splitlines() if line.strip()])
        title = f"{recipe.title} on Python {python.text}"
        with _signs_of_life(f"building an environment of {title}: {count} packages", note):
            _install(recipe, python, lock, partial)
        _check(recipe, partial, title)
        record = {
            "pins": list(recipe.pins),
            "python": python.text,
            "packages": lock.split(),
            "recipe": RECIPE,
        }
        _write(partial / _RECORD, json.dumps(record, indent=2))
        partial.rename(folder)
        note(f"built an environment of {title}")
    return str(folder / "bin" / "python")


def _install(recipe: _Recipe, python: Python, lock: str, folder: Path) -> None:
    parent = folder.parent
    packages.uv(["venv", "--quiet", "--no-project", "--python", python.path, str(folder)], parent)
    _write(folder / "packages.txt", lock)
    arguments = ["pip", "install", "--quiet", "--no-deps", "--python", str(folder / "bin" / "python")]
    arguments += ["--requirement", str(folder / "packages.txt")]
    arguments += packages.exclusions(WHEELS, recipe.before, recipe.dateless)
    packages.uv(arguments, parent)


def _check(recipe: _Recipe, folder: Path, title: str) -> None:
    """An environment whose framework does not import is none."""
    code = f"import numpy, {recipe.framework}"
    done = subprocess.run(
        [folder / "bin" / "python", "-E", "-c", code], capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        last = (
            [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        )[-1]
        shutil.rmtree(folder, ignore_errors=True)
        raise SubjectError(
            f"{title} was installed and does not import: {last.strip()}; pin what it needs beside it"
        )


@contextmanager
def _locked(folder: Path, recipe: _Recipe, note: Note) -> Iterator[None]:
    """Holds the environment's lock: another process that builds the same one is waited for."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(folder.name + ".lock").open("a+b")
    except OSError as error:
        raise SubjectError(
            f"{folder.parent}: cannot be written: {error.strerror}; set CONFORMANCE_CACHE"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"waiting for another process that builds {recipe.title}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _signs_of_life(text: str, note: Note) -> Iterator[None]:
    """Says what is done, and again now and then while it lasts."""
    note(text)
    over = threading.Event()

    def tell() -> None:
        seconds = 0.0
        while not over.wait(NOTE_SECONDS):
            seconds += NOTE_SECONDS
            note(f"{text} ({seconds:.0f} s)")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
