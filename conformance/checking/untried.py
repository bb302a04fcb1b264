"""What a function has and was never tried in: parameters, kinds of targets, numbers of axes, dtypes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.arithmetic.formats import FORMATS
from conformance.cases.case import Case
from conformance.checking.control import kinds_of
from conformance.operations import OPERATIONS

Row = Mapping[str, Any]

_LACKS = re.compile(r"has no parameter (\w+)$")
_GRADIENT = "the gradient with respect to the "
_PARAMETERS = {"label_smoothing": "label smoothing", "reduction": "a reduction other than the mean"}
_AXES = ("inputs without an axis", "inputs of one axis", "inputs of two axes")
_NARROW_LABELS = "labels in narrower integers"
_TARGETS = {"a target of probabilities": "class probabilities"}


def untried(rows: Sequence[Row], cases: Mapping[str, Case]) -> list[str]:
    """What no judged check of a function has, and some unsupported one does, in words.

    Args:
        rows: The function's checks.
        cases: The cases by their ids.
    """
    tried: set[str] = set()
    lacking: dict[str, None] = {}
    for row in rows:
        if cases[row["case"]].expect == "error":
            continue  # an error says nothing of what is refused for another reason
        for name in _aspects(cases[row["case"]], row):
            if row["conforms"] is None:
                lacking[name] = None
            else:
                tried.add(name)
    names = [name for name in lacking if name not in tried]
    implied = "class probabilities" in names  # there is no gradient of labels
    lacked = {f"{_GRADIENT}{name}" for name in names} | ({f"{_GRADIENT}target"} if implied else set())
    names = [name for name in names if name not in lacked]  # nor of a parameter that it lacks
    return sorted(names, key=_place)


def _place(name: str) -> int:
    """Parameters and targets come before shapes and dtypes, then derivatives and what few functions take."""
    if name == _NARROW_LABELS:
        return 4
    if name.startswith(("the gradient", "the second derivative", "the jvp")):
        return 3
    return 2 if name in FORMATS else 1 if name in (*_AXES, "further axes") else 0


def _aspects(case: Case, row: Row) -> list[str]:
    """What a check tries, in words: parameters that it states, and what a function may refuse as a whole."""
    defaults = {parameter.name: parameter.default for parameter in OPERATIONS[case.operation].parameters}
    stated = [
        name
        for name, value in case.parameters.items()
        if hasattr(value, "integral") or value != defaults.get(name)
    ]
    lacking = _LACKS.search(str(row["message"] or ""))
    stated += [lacking[1]] if lacking and lacking[1] not in stated else []
    aspects = [_PARAMETERS.get(name, name) for name in stated]
    for kind, text in kinds_of(case, row):
        if kind == "axes":
            axes = int(text.split()[-2])
            aspects.append(_AXES[axes] if axes < len(_AXES) else "further axes")
        elif kind in ("dtype", "quantity"):
            aspects.append(text)
        else:
            name = _TARGETS.get(text, text.removeprefix(f"a {kind} of "))
            aspects.append(_NARROW_LABELS if name.endswith(" labels") else name)
    return aspects
