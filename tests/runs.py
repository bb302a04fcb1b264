"""Small runs made by hand, for tests that compare runs."""

from __future__ import annotations

from typing import Any

from conformance.results import run as results
from conformance.results.run import Run

EXACT = "1.000000000000000000000000"


def check(verdict: str = "exact", ulp_error: float | None = 0.25, **more: Any) -> dict[str, Any]:
    """One row of results.csv: functional cross-entropy in float32 unless `more` says otherwise."""
    conforms = None if verdict == "unsupported" else verdict in ("exact", "faithful", "accurate", "stable")
    return dict.fromkeys(results.RESULTS) | {
        "case": "one",
        "operation": "cross_entropy",
        "formulation": "functional",
        "quantity": "value",
        "dtype": "float32",
        "subject": "torch",
        "framework_version": "1.0",
        "framework": "torch",
        "verdict": verdict,
        "conforms": conforms,
        "ulp_error": ulp_error,
        "ulp_bound": 4.0,
        "observed": "1.0" if ulp_error is not None else "",
        "exact": EXACT if ulp_error is not None else "",
        "worst_index": "[]" if ulp_error is not None else "",
        "known": "",
        "message": "",
        "textbook": False,
        "elements": 1 if ulp_error is not None else 0,
        "bits": "00" if ulp_error is not None else "",
        "source": "a source",
        **more,
    }


def relation(judgement: str, distance: float | None = 0.0, **more: Any) -> dict[str, Any]:
    """One row of relations.csv: module = functional unless `more` says otherwise."""
    return dict.fromkeys(results.RELATIONS) | {
        "case": "one",
        "relation": "module = functional",
        "operation": "cross_entropy",
        "quantity": "value",
        "dtype": "float32",
        "subject": "torch",
        "left": "module",
        "right": "functional",
        "judgement": judgement,
        "distance": distance,
        "allowed": 8.0,
        "textbook": False,
        **more,
    }


def run(
    checks: list[dict[str, Any]],
    relations: list[dict[str, Any]] | None = None,
    complete: bool = True,
    **about: Any,
) -> Run:
    """A run of these rows; `about` is said of every subject (`hardware`, `mode` ...)."""
    frames = {name: results.typed([], columns) for name, columns in results.FRAMES.items()}
    frames["relations"] = results.typed(relations or [], results.RELATIONS)
    frame = results.typed(checks, results.RESULTS)
    del frames["results"]
    subjects = {
        str(name): {
            "framework": str(name).split("==")[0].split(":")[0],
            "version": "1.0",
            "mode": "eager",
            **about,
        }
        for name in dict.fromkeys(frame["subject"])
    }
    environment = {
        "format": results.FORMAT,
        "complete": complete,
        "subjects": subjects,
        "settings": {"paths": []},
    }
    return Run(frame, environment, frames)
