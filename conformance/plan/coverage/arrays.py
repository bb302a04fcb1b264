"""Covering arrays of the corpus: which operations have one, of what strength, over which axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.discovery import corpus, files, label
from conformance.yaml.cache import parse
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import List, Mapping, Scalar


@dataclass(frozen=True)
class CoveringArray:
    """An entry of a case file with `cover`.

    Attributes:
        operation: its operation.
        entry: its id, with which the ids of its cases begin.
        strength: how many axes' options meet in every combination.
        axes: the names of its axes.
    """

    operation: str
    entry: str
    strength: int
    axes: tuple[str, ...]


def covering_arrays(folder: Path | None = None) -> list[CoveringArray]:
    """The covering arrays of the sound case files of a folder, in their order.

    Args:
        folder: the folder; None: the suite's own corpus.
    """
    return [each for path in files([folder or corpus()]) for each in _of_file(path)]


def _of_file(path: Path) -> Iterator[CoveringArray]:
    root = parse(path.read_bytes(), Limits(), Faults(label(path)))
    listed = root.entries.get("cases") if isinstance(root, Mapping) else None
    for entry in listed.items if isinstance(listed, List) else ():
        cover = entry.entries.get("cover") if isinstance(entry, Mapping) else None
        if isinstance(entry, Mapping) and isinstance(cover, Mapping):
            axes = cover.entries["axes"]
            assert isinstance(axes, Mapping)  # the file is sound
            yield CoveringArray(
                _text(entry, "operation"),
                _text(entry, "id"),
                int(_text(cover, "strength", "2")),
                tuple(axes.entries),
            )


def _text(mapping: Mapping, key: str, default: str = "") -> str:
    node = mapping.entries.get(key)
    return node.text if isinstance(node, Scalar) else default
