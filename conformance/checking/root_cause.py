"""Root cause: the few features that tell a function's failing checks from the others, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.checking.input_features import PHRASES, of_case, of_quantity

#: Two features are named in place of one only where they tell so much better.
_PAIR_GAIN = 0.03
#: From this share of failing checks on a function fails everywhere.
_EVERYWHERE_SHARE = 0.9
#: Features that many checks share by accident: they are named only where no other tells nearly as much.
_ACCIDENTAL = frozenset(
    {
        "none",
        "sum",
        "zero",
        "one axis",
        "last axis",
        "odd classes",
        "one row",
        "many rows",
        "positive",
        "half",
    }
)
_ACCIDENTAL_FACTOR = 0.75
#: Words whose score is lower tell nothing.
_LEAST_SCORE = 0.4

#: What a message says -> what the function does.
_DOES = (
    ("where an error is right", "it returns a number"),
    ("overwrites its input", "it overwrites its inputs"),
    ("returned dtype", "its result has the wrong dtype"),
    ("returned shape", "its result has the wrong shape"),
    ("returned nan", "it returns nan"),
    ("a number where nan", "it hides nan behind a number"),
    ("a number where", "it returns a number where infinity is right"),
    ("returned an infinity", "it returns an infinity"),
    ("returned 0 where", "it returns 0"),
)

#: The kinds of quantities as a sentence names them.
_NAMES = {"value": "value", "gradient": "gradient", "second": "second derivative"}


@dataclass(frozen=True)
class Diagnosis:
    """What a function does wrong, and where.

    Attributes:
        does: What it does wrong, as ``its value is wrong``.
        where: The features of the failing checks, in words; empty: everywhere.
        failing: How many of its checks fail.
        checked: How many of its checks are judged.
        there_failing: How many checks fail where the words hold.
        there: How many checks are judged where the words hold.
        example: The plainest failing check where the words hold, a row of the frame.
    """

    does: str
    where: str
    failing: int
    checked: int
    there_failing: int
    there: int
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The cause in words."""
        why = str(self.example.get("why") or "")
        return f"{self.does}{f' where {self.where}' if self.where else ''}" + (
            f" ({why.rstrip('.')})" if why else ""
        )


def diagnose(rows: Sequence[Mapping[str, Any]], cases: Mapping[str, Case]) -> Diagnosis | None:
    """The diagnosis of a function's rows (unsupported ones are left out); None where all conform."""
    judged = [row for row in rows if row["conforms"] is not None]
    failed = np.array([row["conforms"] is False for row in judged], dtype=bool)
    if not failed.any():
        return None
    where, holds = _where(judged, failed, cases)
    explained = [row for row, here in zip(judged, holds & failed, strict=True) if here]
    plainest = min(explained, key=lambda row: _plainness(row, cases))
    does = _does([row for row, bad in zip(judged, failed, strict=True) if bad], explained)
    return Diagnosis(
        does,
        where,
        failing=int(failed.sum()),
        checked=len(judged),
        there_failing=len(explained),
        there=int(holds.sum()),
        example=dict(plainest),
    )


def _where(
    judged: Sequence[Mapping[str, Any]], failed: npt.NDArray[np.bool_], cases: Mapping[str, Case]
) -> tuple[str, npt.NDArray[np.bool_]]:
    """The features that tell failing checks from the others best, in words, and the checks that have them."""
    everywhere = np.ones(len(judged), dtype=bool)
    if failed.mean() > _EVERYWHERE_SHARE or len(judged) < 3:
        return "", everywhere
    table, columns = _table(judged, cases)
    names = list(PHRASES)
    singles = [(name,) for name in names if table[:, columns[name]].any()]
    best, score = _best(singles, table, columns, failed)
    pairs = list(combinations([name for (name,) in singles], 2))
    pair, pair_score = _best(pairs, table, columns, failed)
    if pair and pair_score > score + _PAIR_GAIN:
        best, score = pair, pair_score
    if score < max(_LEAST_SCORE, _score(everywhere, failed)):
        return "", everywhere
    # What `_does` says of every failing check, the features need not say again.
    kind = _only([row for row, bad in zip(judged, failed, strict=True) if bad])
    phrases = [PHRASES[name] for name in best if name != kind]
    return " and ".join(phrases), _all(table, best, columns)


