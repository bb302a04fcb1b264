"""What a run is made of in the end: its frames, each in one order whatever came first, and run.json."""

from __future__ import annotations

import datetime
import os
import platform
import time
from typing import Any

import pandas as pd

from conformance.judging.collector import REQUEST, Collector
from conformance.results import run
from conformance.results.row_buffers import Table

_PAIR = ("operation", "formulation", "quantity", "dtype", "subject_a", "subject_b")
#: The columns by which each frame is ordered: together they name a row.
_ORDER = {
    "results": ("file", "line", "dtype", REQUEST, "quantity", "subject"),
    "equivalence": _PAIR,
    "relations": ("case", "dtype", "relation", "quantity", "subject", "left", "right"),
    "breaks": ("case", "relation", "dtype", "subject", "left", "right"),
    "sweep": ("case", "dtype", "formulation", "quantity", "subject", "gap"),
    "printed": ("source", "case", "formulation", "subject"),
}


def frames(collector: Collector, breaks: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Every frame of a run by name, of what the collector judged and what the searches found."""
    tallies = [
        dict(zip(_PAIR, key, strict=True))
        | {
            "checks": tally.checks,
            "identical": tally.identical,
            "share_identical": tally.identical / tally.checks,
            "largest_distance": tally.largest,
            "beyond_bounds": tally.beyond,
            "worst_case": tally.worst_case,
        }
        for key, tally in sorted(collector.tallies.items())
    ]
    tables = {**collector.tables, "breaks": Table(run.BREAKS), "equivalence": Table(run.EQUIVALENCE)}
    tables["breaks"].add(breaks)
    tables["equivalence"].add(tallies)
    found = {name: tables[name].frame(_ORDER[name]) for name in run.FRAMES}
    return found | {"results": found["results"].drop(columns=REQUEST)}


def environment(run_id: str, started: float, frame: pd.DataFrame) -> dict[str, Any]:
    """What run.json tells of any run: version, times, machine and counts of verdicts."""
    counts = frame["verdict"].value_counts().to_dict()
    now = time.time()
    return {
        "format": run.FORMAT,
        "id": run_id,
        "conformance": _own_version(),
        "started": _stamp(started),
        "finished": _stamp(now),
        "seconds": round(now - started, 3),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(),
            "cpus": os.cpu_count(),
        },
        "counts": {name: int(counts[name]) for name in sorted(map(str, counts))},
    }


def _stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("loss-conformance")
    except PackageNotFoundError:
        return "unknown"
