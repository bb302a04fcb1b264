"""Files of known deviations: `known.yaml`, `*.known.yaml` beside the cases, and the user's own (`--known`).

A deviation is described once, and belongs to every case that shows it. `known.yaml` lies in the folder of the
case files or in one above it; a user's file may lie anywhere, and speaks of every case. Over the whole corpus
an entry that fits no check of any case is a fault: a deviation that nothing shows is no finding.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.cases.case import Case
from conformance.cases.deviations import case_named
from conformance.cases.discovery import corpus, known_files, shown_path
from conformance.cases.models import Accepted, Deviation, DeviationFile, Observed, flags_of, globbed
from conformance.operations import OPERATIONS
from conformance.subjects import subject
from conformance.yaml.cache import parse
from conformance.yaml.keys import read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import List, Node, find


@dataclass
class _KnownFile:
    """A file of known deviations.

    Attributes:
        folder: the folder whose cases it speaks of; None: all cases.
        faults: what is wrong in it.
        entries: its entries.
        nodes: where each entry stands.
        used: ids of the entries that fit a case, each alone and with the index of an observation that fits.
    """

    folder: Path | None
    faults: Faults
    entries: list[Deviation] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    used: set[tuple[str, int | None]] = field(default_factory=set)

    def check_use(self, operations: Collection[str]) -> None:
        """Note each entry of these operations, and each observation of one, that fits no check."""
        for entry, node in zip(self.entries, self.nodes, strict=True):
            if entry.operation not in operations:
                continue
            remedy = "the cases that show it"
            if (entry.id, None) not in self.used:
                self.faults.add(node.line, node.column, f"{entry.id} fits no check of any case", remedy)
                continue
            for index in range(len(entry.observed)):
                if (entry.id, index) not in self.used:
                    observed, _ = find(node, ("observed", index))
                    what = f"{entry.id}: this observation fits no check of any case"
                    self.faults.add(observed.line, observed.column, what, remedy)


def with_deviations(
    cases: Sequence[Case],
    accepted: Sequence[Path],
    whole: Collection[str],
    limits: Limits,
    faults: list[Faults],
) -> list[Case]:
    """The cases with the deviations of their folders' `known.yaml`, and of further files, behind their own.

    Args:
        cases: the cases.
        accepted: the user's own files.
        whole: the operations of which these are all cases, so that an entry which fits none is a fault.
        limits: bounds on each file.
        faults: receives the faults of each file.
    """
    files = [_read(path, folder, limits) for folder in _folders(cases) for path in known_files(folder)]
    files += [_read(path, None, limits) for path in accepted]
    faults += [file.faults for file in files]
    by_place: dict[tuple[str, str], list[tuple[_KnownFile, Deviation]]] = {}  # few entries speak of a case
    result = []
    for case in cases:
        place = case.file, case.operation
        if place not in by_place:
            by_place[place] = _speaking(files, case)
        extra = []
        for file, entry in by_place[place]:
            if fits(entry, case):
                extra.append(entry)
                file.used.add((entry.id, None))
                shown_here = [_shows(entry, each, case) for each in entry.observed]
                file.used.update((entry.id, index) for index, shows in enumerate(shown_here) if shows)
        result.append(replace(case, known=(*case.known, *extra)) if extra else case)
    for file in files:
        file.check_use(whole)
    return result


def _speaking(files: Sequence[_KnownFile], case: Case) -> list[tuple[_KnownFile, Deviation]]:
    """The entries that speak of the operation and the folder of a case."""
    path = _path(case)
    return [
        (file, entry)
        for file in files
        if file.folder is None or path.is_relative_to(file.folder)
        for entry in file.entries
        if entry.operation == case.operation
    ]


def fits(entry: Deviation, case: Case) -> bool:
    """Whether a deviation speaks of at least one check of the case."""
    if entry.operation != case.operation or not case_named(tuple(entry.cases), case.id):
        return False
    names = (case.dtypes, case.formulations, _quantities(case))
    globs = (entry.dtype, entry.formulation, entry.quantity)
    whole = all(any(globbed(glob, name) for name in each) for glob, each in zip(globs, names, strict=True))
    return whole and (not entry.observed or any(_shows(entry, each, case) for each in entry.observed))


def _shows(entry: Deviation, observed: Observed, case: Case) -> bool:
    """Whether an observation of an entry is of at least one check of the case."""
    if observed.cases and not case_named(tuple(observed.cases), case.id):
        return False
    dtypes = [name for name in case.dtypes if globbed(entry.dtype, name)]
    formulations = [name for name in case.formulations if globbed(entry.formulation, name)]
    if observed.dtypes and not set(observed.dtypes) & set(dtypes):
        return False
    if observed.formulations and not set(observed.formulations) & set(formulations):
        return False
    quantities = _quantities(case)
    kinds = {name.partition(":")[0] for name in quantities}
    return not observed.quantities or any(name in quantities or name in kinds for name in observed.quantities)


def _quantities(case: Case) -> tuple[str, ...]:
    return case.quantity_names() if case.expect != "error" else ("value",)


def _path(case: Case) -> Path:
    """Where a case's file lies: its label is relative to the corpus or to the working directory."""
    if case.file.startswith("cases/") and not Path(case.file).is_file():
        return (corpus() / case.file.removeprefix("cases/")).resolve()
    return Path(case.file).resolve()