def _table(
    judged: Sequence[Mapping[str, Any]], cases: Mapping[str, Case]
) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Which check has which feature, a row a check; and each feature's column."""
    columns = {name: column for column, name in enumerate(PHRASES)}
    table = np.zeros((len(judged), len(columns)), dtype=bool)
    of_cases: dict[tuple[str, str], frozenset[str]] = {}
    for number, row in enumerate(judged):
        key = (row["case"], row["dtype"])
        if key not in of_cases:
            of_cases[key] = of_case(cases[row["case"]], row["dtype"])
        for name in of_cases[key] | of_quantity(cases[row["case"]], row["dtype"], row["quantity"]):
            table[number, columns[name]] = True
    return table, columns


def _all(
    table: npt.NDArray[np.bool_], names: tuple[str, ...], columns: Mapping[str, int]
) -> npt.NDArray[np.bool_]:
    """Which checks have all of these features."""
    every: npt.NDArray[np.bool_] = np.logical_and.reduce([table[:, columns[name]] for name in names])
    return every


def _best(
    candidates: Sequence[tuple[str, ...]],
    table: npt.NDArray[np.bool_],
    columns: Mapping[str, int],
    failed: npt.NDArray[np.bool_],
) -> tuple[tuple[str, ...], float]:
    best: tuple[str, ...] = ()
    score = 0.0
    for names in candidates:
        candidate = _score(_all(table, names, columns), failed)
        candidate *= _ACCIDENTAL_FACTOR if _ACCIDENTAL.intersection(names) else 1.0
        if candidate > score + 1e-9:
            best, score = names, candidate
    return best, score


def _score(holds: npt.NDArray[np.bool_], failed: npt.NDArray[np.bool_]) -> float:
    """The harmonic mean of how many of those fail, and how many of the failing are those."""
    both = int((holds & failed).sum())
    return 2 * both / (int(holds.sum()) + int(failed.sum()))


def _plainness(row: Mapping[str, Any], cases: Mapping[str, Case]) -> tuple[Any, ...]:
    """Sorts the check first that shows the fault most plainly: little else is special, and it is small."""
    order = ("float32", "float64", "float16", "bfloat16")
    return (
        not row["why"],
        row["verdict"] == "lossy",
        row["quantity"] != "value",
        len(of_case(cases[row["case"]], row["dtype"])),
        order.index(row["dtype"]) if row["dtype"] in order else 9,
        row["elements"] or 0,
        row["case"],
    )


def _does(failing: Sequence[Mapping[str, Any]], explained: Sequence[Mapping[str, Any]]) -> str:
    """What the function does wrong, in words: the commonest fault of the checks that the features explain."""
    values = [row for row in explained if row["quantity"] == "value"]
    ((does, _),) = Counter(map(_fault, values or explained)).most_common(1)
    kind = _only(failing)
    if not kind:
        return does
    return f"its {_NAMES[kind]} is wrong" + (f": {does}" if not does.endswith(" is wrong") else "")


def _only(failing: Sequence[Mapping[str, Any]]) -> str:
    """`second` or `gradient` where no check of anything less fails, else empty."""
    kinds = {str(row["quantity"]).partition(":")[0] for row in failing}
    return "" if "value" in kinds else "gradient" if "gradient" in kinds else "second"


def _fault(row: Mapping[str, Any]) -> str:
    if row["verdict"] == "raised":
        return "it raises"
    if row["verdict"] in ("crashed", "timed out", "not run"):
        return f"it {row['verdict']}" if row["verdict"] != "not run" else "it was not run"
    for part, does in _DOES:
        if part in (row["message"] or ""):
            return does
    if row["verdict"] == "lossy":
        return "it loses accuracy"
    return f"its {_NAMES[str(row['quantity']).partition(':')[0]]} is wrong"
