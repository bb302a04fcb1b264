"""Adapters of other distributions: the entry points of the group `conformance.adapters`.

The name of an entry point is the framework's name in the suite, whatever its modules are called. Whether it
can start is told by metadata alone, without an import: a framework takes seconds.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, entry_points

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conformance.adapters.registry import ENTRY_POINTS

#: This distribution: whoever asks is it, installed or not.
SUITE = "loss-conformance"


def adapters() -> dict[str, EntryPoint]:
    """The entry point of each framework that another distribution brings, by the framework's name."""
    return {point.name: point for point in _adapters(tuple(sys.path))}


@lru_cache(maxsize=4)
def _adapters(_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points on this path: to look takes 2 ms."""
    return tuple(entry_points(group=ENTRY_POINTS))


def lacking(point: EntryPoint) -> list[str]:
    """What the adapter needs and this interpreter has not: distributions' names, or the adapter's module.

    A requirement counts as there where a distribution or a module has its name: a build of a framework may
    be called otherwise. Versions are left to the installer.
    """
    if not importable(point.module):
        return [point.module]
    return [name for name in _requirements(point.dist) if not _there(name)]


def install_hint(point: EntryPoint) -> str:
    """The command that installs the adapter and what it needs; empty where no distribution brings it."""
    return "" if point.dist is None else f"python -m pip install {point.dist.name}"


def importable(module: str) -> bool:
    """Whether this interpreter finds a module's top package; nothing is imported."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _requirements(distribution: Distribution | None) -> Iterator[str]:
    """The names of what a distribution always needs on this platform, the suite itself left out."""
    for line in (distribution.requires or []) if distribution is not None else []:
        requirement = Requirement(line)
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if needed and canonicalize_name(requirement.name) != SUITE:
            yield requirement.name


def _there(name: str) -> bool:
    try:
        Distribution.from_name(name)
    except PackageNotFoundError:
        return importable(canonicalize_name(name).replace("-", "_"))
    return True