def _folders(cases: Sequence[Case]) -> list[Path]:
    """The folders at and above the case files that hold a file of deviations: at most two levels up."""
    files = {case.file: case for case in cases}.values()
    parents = {folder for case in files for folder in list(_path(case).parents)[:2]}
    return sorted(folder for folder in parents if known_files(folder))


def _read(path: Path, folder: Path | None, limits: Limits) -> _KnownFile:
    """A file's entries; what is wrong goes to its faults."""
    file = _KnownFile(folder, Faults(shown_path(path)))
    data = read_bytes(path, limits, file.faults)
    root = None if data is None else parse(data, limits, file.faults, "the key `known`")
    top = None if root is None else read_keys(DeviationFile, root, file.faults)[0]
    if root is None or top is None:
        return file
    listed = root.entries["known"]
    file.entries = list(top.known) if folder is not None else [Accepted(**dict(entry)) for entry in top.known]
    file.nodes = list(listed.items) if isinstance(listed, List) else []
    names = [entry.id for entry in top.known]
    for entry, node in zip(file.entries, file.nodes, strict=True):
        for key, what, remedy in _wrong(entry, folder is None):
            value, _ = find(node, (key,))
            file.faults.add(value.line, value.column, what, remedy)
        if names.count(entry.id) > 1:
            remedy = "an id of its own for each entry"
            file.faults.add(node.line, node.column, f"the id {shown(entry.id)} is taken", remedy)
    return file


def _wrong(entry: Deviation, user: bool) -> Iterable[tuple[str, str, str]]:
    """What an entry names and nothing is: its key, what is wrong, what would be right.

    user: the entry is a user's, who may have subjects with names of their own.
    """
    if entry.operation not in OPERATIONS:
        yield "operation", f"no operation {shown(entry.operation)}", meant(entry.operation, OPERATIONS)
    names = [name for framework in subject.frameworks() for name in subject.names(framework)]
    for glob in (each.strip() for each in entry.subject.split(",")):
        exists = any(globbed(f"{glob}*", name) or glob.startswith(name) for name in names)
        if not exists and (not user or difflib.get_close_matches(glob.rstrip("*"), names, n=1, cutoff=0.75)):
            yield "subject", f"no subject is like {shown(glob)}", meant(glob, names)
    for flag in flags_of(entry.processor):
        if flag not in subject.INSTRUCTION_SETS:
            yield "processor", f"no instruction set is {shown(flag)}", meant(flag, subject.INSTRUCTION_SETS)


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
