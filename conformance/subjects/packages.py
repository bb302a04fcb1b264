"""Package index, asked through uv: a release's wheels and date, and what goes with it."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging import tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from conformance.errors import SubjectError
from conformance.subjects.pythons import NEWEST, OLDEST, Python, uv_binary

#: uv lists a release's wheels only for Pythons that the release admits: the oldest of them is tried out.
_FLOORS = ("3.6.99", "3.7.99", *(f"3.{minor}.99" for minor in range(OLDEST[1], NEWEST[1] + 1)))
#: Variables by which uv would take another Python than the one that it is told.
VIRTUAL_ENVIRONMENT = ("VIRTUAL_ENV", "UV_PYTHON")
#: Words of uv's when the index does not answer.
_UNREACHABLE = (
    "error sending request",
    "dns error",
    "client error",
    "failed to fetch",
    "timed out",
    "connection",
)


@dataclass(frozen=True)
class Release:
    """One version of a distribution: the Pythons that have a wheel for this machine, and its date.

    Attributes:
        name: The distribution's name on the index.
        version: Its version.
        pythons: The Pythons that have a wheel, as (3, 11); empty where one file serves every Python (a
            package without compiled code, or its source).
        uploaded: When its first file was uploaded; None where the index tells no date.
    """

    name: str
    version: str
    pythons: tuple[tuple[int, int], ...]
    uploaded: datetime.datetime | None


class UnresolvedError(SubjectError):
    """No set of packages satisfies the pins on one Python."""


def uv(arguments: Sequence[str], folder: Path) -> str:
    """What uv prints on standard output when called so in `folder`; SubjectError, one line, when it fails."""
    try:
        done = subprocess.run(
            [uv_binary(), *arguments],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise SubjectError(f"uv cannot be started: {error}") from None
    if done.returncode:
        raise _fault(done.stderr)
    return done.stdout


def release(name: str, version: str) -> Release | None:
    """What the index has of ``name==version`` for this machine; None where it has no such release."""
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "release.in"
        request.write_text(f"{name}=={version}\n", "utf-8")
        options = [
            "pip",
            "compile",
            request.name,
            "--no-deps",
            "--universal",
            "--format",
            "pylock.toml",
            "--no-header",
        ]
        for floor in _FLOORS:
            try:
                text = uv([*options, "--python", sys.executable, "--python-version", floor], Path(folder))
            except UnresolvedError:
                continue
            return _read(name, version, tomllib.loads(text))
    return None


def resolve(
    requirements: Sequence[str],
    constraints: Sequence[str],
    binary: Sequence[str],
    python: Python,
    before: datetime.datetime | None,
    dateless: Sequence[str] = (),
) -> str:
    """The exact packages, a line each, that satisfy requirements.

    Args:
        requirements: In pip's grammar.
        constraints: Limits on what else comes along.
        binary: Distributions that are taken as wheels only.
        python: The Python that they are for.
        before: The date that they must be older than; None for any.
        dateless: Distributions of any date: what is pinned, for wheels are now and then uploaded years after
            their release.

    Raises:
        UnresolvedError: No set of packages does.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "requirements.in").write_text("\n".join(requirements) + "\n", "utf-8")
        Path(folder, "constraints.txt").write_text("\n".join(constraints) + "\n", "utf-8")
        options = [
            "pip",
            "compile",
            "requirements.in",
            "--constraint",
            "constraints.txt",
            "--python",
            python.path,
        ]
        options += ["--no-header", "--no-annotate", *exclusions(binary, before, dateless)]
        return uv(options, Path(folder))


def exclusions(
    binary: Sequence[str], before: datetime.datetime | None, dateless: Sequence[str] = ()
) -> list[str]:
    """uv's options for wheels only, and for a date that does not hold for `dateless`."""
    options = [text for name in binary for text in ("--only-binary", name)]
    now = datetime.datetime.now(datetime.UTC)
    if before is not None and before < now:
        options += ["--exclude-newer", _stamp(before)]
        for name in dateless:
            options += ["--exclude-newer-package", f"{name}={_stamp(now)}"]
    return options


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _environment() -> dict[str, str]:
    """This process's environment: no Python is downloaded, pip's settings serve where uv's are not set."""
    environment = {name: value for name, value in os.environ.items() if name not in VIRTUAL_ENVIRONMENT}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["UV_NO_PROGRESS"] = "1"
    if not environment.get("UV_FIND_LINKS") and environment.get("PIP_FIND_LINKS"):
        environment["UV_FIND_LINKS"] = ",".join(environment["PIP_FIND_LINKS"].split())
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if not index and environment.get("PIP_INDEX_URL"):
        environment["UV_DEFAULT_INDEX"] = environment["PIP_INDEX_URL"]
    return environment


def _fault(stderr: str) -> SubjectError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    text = " ".join(lines)
    if "No space left" in text:
        return SubjectError(
            "the disk is full: an environment could not be built; free space or set CONFORMANCE_CACHE"
        )
    if os.environ.get("UV_OFFLINE", "") not in ("", "0", "false"):
        return SubjectError("UV_OFFLINE is set and uv's cache does not hold what is needed; go online once")
    if "No solution found" in text:
        causes = re.sub(r"\s+", " ", text.split("hint:")[0].split("cause:")[-1]).strip()
        return UnresolvedError(
            causes.replace(", we can conclude that your requirements are unsatisfiable.", "")
        )
    if any(word in text.lower() for word in _UNREACHABLE):
        return SubjectError(
            f"the package index cannot be reached ({lines[-1].removeprefix('cause: ')}); "
            "check the network, or name a folder of wheels in UV_FIND_LINKS"
        )
    return SubjectError(f"uv failed: {' | '.join(lines[-3:]) or 'without a word'}")


def _read(name: str, version: str, lock: dict[str, Any]) -> Release | None:
    fits = frozenset(tags.platform_tags()) | {"any"}
    pythons: set[tuple[int, int]] = set()
    dates: list[datetime.datetime] = []
    wheels, universal = 0, False
    for package in lock.get("packages", []):
        files = [*package.get("wheels", []), package.get("sdist", {})]
        dates += [
            file["upload-time"] for file in files if isinstance(file.get("upload-time"), datetime.datetime)
        ]
        for wheel in package.get("wheels", []):
            wheels += 1
            served = _pythons(str(wheel.get("name") or wheel.get("url") or wheel.get("path")), fits)
            universal |= served == {(0, 0)}
            pythons |= served - {(0, 0)}
    if not lock.get("packages"):
        return None
    if wheels and not pythons and not universal:
        raise SubjectError(f"{name} {version} has no wheels for this machine ({next(tags.platform_tags())})")
    return Release(name, version, () if universal else tuple(sorted(pythons)), min(dates, default=None))


def _pythons(file: str, platforms: frozenset[str]) -> set[tuple[int, int]]:
    """The Pythons that a wheel serves on these platforms; {(0, 0)} for all."""
    try:
        served = parse_wheel_filename(file.rsplit("/", 1)[-1].replace("%2B", "+"))[3]
    except InvalidWheelFilename:
        return set()
    pythons: set[tuple[int, int]] = set()
    for tag in served:
        match = re.fullmatch(r"(cp|py)(\d)(\d*)", tag.interpreter)
        if match is None or tag.platform not in platforms or tag.abi.endswith("t"):
            continue
        if match[1] == "py":
            pythons |= {(0, 0)} if match[2] == "3" else set()
        elif tag.abi == "abi3":
            pythons |= {(3, minor) for minor in range(int(match[3] or 0), NEWEST[1] + 1)}
        else:
            pythons.add((int(match[2]), int(match[3] or 0)))
    return pythons
