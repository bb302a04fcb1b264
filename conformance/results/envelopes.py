"""Envelopes of what deviating checks return: special values as such, errors by type, numbers by intervals.

An envelope covers the checks that were observed and no others. Its interval is as wide as what was observed,
and as the rules below say why it is wider.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from conformance.arithmetic import FORMATS, round_to
from conformance.results import sanitize
from conformance.yaml.writing import quoted

#: By how much a later error may lie from the observed one: where other kernels round an elementary function
#: the other way, what is left of a cancellation moves by as much as it is.
ULPS_FACTOR = 2.0
#: By how much of its size a later value may lie from the observed one.
VALUE_SHARE = 0.25
#: The largest and the smallest error of one envelope lie within this factor.
CLUSTER_FACTOR = 4.0
#: Values that one envelope lists, where the error is larger than the value.
MAX_LISTED_FIGURES = 8
SPECIAL = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf", "0": "0", "-0": "0", "0.0": "0", "-0.0": "0"}
_ERROR_TYPE = re.compile(r"[A-Za-z_][\w.]*(?=:)")
#: A check: case, subject, dtype, formulation, quantity.
Key: TypeAlias = tuple[str, str, str, str, str]
#: Names of each: all their combinations are meant.
Box: TypeAlias = tuple[tuple[str, ...], ...]
SCOPES = ("cases", "subjects", "dtypes", "formulations", "quantities")


@dataclass(frozen=True)
class Deviating:
    """A check that does not conform: the columns that an entry is made from.

    Attributes:
        case, subject, dtype, formulation, quantity: the check.
        verdict: its verdict.
        ulps: error of the worst element in ulps; None where nothing was returned.
        observed: the worst element as text; empty where nothing was returned.
        exact: the exact value there.
        message: what is wrong, or the error.
    """

    case: str
    subject: str
    dtype: str
    formulation: str
    quantity: str
    verdict: str
    ulps: float | None
    observed: str
    exact: str
    message: str

    @property
    def key(self) -> Key:
        """The check."""
        return self.case, self.subject, self.dtype, self.formulation, self.quantity

    @property
    def value(self) -> float:
        """The worst element itself: its text has the digits that name it among the dtype's numbers alone.

        A result of a wider dtype, of mixed inputs, has more digits than any of the dtype's numbers has.
        """
        text = float(self.observed)
        rounded = float(round_to(FORMATS[self.dtype], np.array(text)))
        if not (math.isfinite(text) and math.isfinite(rounded)):
            return rounded
        digits = len(Decimal(self.observed).as_tuple().digits)
        return rounded if float(f"{rounded:.{digits - 1}e}") == text else text

    @property
    def kind(self) -> tuple[str, str]:
        """What was observed, as far as it has a name: the verdict, and a special value or an error's type."""
        if self.observed in SPECIAL:
            return self.verdict, SPECIAL[self.observed]
        return self.verdict, "number" if self.observed else _fragment(self.message)


@dataclass(frozen=True)
class Envelope:
    """What some checks return, as `observed` in an entry.

    Attributes:
        box: names of cases, subjects, dtypes, formulations and quantities: the checks are their combinations.
        states: the keys that state it, each with its value as YAML.
    """

    box: Box
    states: tuple[tuple[str, str], ...]


