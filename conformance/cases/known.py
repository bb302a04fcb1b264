"""`known.yaml`: a deviation is described once, and belongs to every case that shows it.

The file lies in the folder of the case files or in one above it. An entry that fits no case, or no check
of one of its cases, is a fault: a deviation that nothing shows is no finding.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.cases.case import Case
from conformance.cases.discovery import KNOWN, corpus, shown_path
from conformance.cases.models import Deviation, DeviationFile, Known, flags_of
from conformance.operations import OPERATIONS
from conformance.subjects import subject
from conformance.yaml.cache import parse
from conformance.yaml.keys import read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import List, Node


def with_deviations(cases: Sequence[Case], whole: bool, limits: Limits, faults: list[Faults]) -> list[Case]:
    """The cases with the deviations of their folders' `known.yaml` behind their own.

    whole: the cases are the whole corpus, so that an entry which fits none of them is a fault.
    """
    found: dict[Path, tuple[list[Deviation], Faults, list[Node]]] = {}
    for folder in _folders(cases):
        one = Faults(shown_path(folder / KNOWN))
        entries, nodes = _read(folder / KNOWN, limits, one)
        found[folder] = (entries, one, nodes)
        faults.append(one)
    spoken: dict[str, list[tuple[Path, Deviation]]] = {}  # by operation: few entries speak of a case
    for folder, (entries, _, _) in found.items():
        for entry in entries:
            spoken.setdefault(entry.operation, []).append((folder, entry))
    used: set[str] = set()
    paths = {case.file: _path(case) for case in {case.file: case for case in cases}.values()}
    result = []
    for case in cases:
        extra = [
            entry
            for folder, entry in spoken.get(case.operation, ())
            if fits(entry, case) and paths[case.file].is_relative_to(folder)
        ]
        used.update(entry.id for entry in extra)
        result.append(replace(case, known=(*case.known, *extra)) if extra else case)
    if whole:
        for entries, one, nodes in found.values():
            for entry, node in zip(entries, nodes, strict=True):
                if entry.id not in used:
                    one.add(
                        node.line,
                        node.column,
                        f"{entry.id} fits no check of any case",
                        "the cases that show it",
                    )
    return result


def fits(entry: Deviation, case: Case) -> bool:
    """Whether a deviation speaks of at least one check of the case."""
    if entry.operation != case.operation or not _named(entry, case.id):
        return False
    quantities = case.quantity_names() if case.expect != "error" else ("value",)
    pairs = ((entry.dtype, case.dtypes), (entry.formulation, case.formulations), (entry.quantity, quantities))
    return all(any(fnmatch.fnmatchcase(name, glob) for name in names) for glob, names in pairs)


def _named(entry: Deviation, case: str) -> bool:
    # Brackets stand for themselves: ids have them, as `options[sum,varied]`.
    return any(fnmatch.fnmatchcase(case, glob.replace("[", "[[]")) for glob in entry.cases)


def _path(case: Case) -> Path:
    """Where a case's file lies: its label is relative to the corpus or to the working directory."""
    if case.file.startswith("cases/") and not Path(case.file).is_file():
        return (corpus() / case.file.removeprefix("cases/")).resolve()
    return Path(case.file).resolve()


def _folders(cases: Sequence[Case]) -> list[Path]:
    """The folders at and above the case files that hold a `known.yaml`: at most two levels up."""
    files = {case.file: case for case in cases}.values()
    parents = {folder for case in files for folder in list(_path(case).parents)[:2]}
    return sorted(folder for folder in parents if (folder / KNOWN).is_file())


def _read(path: Path, limits: Limits, faults: Faults) -> tuple[list[Deviation], list[Node]]:
    data = read_bytes(path, limits, faults)
    root = None if data is None else parse(data, limits, faults, "the key `known`")
    top = None if root is None else read_keys(DeviationFile, root, faults)[0]
    if root is None or top is None:
        return [], []
    listed = root.entries["known"]
    nodes: list[Node] = list(listed.items) if isinstance(listed, List) else []
    for entry, node in zip(top.known, nodes, strict=True):
        _check(entry, node, faults)
    names = [entry.id for entry in top.known]
    for entry, node in zip(top.known, nodes, strict=True):
        if names.count(entry.id) > 1:
            faults.add(
                node.line,
                node.column,
                f"the id {shown(entry.id)} is taken",
                "an id of its own for each entry",
            )
    return list(top.known), nodes


def _check(entry: Deviation, node: Node, faults: Faults) -> None:
    if entry.operation not in OPERATIONS:
        faults.add(
            node.line,
            node.column,
            f"no operation {shown(entry.operation)}",
            meant(entry.operation, OPERATIONS),
        )
    names = [
        name
        for framework in subject.frameworks()
        for name in (framework, *(f"{framework}:{mode}" for mode in subject.MODES.get(framework, ())))
    ]
    if not any(
        fnmatch.fnmatchcase(name, glob) for glob in (entry.subject, entry.subject + "*") for name in names
    ):
        faults.add(
            node.line, node.column, f"no subject is like {shown(entry.subject)}", meant(entry.subject, names)
        )
    for flag in flags_of(entry.processor):
        if flag not in subject.INSTRUCTION_SETS:
            what = f"no instruction set is {shown(flag)}"
            faults.add(node.line, node.column, what, meant(flag, subject.INSTRUCTION_SETS))


def read_bytes(path: Path, limits: Limits, faults: Faults) -> bytes | None:
    """A file's bytes, or None after a fault: it cannot be read, or is larger than the limit."""
    try:
        with path.open("rb") as file:
            data = file.read(limits.file_bytes + 1)
    except OSError as error:
        faults.add(1, 1, f"cannot be read: {error.strerror}", "a readable file")
        return None
    if len(data) > limits.file_bytes:
        what = f"larger than {limits.file_bytes} bytes"
        faults.add(1, 1, what, "more files, .npy files for tensors, or CONFORMANCE_MAX_FILE_BYTES")
        return None
    return data


def matches(
    known: Known,
    subject: str,
    dtype: str,
    formulation: str,
    quantity: str,
    version: str,
    processor: frozenset[str] = frozenset(),
) -> bool:
    """Whether a known deviation speaks of this check, on a processor with these instruction sets."""
    if not all((flag in processor) == present for flag, present in flags_of(known.processor).items()):
        return False
    globs = known.subject, known.dtype, known.formulation, known.quantity
    return _matches(globs, known.versions, (subject, dtype, formulation, quantity), version)


@lru_cache(maxsize=1 << 16)
def _matches(globs: tuple[str, ...], versions: str, names: tuple[str, ...], version: str) -> bool:
    if not all(fnmatch.fnmatchcase(name, glob) for name, glob in zip(names, globs, strict=True)):
        return False
    try:
        return not versions or Version(version) in SpecifierSet(versions, prereleases=True)
    except InvalidVersion:
        return True


def stale(cases: Sequence[Case], used: dict[Known, bool]) -> list[str]:
    """A line for each known deviation whose checks ran and all conform now."""
    lines = []
    for known in dict.fromkeys(known for case in cases for known in case.known):
        if used.get(known) is False:
            name = known.id if isinstance(known, Deviation) else known.reason
            lines.append(f"known for {known.subject} deviates no longer: {name}")
    return lines
