"""What a run shows in the terminal while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


def console() -> Console:
    """Standard output: coloured on a terminal, plain and unwrapped when piped."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=160, highlight=False, no_color=True)


class Bars:
    """A bar for each subject on standard error; nothing where that is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def planned(self, checks: dict[str, int]) -> None:
        """One bar a subject."""
        for subject, count in checks.items():
            self._tasks[subject] = self._progress.add_task(subject, total=count)

    def answered(self, subject: str, checks: int) -> None:
        """Moves a subject's bar."""
        self._progress.advance(self._tasks[subject], checks)

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """Nothing: the bars count answers."""


@contextmanager
def progress() -> Iterator[Bars]:
    """Bars that are shown while the block runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as shown:
        yield Bars(shown)
