"""SARIF 2.1.0 for code-scanning views: a result for each case and quantity that deviates."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

import pandas as pd

from conformance.report.code_scanning.locations import Location, Locations
from conformance.report.figures import count, names, shorten, ulps
from conformance.report.findings import CASE, Row, ranked
from conformance.report.overview import Overview
from conformance.report.summary import discrepancies, known_text
from conformance.report.verdicts import look

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 5_000  # results: what GitHub takes of one file


def sarif(overview: Overview) -> str:
    """The discrepancies of an overview as errors and its known deviations as suppressed notes, as JSON text.

    A result points at the line of the case in its YAML file, or, where the reader's repository has no such
    file, at the workflow that ran the suite; its fingerprint stays the same over runs.
    """
    frame = overview.frame
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & frame["verdict"].ne("not run")
    known = failing & known_text(frame).ne("")
    errors, notes = grouped(frame[discrepancies(frame)]), grouped(frame[known])
    locations = Locations()
    results = [
        *(_result(group, "error", locations) for group in errors[:MAX_RESULTS]),
        *(_result(group, "note", locations) for group in notes[: max(0, MAX_RESULTS - len(errors))]),
    ]
    rules = sorted({str(result["ruleId"]) for result in results})
    driver = {
        "name": "loss-conformance",
        "version": dict(overview.summary.facts).get("conformance") or "0",
        "rules": [_rule(name) for name in rules],
    }
    run = {
        "tool": {"driver": driver},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": overview.summary.state in ("conforms", "deviates")}],
        "properties": {"run": overview.summary.run_id, "sentence": overview.summary.sentence},
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False)
        + "\n"
    )


def _rule(name: str) -> dict[str, Any]:
    text = f"{name} stays within the error bound of the standard stable algorithm"
    return {
        "id": name,
        "shortDescription": {"text": text},
        "fullDescription": {"text": f"{text}, against the exact value, in every formulation and dtype."},
        "defaultConfiguration": {"level": "error"},
    }


def grouped(rows: pd.DataFrame) -> list[list[Row]]:
    """The rows of each case and quantity, the worst first."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in ranked(rows).to_dict("records"):
        groups.setdefault(tuple(str(row[name]) for name in CASE), []).append(row)
    return list(groups.values())


def _result(group: list[Row], level: str, locations: Locations) -> dict[str, Any]:
    worst = group[0]
    fingerprint = "|".join(str(worst[name]) for name in CASE)
    result: dict[str, Any] = {
        "ruleId": str(worst["operation"]),
        "level": level,
        "message": {"text": message(group)},
        "partialFingerprints": {"check/v1": hashlib.sha256(fingerprint.encode()).hexdigest()[:32]},
    }
    location = locations.of(worst)
    if location is not None:
        result["locations"] = [_location(location, str(worst["case"]))]
    if level == "note":
        reason = shorten(str(worst["known"]), 1_000)
        result["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": reason}]
    return result


def _location(location: Location, case: str) -> dict[str, Any]:
    artifact = {"uri": quote(location.uri, safe="/:")}
    if location.below:
        artifact["uriBaseId"] = "%SRCROOT%"
    return {
        "physicalLocation": {"artifactLocation": artifact, "region": {"startLine": location.line}},
        "logicalLocations": [{"fullyQualifiedName": shorten(case, 120)}],
    }


def message(group: list[Row]) -> str:
    """What deviates on one case and quantity, in a sentence: who, how far at worst, what would be right."""
    worst = group[0]
    subjects = names(list(dict.fromkeys(str(row["subject"]) for row in group)))
    ways = names(list(dict.fromkeys(f"{row['formulation']} {row['dtype']}" for row in group))[:6])
    text = (
        f"{shorten(str(worst['case']), 120)}: {worst['operation']} {worst['quantity']} in {subjects}: "
        f"{look(str(worst['verdict'])).name} ({count(len(group), 'check')}: {ways})."
    )
    if worst["observed"] and worst["exact"]:
        error = ulps(float(worst["ulp_error"]))
        text += f" At worst {worst['observed']} for {shorten(str(worst['exact']), 40)}, {error} ulps."
    elif worst["message"]:
        text += f" {shorten(str(worst['message']), 300)}"
    return text
