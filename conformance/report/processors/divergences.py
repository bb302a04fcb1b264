"""Divergences: the checks on which the kernel variants of a family part, shown by the smallest input."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from conformance.errors import ConformanceError
from conformance.report.figures import count, names, plain, ulps
from conformance.report.findings import CHECK, Row, Snippet
from conformance.report.interfaces import Arguments, InputsOf
from conformance.report.processors.families import CONFORMS, KernelSubject
from conformance.report.reproduction.literals import nested
from conformance.report.verdicts import SEVERITY, Look, look

#: Cases of a divergence of which the inputs are built to find the smallest.
MAX_CASES = 20
#: Elements of an input that are written out.
MAX_SHOWN_ELEMENTS = 24

Switches = Mapping[str, str]


@dataclass(frozen=True)
class Side:
    """Subjects of a divergence with the same outcome.

    Attributes:
        subjects: Their names.
        look: The first subject's verdict on the shown check.
        observed: What it returned there.
        ulps: Its error, as text.
        worst_index: Where its worst element is.
        message: What it said.
        settings: The deciding variables on this side, as `NAME=VALUE` or `NAME unset`.
        snippet: The program that shows the failure; None where it conforms or there is none.
    """

    subjects: tuple[str, ...]
    look: Look
    observed: str
    ulps: str
    worst_index: str
    message: str
    settings: tuple[str, ...]
    snippet: str | None

    @property
    def outcome(self) -> str:
        """`conforms`, or the failing verdict."""
        return CONFORMS if self.look.conforms else self.look.name


@dataclass(frozen=True)
class Divergence:
    """Checks of one operation on which the same subjects part, shown by the one with the smallest input.

    Attributes:
        framework: The framework.
        operation: The operation.
        sides: The subjects that agree, the worst outcome first.
        checks: On how many checks they part.
        known: On how many of them each failure is a known deviation.
        reasons: The reasons of the known ones.
        variables: The environment variables that decide.
        case: The case of the shown check.
        formulation: Its formulation.
        quantity: Its quantity.
        dtype: Its dtype.
        inputs: Its inputs as text; empty where they are no longer at hand.
        exact: The exact value at the worst element.
    """

    framework: str
    operation: str
    sides: tuple[Side, ...]
    checks: int
    known: int
    reasons: tuple[str, ...]
    variables: tuple[str, ...]
    case: str
    formulation: str
    quantity: str
    dtype: str
    inputs: str
    exact: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects of all sides."""
        return tuple(name for side in self.sides for name in side.subjects)

    @property
    def parting(self) -> str:
        """Who parts on how much: `tensorflow/onednn and tensorflow/eigen part on 8 checks of softmax`."""
        known = f", {self.known:,} known" if self.known else ""
        known = ", all known" if self.known == self.checks else known
        on = f"on {count(self.checks, 'check')} of {self.operation}{known}"
        if len(self.sides) == 2 and len(self.subjects) > 2:
            first, second = (names(list(side.subjects)) for side in self.sides)
            return f"{first} {'parts' if len(self.sides[0].subjects) == 1 else 'part'} from {second} {on}"
        return f"{names(list(self.subjects))} part {on}"

    @property
    def outcomes(self) -> str:
        """What each side does, and what decides: `wrong and conforms; TF_ENABLE_ONEDNN_OPTS decides`."""
        outcomes = " and ".join(side.outcome for side in self.sides)
        verb = "decides" if len(self.variables) == 1 else "decide"
        return f"{outcomes}; {names(list(self.variables))} {verb}" if self.variables else outcomes


def divergences(
    framework: str,
    subjects: tuple[KernelSubject, ...],
    rows: pd.DataFrame,
    inputs_of: InputsOf | None,
    snippet: Snippet,
) -> list[Divergence]:
    """A divergence for each operation and way in which the subjects part.

    Args:
        framework: The family's framework.
        subjects: The family's subjects.
        rows: The judged rows of the checks on which they part.
        inputs_of: The cases' inputs; None where they are no longer at hand.
        snippet: Writes the program of one check.
    """
    checks: dict[tuple[str, ...], list[Row]] = {}
    for row in rows.to_dict("records"):
        checks.setdefault(tuple(str(row[name]) for name in CHECK), []).append(row)
    groups: dict[tuple[str, frozenset[tuple[str, ...]]], list[list[Row]]] = {}
    for check in checks.values():
        parts = frozenset(tuple(sorted(_names(side))) for side in _sides(check))
        groups.setdefault((str(check[0]["operation"]), parts), []).append(check)
    switches = {subject.name: subject.switches for subject in subjects}
    return [_divergence(framework, group, switches, inputs_of, snippet) for group in groups.values()]


def _names(rows: Sequence[Row]) -> list[str]:
    return [str(row["subject"]) for row in rows]


