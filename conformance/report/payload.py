"""The table's data as the page carries it: columns with dictionaries, packed so that markup cannot end it."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame column by column, as dictionaries of values and a code for each row.

    `frame` is light (see `frames.light`). Numbers stay exact (shortest repr); nan becomes null, infinities
    the texts `inf` and `-inf`. A missing boolean becomes the empty text, as in the CSV file.
    """
    return {"rows": len(frame), "columns": [_column(str(name), frame[name]) for name in frame.columns]}


def _column(name: str, series: pd.Series) -> dict[str, Any]:
    number = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    if pd.api.types.is_bool_dtype(series):
        series = series.map({True: "True", False: "False"}).astype(object).where(series.notna(), "")
    codes, found = pd.factorize(series, use_na_sentinel=not number)
    values = _numbers(found) if number else [str(word) for word in found]
    return {"name": name, "kind": "number" if number else "text", "values": values, "codes": codes.tolist()}


def _numbers(found: Any) -> list[float | int | str | None]:
    array = np.asarray(found)
    values: list[float | int | str | None] = array.tolist()
    for place in np.flatnonzero(~np.isfinite(array)):
        one = array[place]
        values[place] = None if np.isnan(one) else "inf" if one > 0 else "-inf"
    return values


def pack(text: str) -> str:
    """Text compressed and in base64: an alphabet in which no markup can be written."""
    return base64.b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), 6, mtime=0)).decode(
        "ascii"
    )


def carry(name: str, content: Any) -> str:
    """A script element that holds `content` (text as it is, all else as JSON) and runs nothing."""
    text = (
        content
        if isinstance(content, str)
        else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    )
    return f'<script type="application/gzip" id="data-{name}">{pack(text)}</script>'
