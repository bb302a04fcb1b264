"""Cells of the coverage table: how many checks of a profile fall into each class, pair and triple of classes.

A check falls into the cell (axis, class) for each of its classes: `M` is the matrix of checks x cells, and
the counts of pairs are its product with itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from conformance.cases.case import Case
from conformance.operations import OPERATIONS
from conformance.plan.coverage import axes
from conformance.plan.coverage.axes import Question

Cell = tuple[str, str]
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OperationCoverage:
    """The cells of one operation.

    Attributes:
        operation: its name.
        checks: its checks of a subject, in rows of `matrix`: case, dtype, formulation, quantity.
        cells: the cells (axis, class), in columns: those declared, and those that checks fall into.
        matrix: 1 where a check falls into a cell.
    """

    operation: str
    checks: pd.DataFrame
    cells: tuple[Cell, ...]
    matrix: Counts

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many checks fall into two cells at once; on the diagonal into one."""
        return (self.matrix.T @ self.matrix).astype(np.int64)

    def singles(self) -> Iterator[tuple[Cell, int]]:
        """Each cell and its checks."""
        for index, cell in enumerate(self.cells):
            yield cell, int(self.counts[index, index])

    def pairs(self) -> Iterator[tuple[Cell, Cell, int]]:
        """Each two cells of different axes, of which neither is empty, and the checks in both."""
        counts = self.counts
        for first, second in itertools.combinations(range(len(self.cells)), 2):
            apart = self.cells[first][0] != self.cells[second][0]
            if apart and counts[first, first] and counts[second, second]:
                yield self.cells[first], self.cells[second], int(counts[first, second])

    def triples(self, crossed: Sequence[str], excused: Iterable[frozenset[Cell]] = ()) -> tuple[int, int]:
        """How many triples of classes of these axes a check falls into, and how many there can be.

        Args:
            crossed: the axes.
            excused: pairs of cells that cannot meet: no triple with one of them can be.
        """
        columns = [index for index, cell in enumerate(self.cells)
                   if cell[0] in crossed and self.counts[index, index]]  # fmt: skip
        axis_of = np.array([self.cells[index][0] for index in columns])
        possible = axis_of[:, None] != axis_of[None, :]
        position = {self.cells[index]: at for at, index in enumerate(columns)}
        for pair in excused:
            at = [position[cell] for cell in pair if cell in position]
            if len(at) == 2:
                possible[at[0], at[1]] = possible[at[1], at[0]] = False
        kinds = np.unique(self.matrix[:, columns], axis=0)  # many checks differ in no such cell
        covered = total = 0
        for first in range(len(columns)):
            behind = slice(first + 1, None)
            follows = possible[first, behind]
            triples = np.triu(possible[behind, behind] & follows[:, None] & follows)
            total += int(triples.sum())
            with_first = kinds[kinds[:, first] > 0][:, behind]
            covered += int((triples & (with_first.T @ with_first > 0)).sum())
        return covered, total


def coverage_of(cases: Sequence[Case]) -> list[OperationCoverage]:
    """The cells of the operations of cases, in the operations' order."""
    of: dict[str, list[Case]] = {}
    for case in cases:
        of.setdefault(case.operation, []).append(case)
    return [_operation(name, of[name]) for name in OPERATIONS if name in of]


def _operation(name: str, cases: Sequence[Case]) -> OperationCoverage:
    columns: dict[Cell, int] = {}
    for axis, classes in axes.declared(OPERATIONS[name]).items():
        for each in classes:
            columns.setdefault((axis, each), len(columns))
    checks: list[tuple[str, str, str, str]] = []
    members: list[list[int]] = []
    for case in cases:
        for dtype in case.dtypes:
            for formulation, quantity, cells in _cells(case, dtype):
                checks.append((case.id, dtype, formulation, quantity))
                members.append([columns.setdefault(cell, len(columns)) for cell in cells])
    matrix = np.zeros((len(checks), len(columns)), np.float32)
    for row, at in enumerate(members):
        matrix[row, at] = 1
    names = ["case", "dtype", "formulation", "quantity"]
    return OperationCoverage(name, pd.DataFrame(checks, columns=names), tuple(columns), matrix)


def _cells(case: Case, dtype: str) -> Iterator[tuple[str, str, list[Cell]]]:
    """The checks of a case in a dtype, by formulation and quantity, and the cells that each falls into."""
    question = Question(case, dtype)
    shared: list[Cell] = []
    # An invalid call fills no cell of what is defined: it is judged apart.
    if case.expect != "error":
        for axis in axes.OF_QUESTIONS:
            if axis.declared(question.operation):
                shared += [(axis.name, each) for each in axis.classes(question)]
    for formulation in case.formulations:
        for quantity in case.quantity_names():
            cells = [*shared, ("quantity", quantity), ("formulation", formulation)]
            cells += [(axes.UPSTREAM, each) for each in axes.upstream(question, quantity)]
            yield formulation, quantity, cells
