"""Selection of a run's subjects: by name, from a `subjects.yaml`, or every framework that is installed."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence

from conformance.adapters.registry import FRAMEWORKS
from conformance.errors import SubjectError
from conformance.subjects.subject import (
    Subject,
    install_hint,
    installed,
    not_installed,
    parse,
    require_processor,
)


def select(
    names: Sequence[str], python: str | None = None, file: str | None = None
) -> tuple[list[Subject], list[str]]:
    """The subjects of a run and, where none were named, notes on the frameworks that are not installed.

    Args:
        names: Subjects of the file, or of the grammar; none: all of the file, or every installed framework.
        python: The interpreter of those that state none; of a pinned one the Python to build on.
        file: The path of a `subjects.yaml`.

    Raises:
        SubjectError: One that was named is missing, or cannot run on this processor; or there is none at all.
    """
    by_name = {} if file is None else _written(file)
    chosen = [by_name.get(name) or parse(name) for name in dict.fromkeys(names or by_name)]
    if not chosen:
        return _all_installed(python)
    ready = []
    for subject in chosen:
        has_python = subject.python != sys.executable or subject.remote
        if python is not None and not has_python:
            subject = dataclasses.replace(subject, python=python)
        if not subject.version and not subject.remote:
            _require(subject)
        require_processor(subject)
        ready.append(subject)
    return ready, []


def _written(file: str) -> dict[str, Subject]:
    from conformance.subjects.subjects_file import load  # late: half of the imports before workers start

    return load(file)


def _require(subject: Subject) -> None:
    """SubjectError where the subject's interpreter lacks its framework."""
    if subject.python == sys.executable:
        if not installed(subject.framework):
            raise SubjectError(f"subject {subject.name!r}: {not_installed(subject.framework)}")
        return
    if subject.framework not in FRAMEWORKS:
        return  # What an adapter of others needs there, its worker says.
    installed_there = installed_at(subject.python)
    for needed in ("numpy", subject.framework):
        if needed not in installed_there:
            raise SubjectError(
                f"subject {subject.name!r}: {needed} is not installed there; "
                f"install it with: {subject.python} -m pip install {needed}"
            )


def _all_installed(python: str | None) -> tuple[list[Subject], list[str]]:
    present = installed_at(python) if python else [name for name in FRAMEWORKS if installed(name)]
    hint = f"{python} -m pip install {{0}}" if python else install_hint("{0}")
    notes = [
        f"{name} is not installed and was left out; install it with: {hint.format(name)}"
        for name in FRAMEWORKS
        if name not in present
    ]
    if not present:
        raise SubjectError(f"{python}: no framework is installed there")
    return [dataclasses.replace(parse(name), python=python or sys.executable) for name in present], notes


def installed_at(python: str) -> list[str]:
    """The frameworks that another interpreter has; SubjectError where no Python answers."""
    code = (
        "import importlib.util, json; "
        f"print(json.dumps([name for name in {FRAMEWORKS!r} if importlib.util.find_spec(name)]))"
    )
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        names = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it does not answer as a Python does"
        raise SubjectError(f"--python {python}: no Python answers there ({why})") from None
    return [str(name) for name in names]
