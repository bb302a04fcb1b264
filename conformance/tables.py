"""A frame's rows as they come: held in typed columns, written as CSV, and read again."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import compute, csv

Row = dict[str, Any]
#: Bytes of a file that are read in one step: no row may be longer.
_BLOCK = 1 << 24
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


def read_csv(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """The file's columns of these names and types; what the file lacks is the empty text, or missing.

    Raises OSError or ValueError where the file cannot be read, or a cell is no number where one must be.
    """
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pyarrow.large_string()),
        include_columns=list(columns),
        include_missing_columns=True,
    )
    try:
        table = csv.read_csv(
            path, csv.ReadOptions(block_size=_BLOCK), csv.ParseOptions(newlines_in_values=True), options
        )
        cells = {name: _cells(table[name].combine_chunks(), kind) for name, kind in columns.items()}
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    frame: pd.DataFrame = pyarrow.table(cells).to_pandas(types_mapper=_PANDAS.get)
    return frame


def _cells(texts: pyarrow.Array, kind: str) -> pyarrow.Array:
    texts = compute.fill_null(texts, "")
    if kind == "string":
        return texts
    if kind == "boolean":
        told = compute.is_in(texts, pyarrow.array(["True", "False"], pyarrow.large_string()))
        return compute.if_else(told, compute.equal(texts, "True"), None)
    numbers = compute.if_else(compute.equal(texts, ""), None, texts).cast(pyarrow.float64())
    return numbers.cast(_ARROW[kind])
