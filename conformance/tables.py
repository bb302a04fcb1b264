"""A frame's rows as they come: held in typed columns, written as CSV, and read again."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
from pyarrow import compute, csv

Row = dict[str, Any]
#: Bytes of a file that are read in one step: no row may be longer. Arrow reads 32 of them ahead.
_BLOCK = 1 << 18
#: Bytes of such steps that are looked at together.
_PART = 1 << 22
#: Rows that are turned into columns in one step: they stay in the processor's cache.
_AT_ONCE = 2048
#: Arrow's types of the columns: it makes them of Python's values in half of the time that pandas takes.
_ARROW = {
    "string": pyarrow.large_string(),
    "boolean": pyarrow.bool_(),
    "float64": pyarrow.float64(),
    "Int64": pyarrow.int64(),
}
_PANDAS = {_ARROW[kind]: pd.api.types.pandas_dtype(kind) for kind in ("string", "boolean", "Int64")}


def typed(rows: Sequence[Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a frame of exactly these columns and types; each row has a cell, or None, for every column."""
    return _frame(_table(rows, columns))


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> pyarrow.Table:
    cells = zip(*map(itemgetter(*columns), rows), strict=True) if rows else ([] for _ in columns)
    return _columns(dict(zip(columns, cells, strict=True)), columns)


def _columns(cells: Mapping[str, Any], columns: Mapping[str, str]) -> pyarrow.Table:
    return pyarrow.table({name: pyarrow.array(cells[name], _ARROW[kind]) for name, kind in columns.items()})


def _frame(table: pyarrow.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS.get)
    return frame


class Keep(Protocol):
    """A choice among a file's rows."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it looks at."""

    def chosen(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether to keep each of these rows, of which there are those columns alone."""


@dataclass
class Table:
    """Rows of one kind in the order in which they come; a row costs the bytes of its cells, and no dict."""

    columns: dict[str, str]
    _rows: list[Row] = field(default_factory=list)
    _parts: list[pyarrow.Table] = field(default_factory=list)

    def add(self, rows: Iterable[Row]) -> None:
        """Takes rows; what they have beside the columns is let go."""
        self._rows += rows
        if len(self._rows) >= _AT_ONCE:
            self._settle()

    def add_columns(self, cells: Mapping[str, Any]) -> None:
        """Takes many rows at once: each column's cells, as many of each."""
        self._parts.append(_columns(cells, self.columns))

    def frame(self, by: Sequence[str]) -> pd.DataFrame:
        """All rows, in the order of these columns; equal ones as they came. The table is empty afterwards."""
        self._settle()
        whole, self._parts = pyarrow.concat_tables(self._parts), []
        order = _frame(whole.select(list(by))).sort_values(list(by), kind="stable").index.to_numpy()
        data: dict[str, pd.Series[Any]] = {}
        for name in self.columns:  # one after the other: two of the whole table would be held otherwise
            column = whole.select([name]).combine_chunks()
            whole = whole.drop_columns([name])
            data[name] = _frame(column.take(order))[name]
        return pd.DataFrame(data, copy=False)

    def _settle(self) -> None:
        if self._rows or not self._parts:
            self._parts.append(_table(self._rows, self.columns))
            self._rows = []


def write_csv(frame: pd.DataFrame, stream: io.BufferedIOBase) -> None:
    """Writes a frame with its header as CSV in UTF-8: texts in quotes, what is missing as nothing at all."""
    flags = {name: "string" for name, kind in frame.dtypes.items() if kind == "boolean"}
    table = pyarrow.Table.from_pandas(frame.astype(flags), preserve_index=False)
    stream.write((",".join(map(str, frame.columns)) + "\n").encode())
    csv.write_csv(table, stream, csv.WriteOptions(include_header=False))


def read_csv(path: Path, columns: Mapping[str, str], keep: Keep | None = None) -> pd.DataFrame:
    """The file's columns of these names and types; what the file lacks is the empty text, or missing.

    `keep` chooses among the rows, a part of the file at a time. Raises OSError or ValueError where the file
    cannot be read, or a cell is no number where one must be.
    """
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pyarrow.large_string()),
        include_columns=list(columns),
        include_missing_columns=True,
    )
    parts = [_table((), columns)]
    try:
        read = csv.ReadOptions(use_threads=False, block_size=_BLOCK)
        reader = csv.open_csv(path, read, csv.ParseOptions(newlines_in_values=True), options)
        for texts in _gathered(reader):
            if keep is not None:
                looked_at = {name: columns[name] for name in keep.columns}
                texts = texts.filter(pyarrow.array(keep.chosen(_frame(_read(texts, looked_at)))))
            parts.append(_read(texts, columns))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    return _frame(pyarrow.concat_tables(parts).combine_chunks())


def _gathered(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    held: list[pyarrow.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.nbytes for one in held) >= _PART:
            yield pyarrow.concat_batches(held)
            held = []
    if held:
        yield pyarrow.concat_batches(held)


def _read(texts: pyarrow.RecordBatch, columns: Mapping[str, str]) -> pyarrow.Table:
    return pyarrow.table({name: _cells(texts[name], kind) for name, kind in columns.items()})


def _cells(texts: pyarrow.Array, kind: str) -> pyarrow.Array:
    texts = compute.fill_null(texts, "")
    if kind == "string":
        return texts
    if kind == "boolean":
        told = compute.is_in(texts, pyarrow.array(["True", "False"], pyarrow.large_string()))
        return compute.if_else(told, compute.equal(texts, "True"), None)
    numbers = compute.if_else(compute.equal(texts, ""), None, texts).cast(pyarrow.float64())
    return numbers.cast(_ARROW[kind])
