"""Rows as they come become a frame of given types; texts are held once, however many rows have them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conformance.report.frames import light
from conformance.results import row_buffers
from conformance.results.frame_files import read_csv, write_csv, write_parquet
from conformance.results.row_buffers import Row, Table, typed

COLUMNS = {"name": "string", "place": "Int64", "error": "float64", "sound": "boolean"}
ROWS: list[Row] = [
    {"name": "b", "place": 2, "error": 0.1, "sound": True, "more": "is let go"},
    {"name": 'an "a", two\nlines', "place": None, "error": None, "sound": None},
    {"name": "b", "place": 2**53, "error": float("inf"), "sound": False},
    {"name": "", "place": 0, "error": float("nan"), "sound": True},
    {"name": "é", "place": -1, "error": 5e-324, "sound": False},
]


def test_every_cell_is_there_in_its_type() -> None:
    frame = typed(ROWS, COLUMNS)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == COLUMNS
    expected = pd.DataFrame({name: [row[name] for row in ROWS] for name in COLUMNS}).astype(
        {**COLUMNS, "name": row_buffers.TEXT}
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_rows_in_order_whatever_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first column decides, then the next; equal rows stay as they came; missing ones are last."""
    monkeypatch.setattr(row_buffers, "_BATCH_ROWS", 3)
    names = ["b", None, "a", "B", "b", "a", "é", "z"]
    table = Table({"name": "string", "place": "Int64", "number": "float64"})
    for number, name in enumerate(names):
        table.add([{"name": name, "place": number % 2, "number": number}])
    frame = table.frame(by=("name", "place"))
    assert frame["number"].tolist() == [3, 2, 5, 0, 4, 7, 6, 1]
    assert table.frame().empty
    assert list(table.frame().columns) == ["name", "place", "number"]


def test_columns_at_once_are_the_same_rows() -> None:
    at_once = Table(COLUMNS)
    at_once.add_columns({name: [row[name] for row in ROWS] for name in COLUMNS})
    pd.testing.assert_frame_equal(at_once.frame(), typed(ROWS, COLUMNS))


def test_a_text_is_held_once() -> None:
    """A row costs four bytes of a text while rows come, and eight in the frame, which the report shares."""
    texts = ["".join(["a long ", "text"]) for _ in range(5000)]
    table = Table({"name": "string"})
    table.add({"name": text} for text in texts)
    assert sum(column.nbytes for part in table._parts for column in part.values()) == 4 * len(texts)
    frame = table.frame()
    assert len({id(text) for text in frame["name"]}) == 1
    assert frame.memory_usage(index=False, deep=False).sum() == 8 * len(texts)
    assert np.shares_memory(light(frame)["name"].to_numpy(), frame["name"].to_numpy())


def test_files_hold_the_frame_whatever_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step or in several, CSV has the same bytes, and both kinds of file give the frame back."""
    frame = typed([row for row in ROWS for _ in range(3)], COLUMNS)
    at_once, stepwise = io.BytesIO(), io.BytesIO()
    write_csv(frame, at_once)
    monkeypatch.setattr("conformance.results.frame_files._WRITE_ROWS", 4)
    write_csv(frame, stepwise)
    assert stepwise.getvalue() == at_once.getvalue()
    (tmp_path / "table.csv").write_bytes(at_once.getvalue())
    pd.testing.assert_frame_equal(read_csv(tmp_path / "table.csv", COLUMNS), frame)
    with (tmp_path / "table.parquet").open("wb") as stream:
        write_parquet(frame, stream)
    read_back = pd.read_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_back.astype(frame.dtypes.to_dict()), frame)
    assert {name: str(kind) for name, kind in read_back.dtypes.items()} == COLUMNS


@pytest.mark.parametrize("columns", [COLUMNS, {"name": "string"}])
def test_no_rows_are_a_frame_and_files(tmp_path: Path, columns: dict[str, str]) -> None:
    frame = typed([], columns)
    assert list(frame.columns) == list(columns)
    with (tmp_path / "table.csv").open("wb") as stream:
        write_csv(frame, stream)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "table.csv", columns), frame)
