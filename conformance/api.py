"""What `conformance.run` is: the engine, and the report drawn into the run's directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance import engine, report
from conformance.results import Run


def run(paths: Sequence[str | Path] = (), **options: Any) -> Run:
    """Runs cases through subjects, judges every check and, with `output`, writes the whole report there.

    Takes the arguments of `conformance.engine.run` and returns its Run.
    """
    return engine.run(paths, **{"publish": report.write, **options})
