"""Columns with dictionaries, as the page carries its table: packed so that markup cannot end them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd

#: Bytes of a column's codes: the fewest that hold them, little-endian as every browser's machine.
_WIDTHS = (1, 2, 4)


def columns(frame: pd.DataFrame) -> tuple[dict[str, Any], bytes]:
    """A frame's columns as dictionaries of values, and the codes of each row, column after column.

    `frame` is light (see `frames.light`). Numbers stay exact (shortest repr); nan becomes null, infinities
    the texts `inf` and `-inf`. A missing boolean becomes the empty text, as in the CSV file. A column's
    `width` is the number of bytes of its codes, whole numbers with the lowest byte first.
    """
    packed_columns = [_column(str(name), frame[name]) for name in frame.columns]
    about = {"rows": len(frame), "columns": [column for column, _ in packed_columns]}
    return about, b"".join(codes for _, codes in packed_columns)


def carry_columns(name: str, frame: pd.DataFrame) -> str:
    """The script elements that hold `columns` of a frame: `name` and, of the codes, `name`-codes."""
    about, codes = columns(frame)
    return carry(name, about) + "\n" + _element(f"{name}-codes", codes)


def _column(name: str, series: pd.Series) -> tuple[dict[str, Any], bytes]:
    number = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    if pd.api.types.is_bool_dtype(series):
        series = series.map({True: "True", False: "False"}).astype(object).where(series.notna(), "")
    codes, distinct = pd.factorize(series, use_na_sentinel=not number)
    values = _numbers(distinct) if number else [str(word) for word in distinct]
    width = next(width for width in _WIDTHS if len(values) <= 1 << 8 * width)
    about = {"name": name, "kind": "number" if number else "text", "width": width, "values": values}
    return about, codes.astype(f"<u{width}").tobytes()


def _numbers(distinct: Any) -> list[float | int | str | None]:
    array = np.asarray(distinct)
    values: list[float | int | str | None] = array.tolist()
    for position in np.flatnonzero(~np.isfinite(array)):
        special = array[position]
        values[position] = None if np.isnan(special) else "inf" if special > 0 else "-inf"
    return values


def pack(data: bytes) -> str:
    """Bytes compressed and in base64: an alphabet in which no markup can be written."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def carry(name: str, content: Any) -> str:
    """A script element that holds `content` (text as it is, all else as JSON) and runs nothing."""
    text = (
        content
        if isinstance(content, str)
        else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    )
    return _element(name, text.encode("utf-8", "backslashreplace"))


def _element(name: str, data: bytes) -> str:
    return f'<script type="application/gzip" id="data-{name}">{pack(data)}</script>'
