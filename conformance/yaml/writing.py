"""Text of YAML in flow style: names in quotes where they need them, lines of bounded length."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

#: Columns up to which a line of YAML is written.
MAX_LINE_COLUMNS = 118
_PLAIN = re.compile(r"[A-Za-z][\w./+-]*(:[a-z]\w*)?")


def quoted(text: str) -> str:
    """A text as YAML: plain where it cannot be anything else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in ("null", "true", "false")
    return text if plain else json.dumps(text)


def listed(start: str, names: Sequence[str]) -> list[str]:
    """The lines of a key whose value is a list of names; `start` holds its indent and the key."""
    indent = " " * (len(start) - len(start.lstrip()) + 2)
    return wrapped(f"{start}[{', '.join(map(quoted, names))}]", indent)


def wrapped(line: str, indent: str) -> list[str]:
    """A line broken behind commas, which YAML's flow style allows."""
    lines = []
    while len(line) > MAX_LINE_COLUMNS:
        end = line.rfind(", ", len(indent) + 1, MAX_LINE_COLUMNS)
        if end < 0:
            break
        lines.append(line[: end + 1])
        line = indent + line[end + 2 :]
    return [*lines, line]
