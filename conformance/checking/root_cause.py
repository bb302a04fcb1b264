"""Where a function fails, and where it does not: the few words that tell the one from the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.checking.input_features import PHRASES, of_case, of_quantity

#: Two traits are named in place of one only where they tell so much better.
_BETTER = 0.03
#: From this share of failing checks on a function fails everywhere.
_EVERYWHERE = 0.9
#: Traits that many checks share by accident: they are named only where no other tells nearly as much.
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
_ACCIDENT = 0.75
#: Words that tell less than this tell nothing.
_TELLING = 0.4

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
    """What a function does wrong (`does`), `where` (empty: everywhere), and the plainest failing check.

    failing, checked: the function's failing and judged checks in all; there_failing, there: among those where
    the words hold.
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
    there = [row for row, here in zip(judged, holds & failed, strict=True) if here]
    example = min(there, key=lambda row: _plainness(row, cases))
    does = _does([row for row, bad in zip(judged, failed, strict=True) if bad], there)
    return Diagnosis(does, where, int(failed.sum()), len(judged), len(there), int(holds.sum()), dict(example))


def _where(
    judged: Sequence[Mapping[str, Any]], failed: npt.NDArray[np.bool_], cases: Mapping[str, Case]
) -> tuple[str, npt.NDArray[np.bool_]]:
    """The traits that tell failing checks from the others best, in words, and the checks that have them."""
    everywhere = np.ones(len(judged), dtype=bool)
    if failed.mean() > _EVERYWHERE or len(judged) < 3:
        return "", everywhere
    kept: dict[tuple[str, str], frozenset[str]] = {}
    table = np.zeros((len(judged), len(PHRASES)), dtype=bool)
    columns = {name: place for place, name in enumerate(PHRASES)}
    for place, row in enumerate(judged):
        key = (row["case"], row["dtype"])
        if key not in kept:
            kept[key] = of_case(cases[row["case"]], row["dtype"])
        for name in kept[key] | of_quantity(cases[row["case"]], row["dtype"], row["quantity"]):
            table[place, columns[name]] = True
    names = list(PHRASES)
    singles = [(name,) for name in names if table[:, columns[name]].any()]
    best, score = _best(singles, table, columns, failed)
    pairs = list(combinations([name for (name,) in singles], 2))
    pair, pair_score = _best(pairs, table, columns, failed)
    if pair and pair_score > score + _BETTER:
        best, score = pair, pair_score
    if score < max(_TELLING, _score(everywhere, failed)):
        return "", everywhere
    # What `_does` says of every failing check, the place need not say again.
    whole = _only([row for row, bad in zip(judged, failed, strict=True) if bad])
    said = [PHRASES[name] for name in best if name != whole]
    return " and ".join(said), _all(table, best, columns)


def _all(
    table: npt.NDArray[np.bool_], names: tuple[str, ...], columns: Mapping[str, int]
) -> npt.NDArray[np.bool_]:
    """Which checks have all of these traits."""
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
        found = _score(_all(table, names, columns), failed)
        found *= _ACCIDENT if _ACCIDENTAL.intersection(names) else 1.0
        if found > score + 1e-9:
            best, score = names, found
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


def _does(failing: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> str:
    """What the function does wrong, in words: the commonest of its faults there."""
    counts: dict[str, int] = {}
    values = [row for row in there if row["quantity"] == "value"]
    for row in values or there:
        said = _fault(row)
        counts[said] = counts.get(said, 0) + 1
    does = max(counts, key=lambda said: counts[said])
    whole = _only(failing)
    if not whole:
        return does
    return f"its {_NAMES[whole]} is wrong" + (f": {does}" if not does.endswith(" is wrong") else "")


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
