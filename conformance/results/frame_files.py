"""Files of a frame: CSV and Parquet, written and read in parts of limited size."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
from pyarrow import compute, csv, parquet

from conformance.results.row_buffers import Table, Texts

#: Bytes of a file that are read in one step: no row may be longer. Arrow reads 32 of them ahead.
_BLOCK_BYTES = 1 << 18
#: Bytes of such steps that become rows together.
_BATCH_BYTES = 1 << 22
#: Rows that are written in one step.
_WRITE_ROWS = 1 << 14


class Keep(Protocol):
    """Filter of a file's rows."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it looks at."""

    def chosen(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Whether to keep each of these rows, of which there are those columns alone."""


def write_csv(frame: pd.DataFrame, stream: io.BufferedIOBase) -> None:
    """Writes a frame with its header as CSV in UTF-8: texts in quotes, what is missing as nothing at all."""
    flags = {name: "string" for name, kind in frame.dtypes.items() if kind == "boolean"}
    stream.write((",".join(map(str, frame.columns)) + "\n").encode())
    for rows in _steps(frame):
        table = pyarrow.Table.from_pandas(rows.astype(flags), preserve_index=False)
        csv.write_csv(table, stream, csv.WriteOptions(include_header=False))


def write_parquet(frame: pd.DataFrame, stream: io.BufferedIOBase) -> None:
    """Writes a frame as Parquet, with its pandas types."""
    schema = pyarrow.Schema.from_pandas(frame.iloc[:0], preserve_index=False)
    with parquet.ParquetWriter(stream, schema) as writer:
        for rows in _steps(frame):
            writer.write_table(pyarrow.Table.from_pandas(rows, schema, preserve_index=False))


def _steps(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A frame's rows, some at a time: Arrow copies every text into every row."""
    for start in range(0, max(len(frame), 1), _WRITE_ROWS):
        yield frame.iloc[start : start + _WRITE_ROWS]


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
    table = Table(columns)
    try:
        read = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        reader = csv.open_csv(path, read, csv.ParseOptions(newlines_in_values=True), options)
        for texts in _gathered(reader):
            if keep is not None:
                filtered = Table({name: columns[name] for name in keep.columns})
                _add(texts, filtered)
                texts = texts.filter(pyarrow.array(keep.chosen(filtered.frame())))
            _add(texts, table)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    return table.frame()


def _gathered(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    waiting: list[pyarrow.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.nbytes for part in waiting) >= _BATCH_BYTES:
            yield pyarrow.concat_batches(waiting)
            waiting = []
    if waiting:
        yield pyarrow.concat_batches(waiting)


def _add(texts: pyarrow.RecordBatch, table: Table) -> None:
    table.add_columns({name: _cells(texts[name], kind, table.texts) for name, kind in table.columns.items()})


def _cells(cells: pyarrow.Array, kind: str, texts: Texts) -> Any:
    cells = compute.fill_null(cells, "")
    if kind == "string":
        encoded = cells.dictionary_encode()
        return texts.codes(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()]
    if kind == "boolean":
        stated = compute.is_in(cells, pyarrow.array(["True", "False"], pyarrow.large_string()))
        return compute.if_else(stated, compute.equal(cells, "True"), None).to_pylist()
    numbers = compute.if_else(compute.equal(cells, ""), None, cells).cast(pyarrow.float64())
    return numbers.to_numpy(zero_copy_only=False)
