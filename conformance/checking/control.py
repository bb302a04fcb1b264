"""Control: what a function fails as the framework's own does (inherited), and what it refuses throughout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.cases.case import Case
from conformance.operations import OPERATIONS, SECOND

#: A control whose error is smaller by less than this factor fails like the function.
ALIKE_FACTOR = 2.0
#: How a process ended, as the message of what crashed begins.
_END = re.compile(r"killed by \w+|exit code \d+")
#: A function that hides its signature (`**kwargs`, a decorator) says only so that it lacks a parameter.
_UNEXPECTED = re.compile(r"^TypeError: .*unexpected keyword argument '(\w+)'")


def control_rows(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The control's row of each check: of the operation's controls the first that the framework has."""
    chosen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["case"], row["dtype"], row["quantity"])
        if key not in chosen or _rank(row) < _rank(chosen[key]):
            chosen[key] = row
    return chosen


def _rank(row: Mapping[str, Any]) -> tuple[bool, int]:
    """How a control's row stands among those of its check: the least is chosen."""
    order = OPERATIONS[row["operation"]].controls
    place = order.index(row["formulation"]) if row["formulation"] in order else len(order)
    return row["verdict"] == "unsupported", place


def inherit(
    rows: Sequence[dict[str, Any]], control: Mapping[tuple[str, str, str], dict[str, Any]], name: str
) -> None:
    """Marks what the control fails alike: with the same verdict, and an error that is not much smaller.

    Where both crash the processes have to end alike: by the same signal, or with the same exit code.
    """
    for row in rows:
        other = control.get((row["case"], row["dtype"], row["quantity"]))
        if (
            row["conforms"] is not False
            or row["known"]
            or other is None
            or other["verdict"] != row["verdict"]
            or (row["verdict"] == "crashed" and _end(row) != _end(other))
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
    _refuse_hidden(rows, cases)
    answered: set[tuple[str, str]] = set()
    raised: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        case = cases[row["case"]]
        if case.expect == "error" or row["verdict"] == "unsupported":
            continue
        for kind in kinds_of(case, row):
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


def _refuse_hidden(rows: Sequence[dict[str, Any]], cases: Mapping[str, Case]) -> None:
    """Makes `unsupported` what a function with a hidden signature has no parameter for.

    Where an error is right, too: it is none about the call.
    """
    for row in rows:
        case = cases[row["case"]]
        lacking = _UNEXPECTED.match(str(row["message"] or ""))
        if lacking and lacking[1] in {parameter.name for parameter in OPERATIONS[case.operation].parameters}:
            message = f"{row['formulation']} {case.operation} has no parameter {lacking[1]}"
            row.update(verdict="unsupported", conforms=None, ulp_error=None, message=message)


def is_legacy(case: Case) -> bool:
    """Whether a case asks for what belongs to one framework's history, and is in nobody else's signature.

    `size_average` and `reduce`, the reduction `elementwise_mean`, the axis None that PyTorch guesses, and
    the number of classes -1 that it counts.
    """
    stated = case.parameters
    return (
        not {"size_average", "reduce"}.isdisjoint(stated)
        or stated.get("reduction") == "elementwise_mean"
        or ("axis" in stated and stated["axis"] is None)
        or stated.get("num_classes") == -1
    )


def _end(row: Mapping[str, Any]) -> str:
    """How the process ended that answered a check by crashing."""
    ended = _END.search(str(row["message"] or ""))
    return ended[0] if ended else ""


def _content(case: Case, name: str, arguments: Mapping[str, Any]) -> str:
    """What an input beside the first holds, in words."""
    if arguments[name].dtype.kind == "f":
        return "probabilities"
    if name in case.dtype_of:
        return f"labels in {case.dtype_of[name]}"
    return "labels" if case.label_dtype == "int64" else f"{case.label_dtype} labels"


def kinds_of(case: Case, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a function may leave out as a whole, as (what varies, this check's)."""
    arguments = case.arguments(row["dtype"])
    first, *others = OPERATIONS[case.operation].inputs
    shape = arguments[first.name].shape
    kinds = [("dtype", row["dtype"]), ("axes", f"{first.name} of {len(shape)} axes")]
    for item in others:
        kinds.append((item.name, f"a {item.name} of {_content(case, item.name, arguments)}"))
    if row["quantity"] != f"gradient:{first.name}":
        name = str(row["quantity"]).replace(SECOND, "second derivative:")
        kinds.append(("quantity", f"the {name.replace(':', ' with respect to the ')}"))
    return kinds
