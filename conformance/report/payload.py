"""The table's data as the page carries it: columns with dictionaries, packed so that markup cannot end it."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

import pandas as pd


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame column by column: text as a dictionary and codes, numbers as they are.

    Numbers stay exact (shortest repr); nan becomes null, infinities the texts `inf` and `-inf`. What is
    missing in a text or boolean column becomes the empty text, as in the CSV file.
    """
    return {"rows": len(frame), "columns": [_column(str(name), frame[name]) for name in frame.columns]}


def _column(name: str, series: pd.Series) -> dict[str, Any]:
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        numbers = [_number(value) for value in series.tolist()]
        return {"name": name, "kind": "number", "values": numbers}
    found, words_found = pd.factorize(series, use_na_sentinel=True)
    codes: list[int] = found.tolist()
    words = [str(word) for word in words_found]
    if -1 in codes:
        empty = words.index("") if "" in words else len(words)
        words += [] if empty < len(words) else [""]
        codes = [empty if code < 0 else code for code in codes]
    return {"name": name, "kind": "text", "values": words, "codes": codes}


def _number(value: object) -> float | int | str | None:
    if value is None or value is pd.NA:
        return None
    if isinstance(value, int):
        return value
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return None
    return number if math.isfinite(number) else ("inf" if number > 0 else "-inf")


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
