"""Description of a run, as it stands in run.json: version, times, machine, subjects, counts of verdicts."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd

from conformance.cases.case import Case
from conformance.results import run


def description(
    run_id: str, started: float, results: pd.DataFrame, cases: Iterable[Case] = ()
) -> dict[str, Any]:
    """What run.json says of any run.

    Args:
        run_id: The run's id.
        started: When it began, in seconds since 1970.
        results: Its rows.
        cases: Its cases.
    """
    counts = results["verdict"].value_counts().to_dict()
    now = time.time()
    return {
        "format": run.FORMAT,
        "id": run_id,
        "conformance": _installed_version(),
        "started": _timestamp(started),
        "finished": _timestamp(now),
        "seconds": round(now - started, 3),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(),
            "cpus": os.cpu_count(),
        },
        "sources": {case.source: case.source_title for case in cases if case.source_title},
        "counts": {name: int(counts[name]) for name in sorted(map(str, counts))},
    }


def _timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _installed_version() -> str:
    try:
        return version("loss-conformance")
    except PackageNotFoundError:
        return "unknown"
