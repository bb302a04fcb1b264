"""What is wrong in case files: collected, so that a reader sees every fault at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: What no file of UTF-8 holds, what a terminal obeys, what turns a line around.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: Faults of one file that are listed; more are counted.
MAX_LISTED_FAULTS = 50


def shown(text: object, width: int = 48) -> str:
    """A value from a stranger's file, quoted and cut so that it cannot spoil a terminal or a log."""
    quoted = ascii(text)
    return quoted if len(quoted) <= width else quoted[: width - 4] + "..." + quoted[0]


def meant(word: str, words: Iterable[str]) -> str:
    """The right words, the most likely one first: `did you mean 'softmax'? There are ...`."""
    listed_words = list(words)
    near = difflib.get_close_matches(word[:80], listed_words, n=1, cutoff=0.6)
    listed = ", ".join(listed_words) if listed_words else "none"
    return f"did you mean {near[0]!r}? There are: {listed}" if near else f"one of: {listed}"


@dataclass
class Faults:
    """The faults of one file, each a line `file:line:column: what is wrong: what would be right`."""

    file: str
    noted: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, line: int, column: int, what: str, remedy: str = "") -> None:
        """Note a fault at a place; lines and columns count from 1."""
        self.noted.append((line, column, f"{what}: {remedy}" if remedy else what))

    def __bool__(self) -> bool:
        return bool(self.noted)

    def lines(self) -> list[str]:
        """The faults in the order of the file, each once."""
        unique = sorted(set(self.noted))
        lines = [f"{self.file}:{line}:{column}: {text}" for line, column, text in unique[:MAX_LISTED_FAULTS]]
        if len(unique) > MAX_LISTED_FAULTS:
            lines.append(f"{self.file}: and {len(unique) - MAX_LISTED_FAULTS} more")
        return lines
