"""Columns that a page carries, read back as the page reads them."""

from __future__ import annotations

import base64
import gzip
import re
from typing import Any

import numpy as np


def unpacked(page: str, name: str) -> bytes:
    """What an element of the page carries."""
    found = re.search(rf'id="data-{name}">([^<]*)<', page)
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1]))


def unfolded(page: str) -> str:
    """The page with the parts that are folded away in their places."""

    def part(match: re.Match[str]) -> str:
        return gzip.decompress(base64.b64decode(match[1])).decode("utf-8")

    return re.sub(r'<script type="application/gzip" class="folded">([^<]*)</script>', part, page)


def cells(about: dict[str, Any], data: bytes) -> dict[str, list[Any]]:
    """The columns of a frame: predicted ones from the rows before, packed dictionaries from their bytes."""
    by_name = {column["name"]: column for column in about["columns"]}
    codes: dict[str, list[int]] = {}
    values: dict[str, list[Any]] = {}
    start = 0

    def take(count: int, kind: str) -> Any:
        nonlocal start
        taken = np.frombuffer(data, kind, count, start)
        start += taken.nbytes
        return taken

    for name in about["order"]:
        column, rows = by_name[name], about["rows"]
        kind = f"<u{column['width']}"
        if "given" in column:
            hits, explicit = take(rows, "u1"), take(column["explicit"], kind)
            context = list(zip(*(codes[other] for other in column["given"]), strict=True))
            codes[name] = _followed(hits.tolist(), explicit.tolist(), context)
        else:
            codes[name] = take(rows, kind).tolist()
        if column.get("packed") == "float64":
            planes = take(8 * column["distinct"], "u1").reshape(8, -1)
            numbers = np.ascontiguousarray(planes.T).view("<f8").reshape(-1).tolist()
            values[name] = [_as_text(number) for number in numbers]
        elif column.get("packed") == "digest":
            digests = take(8 * column["distinct"], "u1").reshape(-1, 8)
            values[name] = [
                "" if number in column["empty"] else digest.tobytes().hex()
                for number, digest in enumerate(digests)
            ]
        else:
            values[name] = column["values"]
    assert start == len(data)
    return {name: [values[name][code] for code in codes[name]] for name in by_name}


def _followed(hits: list[int], explicit: list[int], context: list[tuple[int, ...]]) -> list[int]:
    last: dict[tuple[int, ...], int] = {}
    codes, following, rest = [], 0, iter(explicit)
    for hit, key in zip(hits, context, strict=True):
        code = last[key] if hit == 0 else following if hit == 1 else next(rest)
        following += hit == 1
        last[key] = code
        codes.append(code)
    return codes


def _as_text(number: float) -> float | str | None:
    if number != number:
        return None
    return number if abs(number) != float("inf") else str(number)
