"""Location of a result in a file that its reader has: the case's line, or the workflow that ran the suite.

The suite's own cases lie in an installed package, not in the repository whose pull request shows the result;
a path that leads nowhere is worse than none, and code scanning refuses a result without any.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from conformance.cases.discovery import corpus
from conformance.report.figures import missing

Row = Mapping[str, object]
#: What a workflow's line says that runs the suite.
SUITE = "conformance"


class Location(NamedTuple):
    """A line of a file.

    Attributes:
        uri: The path below the checkout, or, where `below` is False, a `file:` address.
        line: The line, the first is 1.
        below: Whether the file lies in the checkout.
    """

    uri: str
    line: int
    below: bool


class Locations:
    """Locations of results in one checkout: the working directory, or the repository around it on GitHub.

    Attributes:
        root: The checkout's folder.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        workspace = Path(environment.get("GITHUB_WORKSPACE") or ".").resolve()
        here = Path.cwd()
        self.root = workspace if here.is_relative_to(workspace) else here
        self._texts: dict[Path, str] = {}

    def of(self, row: Row) -> Location | None:
        """The line that a row of `results.csv` is shown at; None where there is no file to show."""
        file, number = str(row["file"]), row["line"]
        # A frame in which some rows have no line holds floats, nan where there is none.
        line = 1 if missing(number) or not number else max(1, int(float(str(number))))
        if not file:
            return None
        path = Path.cwd() / file
        if path.is_relative_to(self.root) and self._names(path, str(row["case"])):
            return Location(path.relative_to(self.root).as_posix(), line, True)
        return self.workflow or self._packaged(file, line)

    @cached_property
    def workflow(self) -> Location | None:
        """The line of the GitHub workflow that runs the suite: `OWNER/REPOSITORY/PATH@REF` names its file."""
        reference = self._environment.get("GITHUB_WORKFLOW_REF", "")
        path = "/".join(reference.partition("@")[0].split("/")[2:])
        if not path or not (self.root / path).is_file():
            return None
        lines = self._text(self.root / path).splitlines()
        return Location(path, next((n for n, text in enumerate(lines, 1) if SUITE in text), 1), True)

    def _names(self, path: Path, case: str) -> bool:
        """Whether a file has the case: a file of this name may be another one than the suite's."""
        return case.partition("[")[0] in self._text(path)

    def _packaged(self, file: str, line: int) -> Location | None:
        path = corpus() / file.removeprefix("cases/") if file.startswith("cases/") else Path(file)
        return Location(path.resolve().as_uri(), line, False) if path.is_file() else None

    def _text(self, path: Path) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                self._texts[path] = ""
        return self._texts[path]
