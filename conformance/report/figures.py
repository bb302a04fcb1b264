"""Figures and names as people read them."""

from __future__ import annotations

import math
import re

import pandas as pd

# What would move a terminal's cursor or turn a line around is shown as a sign of its own.
VISIBLE = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "\u2421"}
VISIBLE |= {code: f"<U+{code:04X}>" for code in (*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F)}
VISIBLE |= {code: f"<U+{code:04X}>" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
DTYPES = ("float16", "bfloat16", "float32", "float64")


def missing(value: object) -> bool:
    """Whether a cell of a frame holds nothing: None, NA or nan."""
    return value is None or value is pd.NA or value != value


def plain(value: object) -> str:
    """A cell as text: empty for what is missing, the shortest digits for a number."""
    return "" if missing(value) else str(value)


def ulps(value: float | None) -> str:
    """An error in ulps in six characters or so: `0.5`, `17.3`, `4,321`, `1.4e7`, `∞`; `–` for none."""
    if missing(value) or value is None:
        return "–"
    if math.isinf(value):
        return "∞"
    if value == 0:
        return "0"
    if value < 0.01:
        return "<0.01"
    if value < 100:
        return (
            f"{value:.2f}".rstrip("0").rstrip(".") if value < 10 else f"{value:.1f}".rstrip("0").rstrip(".")
        )
    if value < 1e5:
        return f"{value:,.0f}"
    return re.sub(r"e\+?0*", "e", f"{value:.1e}")


def share(ratio: float | None) -> str:
    """An error as a multiple of its bound in six characters or so: `0.08`, `0.97`, `1.4e7`; `–` for none."""
    if missing(ratio) or ratio is None or math.isinf(ratio):
        return ulps(ratio)
    if 0 < ratio < 0.01:
        return "<0.01"
    return f"{ratio:.2f}" if 0 < ratio < 10 else ulps(ratio)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: `1 check`, `2,000 checks`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def names(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def shorten(text: str, limit: int = 300) -> str:
    """The text on one line, cut at `limit` characters with an ellipsis; control characters become signs."""
    line = " ".join(text.split()).translate(VISIBLE)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def link(source: str) -> str | None:
    """The address that a source names: a web address as it is, `owner/repository#12` as its issue."""
    if re.match(r"https?://[^\s\"'<>]+$", source):
        return source
    issue = re.match(r"([\w.-]+)/([\w.-]+)#(\d+)$", source)
    return "https://github.com/{}/{}/issues/{}".format(*issue.groups()) if issue else None


def source_name(source: str) -> str:
    """A source as people cite it: an issue's address as `owner/repository#12`."""
    issue = re.match(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)/?$", source)
    return f"{issue[1]}#{issue[2]}" if issue else source


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorts dtypes from narrow to wide, unknown ones last."""
    return (DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES), dtype)


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
