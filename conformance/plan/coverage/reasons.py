"""Reasons of empty cells: a file of entries, each of which must explain a cell that is empty.

An entry names one cell, or two that cannot meet, of operations that it names; wildcards would excuse cells
that nobody has looked at. `covered` names the cell by whose checks the same code is looked at, and the test
that shows this.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from conformance.cases.discovery import shown_path
from conformance.cases.known import read_bytes
from conformance.errors import CaseError
from conformance.operations import OPERATIONS
from conformance.plan.coverage.axes import declared
from conformance.plan.coverage.cells import Cell, OperationCoverage
from conformance.yaml.cache import parse
from conformance.yaml.keys import Keys, read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import Node, find

#: The suite's own reasons.
REASONS = Path(__file__).with_name("reasons.yaml")
#: Axes whose classes must meet each other, or have a reason.
PAIRED: frozenset[str] = frozenset()


def _names(listed: str) -> tuple[str, ...]:
    """The names of a list with commas."""
    return tuple(name.strip() for name in listed.split(","))


def _without_wildcards(listed: str) -> str:
    """A list of names, as it is written; ValueError for a wildcard."""
    if not {"*", "?", "["}.isdisjoint(listed):
        raise ValueError(f"{shown(listed)} holds a wildcard, which excuses cells that nobody has looked at")
    return listed


Names = Annotated[str, AfterValidator(_without_wildcards)]


class Covered(Keys):
    """What looks at an empty cell's code in its place.

    Attributes:
        by: a cell that is not empty: axis -> class.
        test: the test that shows that the code is the same, as tests/plan/test_x.py::test_y.
    """

    by: Annotated[
        dict[str, str], Field(min_length=1, max_length=1, description="a cell, as {layout: strided}")
    ]
    test: Annotated[
        str, Field(pattern=r"^tests/[\w/]+\.py::[\w:]+$", description="tests/ROOM/test_x.py::test_y")
    ]


class Reason(Keys):
    """Why a cell, or every meeting of two, is empty.

    Attributes:
        operation: operations, separated by commas.
        cells: axis -> classes, separated by commas; one axis, or two whose classes cannot meet.
        reason: why, in one line.
        covered: what looks at the same code, if anything does.
    """

    operation: Annotated[
        Names, Field(min_length=1, description="names of operations, as 'sigmoid, log_sigmoid'")
    ]
    cells: Annotated[
        dict[str, Names], Field(min_length=1, max_length=2, description="one or two axes, as {shape: 5-d}")
    ]
    reason: Annotated[str, Field(min_length=10, max_length=400, description="why it is empty, in one line")]
    covered: Annotated[Covered | None, Field(description="a mapping {by, test}")] = None

    def explains(self, operation: str, cells: Sequence[Cell]) -> bool:
        """Whether it speaks of just these cells of the operation."""
        return (
            operation in _names(self.operation)
            and len(cells) == len(self.cells)
            and all(axis in self.cells and name in _names(self.cells[axis]) for axis, name in cells)
        )

    def filled(self, empty: Sequence[Empty], operations: Collection[str]) -> Iterator[str]:
        """What it names and is not empty, of the operations that were looked at."""
        hollow = {(each.operation, frozenset(each.cells)) for each in empty}
        axes = [[(axis, name) for name in _names(listed)] for axis, listed in self.cells.items()]
        for operation in _names(self.operation):
            for cells in itertools.product(*axes):
                known = operation in operations or operation not in OPERATIONS
                if known and (operation, frozenset(cells)) not in hollow:
                    yield Empty(operation, cells, None).name


class _ReasonFile(Keys):
    """The top of a file of reasons."""

    reasons: Annotated[list[Reason], Field(description="a list of {operation, cells, reason}")]


@dataclass(frozen=True)
class Empty:
    """A cell, or two that do not meet, without checks.

    Attributes:
        operation: the operation.
        cells: the cell or the two.
        reason: why it is empty; None: nobody knows.
    """

    operation: str
    cells: tuple[Cell, ...]
    reason: Reason | None

    @property
    def name(self) -> str:
        """The cells as a person reads them."""
        return f"{self.operation}: {' with '.join(f'{axis} {name}' for axis, name in self.cells)}"


def read(path: Path = REASONS) -> tuple[list[Reason], list[Node], Faults]:
    """The reasons of a file, where each stands, and the file's faults, of which there are none yet.

    Raises:
        CaseError: the file is at fault, a line for each.
    """
    faults = Faults(shown_path(path))
    data = read_bytes(path, Limits(), faults)
    root = None if data is None else parse(data, Limits(), faults)
    top = None if root is None else read_keys(_ReasonFile, root, faults)[0]
    if root is None or top is None:
        raise CaseError("\n".join(faults.lines()))
    return top.reasons, [find(root, ("reasons", index))[0] for index in range(len(top.reasons))], faults


def explained(coverage: Sequence[OperationCoverage], path: Path = REASONS) -> list[Empty]:
    """Every empty cell and empty pair of cells, each with its reason.

    Args:
        coverage: the cells of all operations of the corpus.
        path: the file of reasons.

    Raises:
        CaseError: a reason explains no empty cell, or names an axis or a cell that there is not.
    """
    reasons, nodes, faults = read(path)
    empty: list[Empty] = []
    for each in coverage:
        at = dict(each.singles())
        hollow: list[tuple[Cell, ...]] = [(cell,) for cell, count in at.items() if not count]
        hollow += [
            (first, second)
            for first, second, count in each.pairs()
            if not count and {first[0], second[0]} <= PAIRED
        ]
        for cells in hollow:
            reason = next((reason for reason in reasons if reason.explains(each.operation, cells)), None)
            empty.append(Empty(each.operation, cells, reason))
    operations = {each.operation for each in coverage}
    for reason, node in zip(reasons, nodes, strict=True):
        for filled in reason.filled(empty, operations):
            what = f"this reason explains no empty cell: {filled}"
            faults.add(node.line, node.column, what, "leave it out")
        _check_covered(reason, node, coverage, faults)
    if faults:
        raise CaseError("\n".join(faults.lines()))
    return empty


def _check_covered(reason: Reason, node: Node, coverage: Sequence[OperationCoverage], faults: Faults) -> None:
    """Note what `covered` names and is not there."""
    if reason.covered is None:
        return
    ((axis, name),) = reason.covered.by.items()
    for each in coverage:
        if each.operation in _names(reason.operation):
            counts: Mapping[Cell, int] = dict(each.singles())
            if not counts.get((axis, name)):
                where, _ = find(node, ("covered", "by"))
                what = f"covered: {each.operation} has no checks of {axis} {shown(name)}"
                known = declared(OPERATIONS[each.operation])
                faults.add(where.line, where.column, what, meant(name, known.get(axis, tuple(known))))
