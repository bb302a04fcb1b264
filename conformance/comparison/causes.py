"""Causes of changes: the rows of one kind of change grouped by what changed in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.report.figures import count, names, shorten

Row = dict[str, Any]


@dataclass(frozen=True)
class Cause:
    """Rows that changed in the same way, told by the first of them.

    Attributes:
        sentence: What changed, in which subject, from what to what.
        example: The first row.
        checks: How many rows.
        cases: How many entries of case files.
    """

    sentence: str
    example: Row
    checks: int
    cases: int


def causes(rows: Sequence[Row]) -> list[Cause]:
    """The rows grouped by operation, subject, verdicts and kind of message; the largest group first.

    Args:
        rows: Rows of diff.csv of one change, what asks for attention first.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [
        Cause(_sentence(group), group[0], len(group), len({str(row["case"]).split("[")[0] for row in group}))
        for group in ordered
    ]


def _key(row: Row) -> tuple[str, ...]:
    quantity = str(row["quantity"]).partition(":")[0]
    message = _kind(str(row["message_new"])) or _kind(str(row["message_old"]))
    verdicts = str(row["verdict_old"]), str(row["verdict_new"])
    return str(row["operation"]), quantity, str(row["subject"]), *verdicts, str(row["relation"]), message


def _kind(message: str) -> str:
    """The kind of a message: an error's type, else its words without numbers."""
    typed = re.match(r"\w*(?:Error|Exception|Warning)\b", message)
    return typed[0] if typed else re.sub(r"[-+.\d]+", "#", message)[:60]


def _sentence(rows: Sequence[Row]) -> str:
    """What a group of rows tells."""
    first = rows[0]
    subjects = names(list(dict.fromkeys(str(row["subject"]) for row in rows)))
    dtypes = names(list(dict.fromkeys(str(row["dtype"]) for row in rows)))
    what = f"{first['relation']} of {first['operation']}" if first["relation"] else str(first["operation"])
    quantity = "" if first["quantity"] == "value" else f", {first['quantity']}"
    text = f"{what}{quantity} in {subjects} ({dtypes}): "
    text += f"{first['verdict_old'] or 'nothing'} → {first['verdict_new'] or 'nothing'}"
    if first["message_new"]:
        text += f", {shorten(str(first['message_new']), 120)}"
    elif first["returned_new"] and first["exact"]:
        returned, exact = shorten(str(first["returned_new"]), 40), shorten(str(first["exact"]), 24)
        text += f", as {returned} where {exact} is right"
    return f"{text}; {count(len(rows), 'row')}"