def _sides(check: list[Row]) -> list[list[Row]]:
    """The rows of a check by their outcome, the worst first."""
    sides: dict[str, list[Row]] = {}
    for row in check:
        sides.setdefault(str(row["outcome"]), []).append(row)
    return sorted(sides.values(), key=lambda rows: -SEVERITY.get(str(rows[0]["outcome"]), -1))


def _divergence(
    framework: str,
    group: list[list[Row]],
    switches: Mapping[str, Switches],
    inputs_of: InputsOf | None,
    snippet: Snippet,
) -> Divergence:
    check, arguments = _smallest(group, inputs_of)
    sides = _sides(check)
    worst = sides[0][0]
    variables = _deciding([[switches[name] for name in _names(rows)] for rows in sides])
    failures = [[plain(row["known"]) for row in rows if row["outcome"] != CONFORMS] for rows in group]
    return Divergence(
        framework=framework,
        operation=plain(worst["operation"]),
        sides=tuple(_side(rows, variables, switches, snippet) for rows in sides),
        checks=len(group),
        known=sum(all(reasons) for reasons in failures),
        reasons=tuple(dict.fromkeys(reason for reasons in failures for reason in reasons if reason)),
        variables=variables,
        case=plain(worst["case"]),
        formulation=plain(worst["formulation"]),
        quantity=plain(worst["quantity"]),
        dtype=plain(worst["dtype"]),
        inputs=_written(arguments, worst),
        exact=plain(worst["exact"]),
    )


def _side(
    rows: list[Row], variables: Sequence[str], switches: Mapping[str, Switches], snippet: Snippet
) -> Side:
    first = rows[0]
    settings = [
        f"{name}={switches[subject][name]}" if name in switches[subject] else f"{name} unset"
        for name in variables
        for subject in _names(rows)
    ]
    return Side(
        subjects=tuple(_names(rows)),
        look=look(str(first["verdict"])),
        observed=plain(first["observed"]),
        ulps=ulps(first["ulp_error"]),
        worst_index=plain(first["worst_index"]),
        message=plain(first["message"]),
        settings=tuple(dict.fromkeys(settings)),
        snippet=None if first["outcome"] == CONFORMS else snippet(first),
    )


def _deciding(sides: Sequence[Sequence[Switches]]) -> tuple[str, ...]:
    """The variables that no two sides set alike; where there is none, all that differ."""
    every = dict.fromkeys(name for side in sides for switches in side for name in switches)
    values = {name: [{switches.get(name) for switches in side} for side in sides] for name in every}
    deciding = [name for name in every if all(not (a & b) for a, b in combinations(values[name], 2))]
    return tuple(deciding or [name for name in every if len(set().union(*values[name])) > 1])


def _smallest(group: list[list[Row]], inputs_of: InputsOf | None) -> tuple[list[Row], Arguments]:
    """The check with the smallest inputs, and these; with the smallest result where there are none."""
    cases: dict[str, list[Row]] = {}
    for check in sorted(group, key=_result_elements):
        cases.setdefault(str(check[0]["case"]), check)
    choices = [(check, _arguments(check[0], inputs_of)) for check in list(cases.values())[:MAX_CASES]]
    return min(choices, key=lambda choice: _input_elements(choice[1]))


def _result_elements(check: list[Row]) -> tuple[int, bool]:
    """The size of a check's result, the value before its gradients."""
    return max(int(row["elements"]) for row in check), check[0]["quantity"] != "value"


def _arguments(row: Row, inputs_of: InputsOf | None) -> Arguments:
    """The arguments of a row's case; none where they are no longer at hand."""
    try:
        return inputs_of(str(row["case"]), str(row["dtype"])) if inputs_of else {}
    except (ConformanceError, KeyError):
        return {}


def _input_elements(arguments: Arguments) -> float:
    sizes = [value.size for value in arguments.values() if isinstance(value, np.ndarray)]
    return sum(sizes) if sizes else np.inf


def _written(arguments: Arguments, row: Row) -> str:
    """The tensors as text: whole where they are small, else the worst element's row, else the shape."""
    index = [int(number) for number in re.findall(r"\d+", plain(row["worst_index"]))]
    texts = []
    for name, value in arguments.items():
        if not isinstance(value, np.ndarray):
            continue
        shown, label = value, name
        if value.size > MAX_SHOWN_ELEMENTS and value.ndim == 2 and index and index[0] < len(value):
            shown, label = value[index[0]], f"{name}[{index[0]}]"
        small = shown.size <= MAX_SHOWN_ELEMENTS
        text = nested(shown, plain(row["dtype"])) if small else f"array of shape {value.shape}"
        texts.append(f"{label} = {text}")
    return "; ".join(texts).replace('float("nan")', "nan").replace('float("inf")', "inf")
