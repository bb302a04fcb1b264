"""Agreement of two subjects as an answer: on which inputs of which operation, and within how many ulps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.cases.value_classes import VALUE_CLASSES
from conformance.report.figures import count, dtype_order, names, ulps

#: Formulations between which frameworks are compared: their own functions, else what their users compose.
RECOMMENDED = ("functional", "composed and functional", "functional and composed", "composed")


@dataclass(frozen=True)
class ClassAgreement:
    """Agreement of two subjects on the inputs of one value class.

    Attributes:
        values: The class: `ordinary`, `extreme` or `special` (`cases.value_classes`).
        checks: How many checks both answered.
        beyond: On how many they differ by more than their bounds together.
        median: Half of the checks are at most this many ulps apart, as text.
        largest: All of them are at most this many ulps apart, as text.
    """

    values: str
    checks: int
    beyond: int
    median: str
    largest: str

    @property
    def sentence(self) -> str:
        """`on ordinary inputs within 7 ulps, half of them within 2`."""
        return f"on {self.values} inputs within {self.largest} ulps, half of them within {self.median}"


@dataclass(frozen=True)
class Agreement:
    """Agreement of two subjects on one operation in one dtype, by value class.

    Attributes:
        operation: The operation.
        a: One subject.
        b: The other subject.
        dtype: The dtype.
        classes: The agreement on the inputs of each value class that both answered.
    """

    operation: str
    a: str
    b: str
    dtype: str
    classes: tuple[ClassAgreement, ...]


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two subjects over all operations and dtypes.

    Attributes:
        a: One subject.
        b: The other subject.
        agreeing: The operations on whose every ordinary input they agree within their bounds.
        differing: The others, and on how many checks of ordinary inputs they differ.
    """

    a: str
    b: str
    agreeing: tuple[str, ...]
    differing: tuple[tuple[str, int], ...]

    @property
    def sentence(self) -> str:
        """Whether they agree, on the ordinary inputs of which operations."""
        who = f"{self.a} and {self.b}"
        text = ""
        if self.agreeing:
            text = f"{who} agree within their bounds on every ordinary input of {names(list(self.agreeing))}"
        if not self.differing:
            return f"{text}."
        parts = [f"{count(checks, 'check')} of {operation}" for operation, checks in self.differing]
        rest = f"on {names(parts)} they differ by more"
        return f"{text}; {rest}." if text else f"{who} do not agree within their bounds: {rest}."


@dataclass(frozen=True)
class Agreements:
    """Agreements of all pairs.

    Attributes:
        pairs: Each pair of subjects.
        dtypes: The dtypes that were compared, float32 first.
        rows: For each operation, its agreement of each pair in the first dtype; None where none was compared.
        every: Every agreement, by operation, pair and dtype.
    """

    pairs: tuple[PairAgreement, ...]
    dtypes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Agreement | None, ...]], ...]
    every: tuple[Agreement, ...]


def agreements(frame: pd.DataFrame, subjects: list[str]) -> Agreements:
    """The agreements of a run's pairs of subjects, over what the frameworks recommend.

    Args:
        frame: The run's equivalence frame, light.
        subjects: The run's subjects, in order.
    """
    frame = frame[frame["ordinary_checks"].notna()]  # a run of an earlier version counts no classes
    if not len(frame):
        return Agreements((), (), (), ())
    every = _every(_chosen(frame), subjects)
    pairs = sorted(
        {(each.a, each.b) for each in every}, key=lambda pair: [_place(name, subjects) for name in pair]
    )
    dtypes = sorted(
        {each.dtype for each in every}, key=lambda dtype: (dtype != "float32", dtype_order(dtype))
    )
    operations = list(dict.fromkeys(each.operation for each in every))
    by_key = {(each.operation, each.a, each.b, each.dtype): each for each in every}
    rows = tuple(
        (operation, tuple(by_key.get((operation, *pair, dtypes[0])) for pair in pairs))
        for operation in operations
    )
    return Agreements(tuple(_pair(*pair, every) for pair in pairs), tuple(dtypes), rows, tuple(every))


def _chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the recommended formulations; composed ones where a pair has no other of an operation."""
    kept = frame[frame["formulation"].isin(RECOMMENDED)]
    keys = ["operation", "subject_a", "subject_b"]
    composed = kept["formulation"].eq("composed")
    only = composed.groupby([kept[key] for key in keys]).transform("all")
    return kept[~composed | only]


def _every(frame: pd.DataFrame, subjects: list[str]) -> list[Agreement]:
    keys = ["operation", "subject_a", "subject_b", "dtype"]
    figures = {f"{values}_{kind}": how for values in VALUE_CLASSES for kind, how in _SUMS.items()}
    rows: list[dict[Hashable, Any]] = (
        frame.groupby(keys, sort=True).agg(figures).reset_index().to_dict("records")
    )
    out = []
    for row in rows:
        a, b = sorted((str(row["subject_a"]), str(row["subject_b"])), key=lambda name: _place(name, subjects))
        classes = [_class(row, values) for values in VALUE_CLASSES if row[f"{values}_checks"]]
        out.append(Agreement(str(row["operation"]), a, b, str(row["dtype"]), tuple(classes)))
    return out


#: How the figures of several quantities are one: counts add up, of distances the largest stands.
_SUMS = {"checks": "sum", "beyond": "sum", "median": "max", "largest": "max"}


def _class(row: Mapping[Hashable, Any], values: str) -> ClassAgreement:
    return ClassAgreement(
        values,
        int(row[f"{values}_checks"]),
        int(row[f"{values}_beyond"]),
        ulps(row[f"{values}_median"]),
        ulps(row[f"{values}_largest"]),
    )


def _pair(a: str, b: str, every: list[Agreement]) -> PairAgreement:
    beyond: dict[str, int] = {}
    for each in every:
        if (each.a, each.b) == (a, b):
            ordinary = sum(kind.beyond for kind in each.classes if kind.values == "ordinary")
            beyond[each.operation] = beyond.get(each.operation, 0) + ordinary
    agreeing = tuple(operation for operation, checks in beyond.items() if not checks)
    return PairAgreement(a, b, agreeing, tuple((name, checks) for name, checks in beyond.items() if checks))


def _place(name: str, subjects: list[str]) -> int:
    """The place of a subject in the run's order; one that the run does not list comes last."""
    return subjects.index(name) if name in subjects else len(subjects)
