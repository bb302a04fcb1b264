"""Progress of a run: what it tells whoever watches while it goes on."""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """Progress as a run tells it; every method may do nothing."""

    def note(self, text: str) -> None:
        """A line for the user: a framework that is missing, a deviation that is gone."""

    def planned(self, checks: dict[str, int]) -> None:
        """The number of checks of each subject."""

    def answered(self, subject: str, checks: int) -> None:
        """A subject has answered this many more checks."""

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """The rows of a group that has just been judged."""


class Silent:
    """Progress that nobody watches."""

    def note(self, text: str) -> None:
        """Nothing."""

    def planned(self, checks: dict[str, int]) -> None:
        """Nothing."""

    def answered(self, subject: str, checks: int) -> None:
        """Nothing."""

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """Nothing."""
