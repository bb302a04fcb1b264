"""GitHub's workflow commands for the findings: they appear beside the failing case's line in its YAML file.

The suite's own cases are in no file of the repository: those appear beside the line that runs the suite.

`python -m conformance.report.code_scanning.annotations DIR` prints them for a run that was written before.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from conformance.report.code_scanning.locations import Location, Locations
from conformance.report.code_scanning.sarif import grouped, message
from conformance.report.figures import VISIBLE
from conformance.report.findings import Row
from conformance.report.frames import light
from conformance.report.summary import discrepancies
from conformance.results.loading import load

MAX_ERRORS = 10  # what GitHub shows of one step


def commands(frame: pd.DataFrame) -> list[str]:
    """One `::error` command for each case and quantity with discrepancies, the worst first."""
    groups = grouped(frame[discrepancies(frame)])
    locations = Locations()
    lines = [_command(group, locations.of(group[0])) for group in groups[:MAX_ERRORS]]
    if len(groups) > MAX_ERRORS:
        lines.append(f"::warning title=loss conformance::{len(groups) - MAX_ERRORS} more are in the report")
    return lines


def _command(group: list[Row], location: Location | None) -> str:
    beside = ""
    if location is not None and location.below:
        beside = f"file={_property(location.uri)},line={location.line},"
    title = _property(f"{group[0]['operation']} does not conform")
    return f"::error {beside}title={title}::{_data(message(group))}"


def _data(text: str) -> str:
    """Text as a command's message: a line break would start another command, and a terminal obey others."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").translate(VISIBLE)


def _property(text: str) -> str:
    """Text as a command's property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the annotations of the run in the directory that is named; nothing where all conforms."""
    directory = (sys.argv[1:] if arguments is None else arguments)[0]
    for line in commands(light(load(Path(directory)).frame)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