def deviating(frame: pd.DataFrame) -> list[Deviating]:
    """The rows of a frame of results."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    texts = ("case", "subject", "dtype", "formulation", "quantity", "verdict", "observed", "exact", "message")
    return [
        Deviating(
            ulps=None if row["ulp_error"] is None else float(row["ulp_error"]),
            **{name: str(row[name] or "") for name in texts},
        )
        for row in rows
    ]


def envelopes(
    checks: Iterable[Deviating],
    cluster_factor: float = CLUSTER_FACTOR,
    free: Callable[[Key], bool] = lambda _: False,
) -> list[Envelope]:
    """What checks return, in few envelopes that cover these checks and nothing else.

    Args:
        checks: the checks.
        cluster_factor: errors within this factor of the smallest share an envelope.
        free: whether a check may be covered, too, since there is none such.
    """
    result: list[Envelope] = []
    for (verdict, kind), members in grouped(checks, lambda check: check.kind).items():
        if kind == "number":
            families = grouped(members, _family).values()
            clusters = [part for family in families for part in _clusters(family, cluster_factor)]
        else:
            clusters = [members]
        for cluster in clusters:
            keys = {check.key for check in cluster}
            for box in _boxes(keys, free):
                covered = [check for check in cluster if _within(check.key, box)]
                result.append(Envelope(box, _states(verdict, kind, covered)))
    return result


def _family(check: Deviating) -> Hashable:
    """Numbers of one dtype and sign, told by their ulps or by themselves."""
    return check.dtype, check.observed.startswith("-"), _has_ulps(check), _is_near(check)


def _has_ulps(check: Deviating) -> bool:
    return check.ulps is not None and not math.isinf(check.ulps)


def _is_near(check: Deviating) -> bool:
    """Whether the error is no larger than the value: then ulps tell the value."""
    value = check.value
    return _has_ulps(check) and abs(value - float(check.exact)) <= abs(value)


def _clusters(checks: Sequence[Deviating], factor: float) -> Iterator[list[Deviating]]:
    """Checks of one family whose errors lie within a factor, and so their values, or these are few."""
    for alike in _split(checks, lambda check: check.ulps if _has_ulps(check) else 1.0, factor):  # type: ignore[arg-type, return-value]
        if _is_near(alike[0]):
            yield from _split(alike, lambda check: abs(check.value), factor)
        else:
            figures = distinct(sorted(map(_figure_of, alike), key=float))
            for first in range(0, len(figures), MAX_LISTED_FIGURES):
                listed_here = figures[first : first + MAX_LISTED_FIGURES]
                yield [check for check in alike if _figure_of(check) in listed_here]


def _split(
    checks: Sequence[Deviating], size: Callable[[Deviating], float], factor: float
) -> Iterator[list[Deviating]]:
    cluster: list[Deviating] = []
    for check in sorted(checks, key=size):
        if cluster and size(check) > factor * size(cluster[0]):
            yield cluster
            cluster = []
        cluster.append(check)
    if cluster:
        yield cluster


def _states(verdict: str, kind: str, checks: Sequence[Deviating]) -> tuple[tuple[str, str], ...]:
    states = [("verdicts", f"[{verdict}]")]
    if kind == "number":
        ulps = [check.ulps for check in checks if check.ulps is not None and not math.isinf(check.ulps)]
        values = [check.value for check in checks]
        low, high = min(values), max(values)
        if ulps:
            states.append(("ulps", _ends(min(ulps) / ULPS_FACTOR, max(ulps) * ULPS_FACTOR)))
        if _is_near(checks[0]):
            states.append(("between", _ends(low - VALUE_SHARE * abs(low), high + VALUE_SHARE * abs(high))))
        else:
            figures = distinct(sorted(map(_figure_of, checks), key=float))
            shown = [f'"{figure}"' if "e+" in figure else figure for figure in figures]
            states.append(("values", f"[{', '.join(shown)}]"))  # in quotes where YAML would make more digits
    elif kind in SPECIAL.values():
        states.append(("values", f"[{kind}]"))
    elif kind:
        states.append(("message", quoted(kind)))
    return tuple(states)


def _figure_of(check: Deviating) -> str:
    """The value at three digits."""
    return f"{check.value:.3g}"


def _ends(low: float, high: float) -> str:
    """Two ends at three digits, rounded outward."""
    return f"[{_outward(low, -1)}, {_outward(high, 1)}]"


def _outward(value: float, way: int) -> str:
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    if value == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    if not unit:  # a subnormal number
        return f"{value:.17g}"
    steps = math.floor(value / unit) if way < 0 else math.ceil(value / unit)
    return f"{steps * unit:.3g}"


def _boxes(keys: set[Key], free: Callable[[Key], bool]) -> list[Box]:
    """Boxes that cover the checks, and beside them only what is free."""
    boxes: list[Box] = [tuple((name,) for name in key) for key in sorted(keys)]
    for axis in range(len(SCOPES)):  # what differs in one axis alone is one box
        merged: dict[Box, set[str]] = {}
        for box in boxes:
            merged.setdefault((*box[:axis], *box[axis + 1 :]), set()).update(box[axis])
        boxes = [(*rest[:axis], tuple(sorted(names)), *rest[axis:]) for rest, names in merged.items()]
    index = 0
    while index < len(boxes):
        for other in range(index + 1, len(boxes)):
            hull = tuple(tuple(sorted({*a, *b})) for a, b in zip(boxes[index], boxes[other], strict=True))
            if all(key in keys or free(key) for key in itertools.product(*hull)):  # type: ignore[arg-type]
                boxes[index] = hull
                del boxes[other]
                break
        else:
            index += 1
    return boxes


def _within(key: Key, box: Box) -> bool:
    return all(name in names for name, names in zip(key, box, strict=True))


def _fragment(message: str) -> str:
    """What of a message stays the same: an error's type, or its words up to the first figure."""
    error = _ERROR_TYPE.match(message)
    if error:
        return error[0]
    return re.split(r"0x|…|\d{3,}", one_line(message))[0][:80].rstrip()


def grouped(checks: Iterable[Deviating], key: Callable[[Deviating], Any]) -> dict[Any, list[Deviating]]:
    """The checks by a key, in order."""
    groups: dict[Any, list[Deviating]] = {}
    for check in checks:
        groups.setdefault(key(check), []).append(check)
    return groups


def distinct(names: Iterable[str]) -> list[str]:
    """The names, each once, in order."""
    return list(dict.fromkeys(names))


def one_line(text: str) -> str:
    """A text on one line, without what a terminal obeys."""
    return sanitize.text(" ".join(text.split()))
