"""Row buffers: a frame's rows as they come, texts interned (dictionary encoding): four bytes a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Row = dict[str, Any]
#: The columns of some rows, by name: codes of texts, flags or numbers.
Columns = dict[str, npt.NDArray[Any]]
#: Rows that are turned into columns in one step: they stay in the processor's cache.
_BATCH_ROWS = 2048
#: Texts are objects, one for all rows that have it: Arrow's own would copy every text into every row.
TEXT = pd.StringDtype("python")
_FLAGS = {None: -1, False: 0, True: 1}


class Texts(dict[str | None, int]):
    """Interned texts: text -> its code, in the order in which they are met; 0 is a missing one."""

    def __init__(self) -> None:
        super().__init__({None: 0})

    def __missing__(self, text: str | None) -> int:
        return self.setdefault(text, len(self))

    def codes(self, cells: Iterable[str | None]) -> npt.NDArray[np.int32]:
        """The code of each cell."""
        return np.fromiter(map(self.__getitem__, cells), np.int32)

    def by_code(self) -> npt.NDArray[np.object_]:
        """The texts by their codes."""
        texts = np.empty(len(self), object)
        texts[:] = list(self)
        texts[0] = pd.NA
        return texts

    def ranks(self) -> npt.NDArray[np.int32]:
        """Each code's place in the order of the texts; a missing one comes last."""
        ranks = np.full(len(self), len(self), np.int32)
        texts = list(self)
        ranks[sorted(range(1, len(self)), key=texts.__getitem__)] = np.arange(len(self) - 1)  # type: ignore[arg-type]
        return ranks


@dataclass
class Table:
    """Rows of one kind in the order in which they come.

    Attributes:
        columns: Their names and pandas types.
        texts: The codes of all texts in them.
    """

    columns: Mapping[str, str]
    texts: Texts = field(default_factory=Texts)
    _rows: list[Row] = field(default_factory=list)
    _parts: list[Columns] = field(default_factory=list)

    def add(self, rows: Iterable[Row]) -> None:
        """Takes rows, each with a cell, or None, for every column; what they have beside is let go."""
        self._rows += rows
        if len(self._rows) >= _BATCH_ROWS:
            self._settle()

    def add_columns(self, cells: Mapping[str, Any]) -> None:
        """Takes many rows at once: each column's cells, as many of each; of texts their codes will do."""
        self._parts.append({name: self._coded(kind, cells[name]) for name, kind in self.columns.items()})

    def frame(self, by: Sequence[str] = ()) -> pd.DataFrame:
        """All rows, in the order of these columns; equal ones as they came. The table is empty afterwards."""
        self._settle()
        parts, self._parts = self._parts, []
        # One column after the other: two of the whole table would be held otherwise.
        columns = {name: np.concatenate([part.pop(name) for part in parts]) for name in self.columns}
        order = self._order(columns, by)
        texts = self.texts.by_code()
        data = {name: _series(kind, columns.pop(name)[order], texts) for name, kind in self.columns.items()}
        return pd.DataFrame(data, copy=False)

    def _order(self, columns: Columns, by: Sequence[str]) -> Any:
        if not by:
            return slice(None)
        ranks = self.texts.ranks()
        keys = [ranks[columns[name]] if self.columns[name] == "string" else columns[name] for name in by]
        return np.lexsort(keys[::-1])

    def _settle(self) -> None:
        if self._rows or not self._parts:
            rows, self._rows = self._rows, []
            self.add_columns({name: [row[name] for row in rows] for name in self.columns})

    def _coded(self, kind: str, cells: Any) -> npt.NDArray[Any]:
        if kind == "string":
            coded = isinstance(cells, np.ndarray) and cells.dtype == np.int32
            return cells if coded else self.texts.codes(cells)
        if kind == "boolean":
            return np.fromiter(map(_FLAGS.__getitem__, cells), np.int8)
        return np.asarray(cells, np.float64)  # whole numbers too: up to 2^53 it holds them, and a missing one


def _series(kind: str, column: npt.NDArray[Any], texts: npt.NDArray[np.object_]) -> pd.Series[Any]:
    """A column as pandas has it."""
    if kind == "string":
        return pd.Series(pd.array(texts[column], TEXT))
    if kind == "boolean":
        return pd.Series(pd.arrays.BooleanArray(column == 1, column < 0))
    if kind == "Int64":
        missing = np.isnan(column)
        numbers = np.where(missing, 0, column).astype(np.int64)
        return pd.Series(pd.arrays.IntegerArray(numbers, missing))
    return pd.Series(column)


def typed(rows: Sequence[Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a frame of exactly these columns and types; each row has a cell, or None, for every column."""
    table = Table(columns)
    table.add(rows)
    return table.frame()
