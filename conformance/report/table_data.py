"""Columns with dictionaries, as the page carries its table: packed so that markup cannot end them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd

from conformance.report.predicted_codes import PREDICTED_FROM, predicted_codes

#: Bytes of a column's codes: the fewest that hold them, little-endian as every browser's machine.
_WIDTHS = (1, 2, 4)
#: From so many distinct numbers or digests on they are packed as bytes.
_MANY = 256
#: Digits of a digest of 64 bits.
_DIGEST_DIGITS = 16
_HEXADECIMAL = frozenset("0123456789abcdef")


def columns(frame: pd.DataFrame) -> tuple[dict[str, Any], bytes]:
    """A frame's columns as dictionaries of values, and the codes of each row, column after column.

    `frame` is light (see `frames.light`). Numbers stay exact: few as shortest repr (nan: null, infinities:
    `inf` and `-inf`), many as float64 behind the codes, as are digests (see `_packed`). A missing boolean
    becomes the empty text, as in the CSV file. A column's `width` is the number of bytes of its codes, whole
    numbers with the lowest byte first. Columns that others predict come last (see `predicted_codes`).
    """
    names = [str(name) for name in frame.columns]
    order = [name for name in names if name not in PREDICTED_FROM]
    order += [name for name in PREDICTED_FROM if name in names]
    about: dict[str, dict[str, Any]] = {}
    codes: dict[str, np.ndarray[Any, Any]] = {}
    parts: list[bytes] = []
    for name in order:
        about[name], codes[name] = _column(name, frame[name])
        context = [other for other in PREDICTED_FROM.get(name, ()) if other in codes]
        if context:
            hits, rest = predicted_codes(codes[name], [codes[other] for other in context])
            about[name] |= {"given": context, "explicit": len(rest)}
            parts.append(hits.tobytes())
        else:
            rest = codes[name]
        parts += [rest.astype(f"<u{about[name]['width']}").tobytes(), about[name].pop("binary")]
    return {"rows": len(frame), "order": order, "columns": [about[name] for name in names]}, b"".join(parts)


def carry_columns(name: str, frame: pd.DataFrame) -> str:
    """The script elements that hold `columns` of a frame: `name` and, of the codes, `name`-codes."""
    about, codes = columns(frame)
    return carry(name, about) + "\n" + _element(f"{name}-codes", codes)


def _column(name: str, series: pd.Series) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    number = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    if pd.api.types.is_bool_dtype(series):
        series = series.map({True: "True", False: "False"}).astype(object).where(series.notna(), "")
    codes, distinct = pd.factorize(series, use_na_sentinel=not number)
    width = next(width for width in _WIDTHS if len(distinct) <= 1 << 8 * width)
    about: dict[str, Any] = {
        "name": name,
        "kind": "number" if number else "text",
        "width": width,
        "binary": b"",
    }
    if number and len(distinct) > _MANY:
        about |= {"packed": "float64", "distinct": len(distinct)}
        about["binary"] = _planes(np.asarray(distinct, "<f8"))
    elif not number and len(distinct) > _MANY and all(_is_digest(text) for text in distinct):
        about |= {"packed": "digest", "distinct": len(distinct)}
        about["binary"] = bytes.fromhex("".join(text or "0" * _DIGEST_DIGITS for text in distinct))
        about["empty"] = [number for number, text in enumerate(distinct) if not text]
    else:
        about["values"] = _numbers(distinct) if number else [str(word) for word in distinct]
    return about, codes


def _is_digest(text: object) -> bool:
    """Whether a text is a digest of 64 bits in hexadecimal digits, or empty."""
    letters = str(text)
    return not letters or (len(letters) == _DIGEST_DIGITS and _HEXADECIMAL.issuperset(letters))


def _planes(values: np.ndarray[Any, Any]) -> bytes:
    """Numbers of 8 bytes as planes, all first bytes, then all second ones: what is alike packs well."""
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, 8).T).tobytes()


def _numbers(distinct: Any) -> list[float | int | str | None]:
    array = np.asarray(distinct)
    values: list[float | int | str | None] = array.tolist()
    for position in np.flatnonzero(~np.isfinite(array)):
        special = array[position]
        values[position] = None if np.isnan(special) else "inf" if special > 0 else "-inf"
    return values


def pack(data: bytes) -> str:
    """Bytes compressed and in base64: an alphabet in which no markup can be written."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode("ascii")


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
