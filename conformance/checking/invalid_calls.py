"""Invalid calls: what a function answers where an error is right, and which of these answers do harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.checking.fault_words import CRASH, INVALID, OUT_OF_RANGE, fault_of
from conformance.checking.features.feature_phrases import PHRASES
from conformance.checking.features.input_features import of_case
from conformance.checking.root_cause import Cause
from conformance.operations import OPERATIONS

Row = Mapping[str, Any]

#: What may be done with answers to invalid calls: name them, or count them as failures.
POLICIES = ("report", "fail")
#: The features of labels out of range: a number in their place is made of memory that nobody owns.
_OUT_OF_RANGE = ("label beyond", "label negative")
#: Features that say what is invalid about a call.
_INVALID = (
    *_OUT_OF_RANGE,
    "shapes differ",
    "smoothing outside",
    "odd reduction",
    "axis outside",
    "weight misfit",
    "probability outside",
    "target outside",
)
#: How a row's `known` begins that answers an invalid call, and does not count.
KNOWN = "an invalid call is answered"
#: Calls that the sentence spells out.
_MAX_SPELT_CALLS = 4


def answers(rows: Iterable[dict[str, Any]], cases: Mapping[str, Case]) -> list[dict[str, Any]]:
    """The checks that fail because an invalid call is answered, or is not refused by an error."""
    return [row for row in rows if row["conforms"] is False and cases[row["case"]].expect == "error"]


def is_harmful(row: Row, case: Case) -> bool:
    """Whether an answer always counts: a process that dies, or a number in the place of a label out of range.

    nan is none: it shows.
    """
    if fault_of(row).harm == CRASH:
        return True
    return bool(of_case(case, row["dtype"]).intersection(_OUT_OF_RANGE)) and row["observed"] not in (
        "nan",
        None,
    )


def harm(rows: Sequence[Row], cases: Mapping[str, Case]) -> list[Cause]:
    """The causes of harmful answers, one for each thing that the function does there."""
    causes = []
    for name in dict.fromkeys(fault_of(row).name for row in rows):
        alike = [row for row in rows if fault_of(row).name == name]
        fault = fault_of(alike[0])
        features = _features(alike, cases)
        does = fault.value if fault.harm == CRASH else "it returns a number"
        causes.append(
            Cause(
                does,
                " or ".join(PHRASES[feature] for feature in features) or PHRASES["error"],
                failing=len(alike),
                there=sum(_shares(case, features) for case in cases.values()),
                harm=CRASH if fault.harm == CRASH else OUT_OF_RANGE,
                example=dict(min(alike, key=lambda row: (row["elements"] or 0, row["case"]))),
                features=tuple(features),
            )
        )
    return causes


def _features(rows: Iterable[Row], cases: Mapping[str, Case]) -> list[str]:
    """What is invalid about these calls, in the order of `_INVALID`."""
    met = frozenset[str]().union(*(of_case(cases[row["case"]], row["dtype"]) for row in rows))
    return [feature for feature in _INVALID if feature in met]


def _shares(case: Case, features: Iterable[str]) -> int:
    """How many checks a case that expects an error has, if it has one of the features."""
    if case.expect != "error" or not of_case(case, case.dtypes[0]).intersection(features):
        return 0
    return len(case.dtypes) * len(case.quantity_names())


def counted(rows: Sequence[Row], cases: Mapping[str, Case]) -> list[Cause]:
    """Answers to invalid calls as one cause; none where there are none."""
    if not rows:
        return []
    asked = sum(len(case.dtypes) for case in cases.values() if case.expect == "error")
    example = dict(min(rows, key=lambda row: (row["elements"] or 0, row["case"])))
    does = f"it answers invalid calls, where an error is right: {spelt(rows, cases)}"
    return [Cause(does, "", len(rows), asked, INVALID, example)]


def spelt(rows: Sequence[Row], cases: Mapping[str, Case]) -> str:
    """The invalid calls that are answered, as code where that is short; the first few, and a count."""
    calls = list(dict.fromkeys(_call(cases[row["case"]], row["dtype"]) for row in _plain_first(rows, cases)))
    shown = ", ".join(calls[:_MAX_SPELT_CALLS])
    rest = len(calls) - _MAX_SPELT_CALLS
    return shown + (f" and {rest} more" if rest > 0 else "")


def _plain_first(rows: Sequence[Row], cases: Mapping[str, Case]) -> list[Row]:
    """The rows so that each kind of invalid call comes before any comes twice."""
    seen: dict[str, int] = {}
    ranked = []
    for row in rows:
        kind = next(iter(_features([row], cases)), "")
        seen[kind] = seen.get(kind, -1) + 1
        ranked.append((seen[kind], row))
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]


def _call(case: Case, dtype: str) -> str:
    """What is invalid about a call, in a few words."""
    features, arguments = of_case(case, dtype), case.arguments(dtype)
    first = OPERATIONS[case.operation].inputs[0]
    shape = list(np.shape(arguments[first.name]))
    if "odd reduction" in features:
        return f'reduction="{arguments["reduction"]}"'
    if "smoothing outside" in features:
        return f"label_smoothing={arguments['label_smoothing']:g}"
    if "axis outside" in features:
        return f"axis={arguments['axis']} of the shape {shape}"
    if features.intersection(_OUT_OF_RANGE):
        return "a label out of range"
    if "probability outside" in features:
        return "a probability outside [0, 1]"
    if "target outside" in features:
        return "a target outside [0, 1]"
    for name in ("weight", "pos_weight"):
        if isinstance(arguments.get(name), np.ndarray):
            return f"a {name} of the shape {list(arguments[name].shape)} for {first.name} of {shape}"
    if "shapes differ" in features:
        target = arguments["target"]
        kind = "floating " if target.dtype.kind == "f" and not case.operation.startswith("binary") else ""
        return f"a {kind}target of the shape {list(target.shape)} for {first.name} of {shape}"
    return ", ".join(f"{name}={value}" for name, value in case.parameters.items()) or case.id
