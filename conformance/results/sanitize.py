"""What comes from a worker, or out of another's run, made safe: texts for a terminal, the expected types.

A subject may send anything. Texts lose what no UTF-8 holds and what a terminal would obey, and are cut.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from conformance.yaml.problems import CONTROL

#: Characters of a message that are kept.
MAX_TEXT_CHARACTERS = 2000
#: Characters of a name, a version or a key that are kept.
MAX_NAME_CHARACTERS = 200
#: Warnings of one answer, and overwritten inputs of one outcome, that are kept.
MAX_WARNINGS = 20
#: Outcomes that a worker may report; the others are the engine's own words about a worker.
STATUSES = ("returned", "raised", "unsupported")

Outcomes = dict[str, dict[str, Any]]


def text(value: object, longest: int = MAX_TEXT_CHARACTERS) -> str:
    """A value as text, cut; control characters and lone surrogates as escapes, lines and tabs kept."""
    cut = str(value)[:longest].replace("\r\n", "\n")
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), cut)


def plain(value: Any, depth: int = 8) -> Any:
    """A JSON value with all of its texts made safe, and without numbers that JSON lacks."""
    if isinstance(value, dict) and depth:
        return {text(key, MAX_NAME_CHARACTERS): plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list) and depth:
        return [plain(inner, depth - 1) for inner in value]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return text(value)


def hello(header: dict[str, Any]) -> dict[str, Any]:
    """A worker's words about itself, with the types that reports rely on."""
    described = plain(header)
    for name in ("framework", "version", "python", "numpy", "device", "mode"):
        if name in described:
            described[name] = text(described[name], MAX_NAME_CHARACTERS)
    for name in ("versions", "hardware", "formulations"):
        if not isinstance(described.get(name, {}), dict):
            described[name] = {}
    flags = described.get("hardware", {}).pop("flags", None)
    if isinstance(flags, list):
        described["hardware"]["flags"] = [text(flag, 50) for flag in flags]
    return {name: value for name, value in described.items() if name not in ("kind", "arrays")}


def outcomes(header: dict[str, Any], quantities: Collection[str]) -> Outcomes | None:
    """A response's outcome for each quantity; None where they are not what a response must have."""
    claimed = header.get("outcomes")
    if not isinstance(claimed, dict) or set(claimed) != set(quantities):
        return None
    result: Outcomes = {}
    for quantity, outcome in claimed.items():
        if not isinstance(outcome, dict) or outcome.get("status") not in STATUSES:
            return None
        result[quantity] = {"status": outcome["status"]}
        for name in ("error", "message"):
            if name in outcome:
                result[quantity][name] = text(outcome[name])
        dtypes = outcome.get("dtypes")
        if isinstance(dtypes, list) and dtypes:
            result[quantity]["dtypes"] = [text(name, MAX_NAME_CHARACTERS) for name in dtypes[:MAX_WARNINGS]]
        overwritten = outcome.get("overwritten")
        if isinstance(overwritten, list) and overwritten:
            result[quantity]["overwritten"] = [
                text(name, MAX_NAME_CHARACTERS) for name in overwritten[:MAX_WARNINGS]
            ]
    return result


def warnings(header: dict[str, Any]) -> tuple[str, ...]:
    """A response's warnings."""
    lines = header.get("warnings")
    return tuple(text(line) for line in lines[:MAX_WARNINGS]) if isinstance(lines, list) else ()


def number(header: dict[str, Any], name: str) -> float:
    """A number that a response tells about itself; 0 where it tells none."""
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e15:
        return 0.0
    return max(0.0, float(value))
