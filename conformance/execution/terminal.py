"""Terminal: the console of results, and progress as bars, or as lines where standard error is a pipe."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from conformance.execution.progress import Progress

#: Seconds from one line of progress to the next where no terminal shows bars.
LINE_SECONDS = 30.0


def console() -> Console:
    """Standard output: coloured on a terminal, plain and unwrapped when piped."""
    coloured = Console(emoji=False)  # `gradient:x:` is a name, no cross
    plain = Console(width=160, highlight=False, no_color=True, emoji=False)
    return coloured if coloured.is_terminal else plain


class Bars:
    """Progress on a terminal: a bar for each subject, before them one that frameworks start."""

    def __init__(self, display: RichProgress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}
        self._start = display.add_task("starting the frameworks", total=None)

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._display.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def planned(self, checks: dict[str, int]) -> None:
        """One bar a subject, marked as starting until its first answer."""
        self._display.remove_task(self._start)
        for subject, count in checks.items():
            self._tasks[subject] = self._display.add_task(f"{subject} (starting)", total=count)

    def answered(self, subject: str, checks: int) -> None:
        """Moves a subject's bar; behind the last answer it says what is still to do."""
        self._display.update(self._tasks[subject], description=subject, advance=checks)
        if self._display.finished:
            self._display.add_task("judging, and writing the report", total=None)

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """Nothing: the bars count answers."""


class Lines:
    """Progress in a pipe: a line when the checks are known, then one each `seconds`."""

    def __init__(self, errors: Console, seconds: float = LINE_SECONDS) -> None:
        self._errors = errors
        self._seconds = seconds
        self._checks: dict[str, int] = {}
        self._answers: Counter[str] = Counter()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        """A line of its own."""
        self._print(f"note: {text}")

    def planned(self, checks: dict[str, int]) -> None:
        """Says how many checks there are, and for whom; from now on time is told."""
        self._checks = dict(checks)
        self._print(f"starting {', '.join(checks)}: {_checks(sum(checks.values()))}")
        self._clock.start()

    def answered(self, subject: str, checks: int) -> None:
        """Counts the answers."""
        self._answers[subject] += checks

    def judged(self, rows: list[dict[str, Any]]) -> None:
        """Nothing: the lines count answers."""

    def end(self) -> None:
        """No further lines."""
        self._ended.set()
        if self._clock.is_alive():
            self._clock.join()

    def _tick(self) -> None:
        while not self._ended.wait(self._seconds):
            self._print(self._line())

    def _line(self) -> str:
        answers = dict(self._answers)
        remaining = [name for name, count in self._checks.items() if answers.get(name, 0) < count]
        counted = f"{sum(answers.values()):,} of {_checks(sum(self._checks.values()))} answered"
        waiting = f"waiting for {', '.join(remaining)}" if remaining else "judging, and writing the report"
        return f"{time.monotonic() - self._started:.0f} s: {counted}; {waiting}"

    def _print(self, text: str) -> None:
        self._errors.print(text, markup=False, highlight=False, soft_wrap=True)


def _checks(count: int) -> str:
    return f"{count:,} check{'' if count == 1 else 's'}"


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress on standard error while the block runs: bars on a terminal, lines in a pipe."""
    errors = Console(stderr=True, emoji=False)
    if errors.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=errors, transient=True) as display:
            yield Bars(display)
        return
    lines = Lines(errors)
    try:
        yield lines
    finally:
        lines.end()
