"""Control: what a function fails as the framework's own does (inherited), and what it refuses throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.cases.case import Case
from conformance.operations import OPERATIONS, SECOND

#: Where a framework has no formulation `functional` of an operation, this one is the control.
COMPOSED = "composed"
#: A control whose error is smaller by less than this factor fails like the function.
ALIKE_FACTOR = 2.0


def control_rows(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The control's row of each check: `functional`, or what the framework composes where it has none."""
    chosen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["case"], row["dtype"], row["quantity"])
        if key not in chosen or (chosen[key]["verdict"] == "unsupported" and row["formulation"] == COMPOSED):
            chosen[key] = row
    return chosen


def inherit(
    rows: Sequence[dict[str, Any]], control: Mapping[tuple[str, str, str], dict[str, Any]], name: str
) -> None:
    """Marks what the control fails alike: with the same verdict, and an error that is not much smaller."""
    for row in rows:
        other = control.get((row["case"], row["dtype"], row["quantity"]))
        if (
            row["conforms"] is not False
            or row["known"]
            or other is None
            or other["verdict"] != row["verdict"]
        ):
            continue
        error, control_error = row["ulp_error"], other["ulp_error"]
        if (error is None) != (control_error is None):
            continue
        if error is not None and control_error * ALIKE_FACTOR < error:
            continue
        about = f": {other['known']}" if other["known"] else ""
        row["known"] = f"inherited: {name} {other['formulation']} is {other['verdict']} as well{about}"


def refuse(rows: Sequence[dict[str, Any]], cases: Mapping[str, Case]) -> None:
    """Makes `unsupported` what a function raises on throughout: a dtype, a number of axes, a kind of target.

    A function for (N, C) logits and labels is no worse for saying so, in whatever words: what counts is that
    it never answers there, and does elsewhere.
    """
    answered: set[tuple[str, str]] = set()
    raised: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        case = cases[row["case"]]
        if _legacy(row, case):
            row.update(
                verdict="unsupported", conforms=None, ulp_error=None, message="no part of the signature"
            )
        if case.expect == "error" or row["verdict"] == "unsupported":
            continue
        for kind in _kinds(case, row):
            if row["verdict"] == "raised":
                raised.setdefault(kind, []).append(row)
            else:
                answered.add(kind)
    for kind, failing in raised.items():
        others = {other for other in answered if other[0] == kind[0]}
        if kind not in answered and others:
            for row in failing:
                if row["verdict"] == "raised":
                    row["message"] = f"refuses {kind[1]} throughout: {row['message']}"
                    row.update(verdict="unsupported", conforms=None, ulp_error=None)


def _legacy(row: Mapping[str, Any], case: Case) -> bool:
    """Whether a check fails on a value that one framework takes and the signature does not have."""
    asked = case.parameters.get("reduction") == "elementwise_mean" or case.parameters.get("num_classes") == -1
    return asked and row["conforms"] is False and case.expect != "error"


def _kinds(case: Case, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a function may leave out as a whole, as (what varies, this check's)."""
    arguments = case.arguments(row["dtype"])
    first, *others = OPERATIONS[case.operation].inputs
    shape = arguments[first.name].shape
    kinds = [("dtype", row["dtype"]), ("axes", f"{first.name} of {len(shape)} axes")]
    for item in others:
        floating = arguments[item.name].dtype.kind == "f"
        narrow = "" if case.label_dtype == "int64" else f"{case.label_dtype} "
        kinds.append((item.name, f"a {item.name} of {'probabilities' if floating else narrow + 'labels'}"))
    if row["quantity"] != f"gradient:{first.name}":
        name = str(row["quantity"]).replace(SECOND, "second derivative:")
        kinds.append(("quantity", f"the {name.replace(':', ' with respect to the ')}"))
    return kinds
