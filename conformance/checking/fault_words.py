"""Fault words: what a failing check shows the function to do, and how much harm that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, Any]

#: Harm of a cause, the most harmful first. A label out of range that is answered by a number lies between
#: what crashes and what raises: the call is invalid, and its answer memory that nobody owns.
WRONG, WRONG_GRADIENT, CRASH, OUT_OF_RANGE, RAISES, LOSSY, INVALID = range(7)
#: Before all others: no other cause can be told from single answers.
UNSTEADY = -1


@dataclass(frozen=True)
class Fault:
    """What one check shows.

    Attributes:
        name: Its name.
        value: What the function does, said of its value.
        gradient: What it does, said of a derivative: completes "its gradient ...".
        harm: Its place among faults, the most harmful first.
    """

    name: str
    value: str
    gradient: str
    harm: int = WRONG

    @property
    def alike(self) -> str:
        """What it is sought as: digits that are lost are wrong in one dtype and lossy in another."""
        return "inaccurate" if self.is_inaccurate else self.name

    @property
    def is_inaccurate(self) -> bool:
        """Whether it is a number that is not right, and no nan, infinity or 0 in its place."""
        return self.name in ("wrong", "lossy")

    @property
    def lossy(self) -> bool:
        """Whether digits alone are lost."""
        return self.harm == LOSSY


_LOSSY = Fault("lossy", "it loses accuracy", "loses accuracy", LOSSY)
_WRONG = Fault("wrong", "its value is wrong", "is wrong")
#: What a message says -> the fault.
_BY_MESSAGE = (
    (
        "overwrites its input upstream",
        Fault(
            "overwrites upstream",
            "its backward overwrites the upstream gradient in place",
            "is asked and it overwrites the upstream gradient in place",
        ),
    ),
    (
        "overwrites its input",
        Fault(
            "overwrites",
            "it overwrites its inputs in place",
            "is asked and it overwrites its inputs in place",
        ),
    ),
    ("returned dtype", Fault("dtype", "its result has the wrong dtype", "has the wrong dtype")),
    ("returned shape", Fault("shape", "its result has the wrong shape", "has the wrong shape")),
    ("a number where nan", Fault("hides nan", "it hides nan behind a number", "hides nan behind a number")),
    (
        "a number where",
        Fault("finite", "it returns a number where infinity is right", "is a number where infinity is right"),
    ),
    ("nan", Fault("nan", "it returns nan", "is nan")),
    ("infinity", Fault("infinity", "it returns an infinity", "is infinite")),
    ("returned 0 where", Fault("zero", "it returns 0", "is 0")),
)
_BY_VERDICT = {
    "lossy": _LOSSY,
    "raised": Fault("raises", "it raises", "raises", RAISES),
    "crashed": Fault("crashes", "it crashes", "crashes", CRASH),
    "timed out": Fault("hangs", "it does not return in time", "does not return in time", CRASH),
    "not run": Fault("not run", "it was not run", "was not run", CRASH),
}
#: So many checks have to be alike for a word on how wrong they are.
_MIN_ALIKE = 3
#: Ratios of observed to exact that differ by less are one factor.
_FACTOR_TOLERANCE = 0.01
#: The middle half of the checks may be right to so many bits more or less: half types lose 2 to 4 of theirs.
_MAX_BITS_APART = 4.0
#: How many bits are right where a dtype's precision is all there is, some of them lost to cancellation.
_PRECISIONS = {"bfloat16": (3.0, 9.0), "float16": (9.0, 12.0), "float32": (19.0, 25.0)}
#: Features beside which the precision is a cause of its own.
PRECISIONS_ALONE = frozenset({"float64", "narrow", "half", "float16", "bfloat16", "beyond bfloat16"})
_NAMES = {"gradient": "gradient", "second": "second derivative", "jvp": "forward derivative (jvp)"}


def fault_of(row: Row) -> Fault:
    """What a failing check shows."""
    if row["verdict"] in _BY_VERDICT:
        return _BY_VERDICT[row["verdict"]]
    message = str(row["message"] or "")
    for part, fault in _BY_MESSAGE:
        if part in message:
            return fault
    return _WRONG


def harm_of(fault: Fault, kind: str) -> float:
    """A cause's place among others: wrong values, wrong gradients, crashes, what raises, lost digits."""
    if fault.harm == WRONG and kind != "value":
        return WRONG_GRADIENT + (0.0 if kind == "gradient" else 0.5)
    return fault.harm + (0.5 if fault.lossy and kind != "value" else 0.0)


@dataclass(frozen=True)
class Symptoms:
    """What the failing checks of a cause have in common.

    Attributes:
        kind: `value`, `gradient`, `second` or `jvp`.
        rows: The failing checks.
        features: The features of the checks.
        without_upstream: Whether the upstream gradient is left out of the results.
        forward_alone: Whether the gradients of the same cases conform.
    """

    kind: str
    rows: Sequence[Row]
    features: Sequence[str] = ()
    without_upstream: bool = False
    forward_alone: bool = False


def words(fault: Fault, symptoms: Symptoms) -> str:
    """What the function does wrong, said of the kind of quantity.

    Args:
        fault: The commonest fault of the checks.
        symptoms: What they have in common.
    """
    size = _size(symptoms.rows, symptoms.features) if fault in (_WRONG, _LOSSY) else ""
    size = " (the upstream gradient is left out)" if symptoms.without_upstream else size
    if symptoms.kind == "value" and fault.lossy and symptoms.forward_alone:
        return f"its value loses accuracy{size}, its gradient does not"
    if symptoms.kind == "value":
        return fault.value + size
    names = {str(row["quantity"]).rpartition(":")[2] for row in symptoms.rows}
    of_target = "of target" in symptoms.features and len(names) == 1
    respect = f" with respect to the {names.pop()}" if of_target else ""
    return f"its {_NAMES[symptoms.kind]}{respect} {fault.gradient}{size}"


def tells_bits(explained: Sequence[Row], features: Sequence[str]) -> bool:
    """Whether the checks are right to about as many bits as a narrower dtype has."""
    return "bits are right" in _size(explained, features)


def _size(explained: Sequence[Row], features: Sequence[str]) -> str:
    """How wrong the worst elements are, where all are so alike: by one factor, or right to as many bits."""
    pairs = [
        (float(row["observed"]), float(row["exact"]), str(row["dtype"]))
        for row in explained
        if row["observed"] and row["exact"]
    ]
    pairs = [pair for pair in pairs if np.isfinite(pair[:2]).all() and pair[0] and pair[1]]
    if len(pairs) < _MIN_ALIKE:
        return ""
    ratios = np.array([observed / exact for observed, exact, _ in pairs])
    factor = float(np.median(ratios))
    if abs(factor - 1) > _FACTOR_TOLERANCE and np.mean(np.abs(ratios / factor - 1) < _FACTOR_TOLERANCE) > 0.9:
        return (
            " (it has the wrong sign)" if round(factor, 3) == -1 else f" ({factor:.3g} times what is right)"
        )
    if not PRECISIONS_ALONE.issuperset(features):
        return ""
    wide = np.array([dtype in ("float32", "float64") for _, _, dtype in pairs])
    errors = np.abs(ratios[wide] - 1)
    bits = -np.log2(errors[errors > 0])
    if len(bits) < _MIN_ALIKE or np.subtract(*np.percentile(bits, (75, 25))) > _MAX_BITS_APART:
        return ""
    right = float(np.median(bits))
    dtype = next((name for name, (low, high) in _PRECISIONS.items() if low <= right < high), "")
    return f" (about {right:.0f} bits are right, as in {dtype})" if dtype else ""
