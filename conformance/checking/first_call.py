"""First call of a user's function: what no other call could change ends the check at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from conformance.adapters.user_call import MISFIT
from conformance.errors import SubjectError
from conformance.execution.progress import Progress, Silent

#: What a worker says before it ends, where its function is not to be had.
_UNAVAILABLE = re.compile(r"exit code 3\b.*?conformance: (?P<why>.*)", re.DOTALL)


class FirstCall:
    """Progress that raises SubjectError at the first judged row by which the function fits no call.

    Args:
        subject: The function's name in the rows.
        progress: Who else is told; None: nobody.
    """

    def __init__(self, subject: str, progress: Progress | None) -> None:
        self._subject = subject
        self._progress = progress or Silent()
        self.note, self.planned, self.answered = (
            self._progress.note,
            self._progress.planned,
            self._progress.answered,
        )

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """Passes the rows on, unless one says that no call fits."""
        for row in rows:
            if row["subject"] == self._subject:
                refuse_row(row)
        self._progress.judged(rows)


def refuse_row(row: Mapping[str, Any]) -> None:
    """SubjectError where a row says that no call fits the function, or that there is none."""
    message = str(row["message"] or "")
    if row["verdict"] == "raised" and message.startswith(f"{MISFIT}: "):
        raise SubjectError(message.removeprefix(f"{MISFIT}: "))
    unavailable = _UNAVAILABLE.search(message) if row["verdict"] == "crashed" else None
    if unavailable:
        raise SubjectError(f"{row['subject']} cannot be started: {unavailable['why']}")
