"""A frame's rows as they come: held in typed columns, and written as CSV."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import csv

Row = dict[str, Any]
#: Rows that are turned into columns in one step: they stay in the processor's cache.
_AT_ONCE = 4096
#: Arrow's types of the columns: it makes them of Python's values in half of the time that pandas takes.
_ARROW = {
    "string": pyarrow.large_string(),
    "boolean": pyarrow.bool_(),
    "float64": pyarrow.float64(),
    "Int64": pyarrow.int64(),
}
_PANDAS = {_ARROW[kind]: pd.api.types.pandas_dtype(kind) for kind in ("string", "boolean", "Int64")}


def typed(rows: Sequence[Row], columns: dict[str, str]) -> pd.DataFrame:
    """Rows as a frame of exactly these columns and types; each row has a cell, or None, for every column."""
    cells = zip(*map(itemgetter(*columns), rows), strict=True) if rows else ([] for _ in columns)
    return _framed(dict(zip(columns, cells, strict=True)), columns)


def _framed(cells: Mapping[str, Any], columns: dict[str, str]) -> pd.DataFrame:
    data = {name: pyarrow.array(cells[name], _ARROW[kind]) for name, kind in columns.items()}
    frame: pd.DataFrame = pyarrow.table(data).to_pandas(types_mapper=_PANDAS.get)
    return frame


@dataclass
class Table:
    """Rows of one kind in the order in which they come; a row costs the bytes of its cells, and no dict."""

    columns: dict[str, str]
    _rows: list[Row] = field(default_factory=list)
    _parts: list[pd.DataFrame] = field(default_factory=list)

    def add(self, rows: Iterable[Row]) -> None:
        """Takes rows; what they have beside the columns is let go."""
        self._rows += rows
        if len(self._rows) >= _AT_ONCE:
            self._settle()

    def add_columns(self, cells: Mapping[str, Any]) -> None:
        """Takes many rows at once: each column's cells, as many of each."""
        self._parts.append(_framed(cells, self.columns))

    def frame(self, by: Sequence[str]) -> pd.DataFrame:
        """All rows, in the order of these columns; equal ones as they came."""
        self._settle()
        whole = pd.concat(self._parts, ignore_index=True)
        self._parts = [whole.sort_values(list(by), kind="stable", ignore_index=True)]
        return self._parts[0]

    def _settle(self) -> None:
        if self._rows or not self._parts:
            self._parts.append(typed(self._rows, self.columns))
            self._rows = []


def write_csv(frame: pd.DataFrame, stream: io.BufferedIOBase) -> None:
    """Writes a frame with its header as CSV in UTF-8: texts in quotes, what is missing as nothing at all."""
    flags = {name: "string" for name, kind in frame.dtypes.items() if kind == "boolean"}
    table = pyarrow.Table.from_pandas(frame.astype(flags), preserve_index=False)
    stream.write((",".join(map(str, frame.columns)) + "\n").encode())
    csv.write_csv(table, stream, csv.WriteOptions(include_header=False))
