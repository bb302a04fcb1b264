"""Fault words: what a failing check shows the function to do, and how much harm that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    def lossy(self) -> bool:
        """Whether digits alone are lost."""
        return self.harm == LOSSY


_LOSSY = Fault("lossy", "it loses accuracy", "loses accuracy", LOSSY)
_WRONG = Fault("wrong", "its value is wrong", "is wrong")
#: What a message says -> the fault.
_BY_MESSAGE = (
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
_NAMES = {"gradient": "gradient", "second": "second derivative"}


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
        return WRONG_GRADIENT + (0.5 if kind == "second" else 0.0)
    return fault.harm + (0.5 if fault.lossy and kind != "value" else 0.0)


def words(fault: Fault, kind: str, explained: Sequence[Row], of_target: bool) -> str:
    """What the function does wrong, said of the kind of quantity."""
    if kind == "value":
        return fault.value
    names = {str(row["quantity"]).rpartition(":")[2] for row in explained}
    respect = f" with respect to the {names.pop()}" if of_target and len(names) == 1 else ""
    return f"its {_NAMES[kind]}{respect} {fault.gradient}"
