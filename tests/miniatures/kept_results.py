"""Results of the mutation score, and the file that keeps them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import table


@dataclasses.dataclass(frozen=True)
class Result:
    """What the checks said of one miniature; `first` is the case that a user would be shown first.

    `code` is the exit code of `conformance check`; `over` is the number of cases that the corpus had.
    """

    miniature: table.Miniature
    checks: int
    cases: int
    names_cause: bool
    sentence: str
    first: str
    inherited: int
    code: int
    over: int

    @property
    def caught(self) -> bool:
        """Whether any check failed it."""
        return self.checks > 0

    @property
    def is_complete(self) -> bool:
        """Whether every check came to its end: a run that was interrupted says nothing of the miniature."""
        return "not been checked to the end" not in self.sentence

    @property
    def otherwise(self) -> str:
        """How it is judged otherwise than it is, in a word; empty: as it is."""
        if self.miniature.is_right:
            return "failed" if self.caught or self.code else ""
        if self.miniature.awaits:
            return "caught, take its mark off" if self.caught else ""
        return "" if self.caught and self.code else "survives"


FIELDS = [field.name for field in dataclasses.fields(Result) if field.name != "miniature"]


class Kept:
    """Complete results in a file, a line each: what an interrupted score leaves to the next.

    A line holds for as long as the miniature's file has the text that it was judged by; helper modules, cases
    and the package are not looked at: after a change of those, begin a new file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        self.fields = {
            (one["framework"], one["name"], one.get("text", "")): one for one in map(json.loads, lines)
        }

    def get(self, one: table.Miniature) -> Result | None:
        """The complete result of a miniature of this very text, None where there is none yet."""
        kept = self.fields.get((one.framework, one.name, text_digest(one.file)))
        result = Result(one, **{key: kept[key] for key in FIELDS}) if kept else None
        return result if result and result.is_complete else None

    def add(self, results: Sequence[Result]) -> None:
        """Puts the complete ones of some results behind the others."""
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                for one in results:
                    if one.is_complete:
                        fields = {key: getattr(one, key) for key in FIELDS}
                        about = {"framework": one.miniature.framework, "name": one.miniature.name}
                        text = {"text": text_digest(one.miniature.file)}
                        file.write(json.dumps(about | text | fields) + "\n")


@cache
def text_digest(file: str) -> str:
    """The digest of the text of a miniature's file."""
    return hashlib.sha256((table.HERE / file).read_bytes()).hexdigest()[:16]
