"""Changed elements: of each check the one that changed most, with its bits, digits and exact value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from conformance.caches import cache_directory
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.errors import ConformanceError
from conformance.judging.references import References
from conformance.plan.groups import Group, on_the_wire
from conformance.results.observation_store import Observations, changed_most, hexadecimal
from conformance.results.run import Run

#: Changes of a check in which both sides may have returned something.
_BOTH = ("regressed", "worse", "fixed", "better", "changed bits")


def fill(frame: pd.DataFrame, old_run: Run, new_run: Run) -> None:
    """Writes index, bits, digits, exact value and count of changed elements into a difference's rows.

    Needs both runs' observations; without them the worst element stands as the results have it. The exact
    value is computed again from the case where its element is not the one in the results.
    """
    old, new = Observations(old_run.directory), Observations(new_run.directory)
    rows = frame.index[(frame["kind"] == "check") & frame["change"].isin(_BOTH)]
    exact = _ExactElements(new_run)
    filled: dict[str, dict[Any, Any]] = {}
    changed: dict[Any, dict[str, Any]] = {label: frame.loc[label].to_dict() for label in rows}
    for label, values in _details(changed, old, new, exact):
        for name, value in values.items():
            filled.setdefault(name, {})[label] = value
    exact.close()
    for name, by_row in filled.items():
        frame.loc[list(by_row), name] = list(by_row.values())


def _details(
    rows: dict[Any, dict[str, Any]], old: Observations, new: Observations, exact: _ExactElements
) -> Iterator[tuple[Any, dict[str, Any]]]:
    # Checks of one case and dtype together: its exact values are computed once.
    for label in sorted(rows, key=lambda row: [rows[row][name] for name in ("case", "dtype", "quantity")]):
        row = rows[label]
        request = (str(row["case"]), str(row["dtype"]), str(row["formulation"]))
        quantity = str(row["quantity"])
        before = old.get(str(row["subject_old"]), request, quantity)
        after = new.get(str(row["subject_new"]), request, quantity)
        element = changed_most(before, after) if before is not None and after is not None else None
        if element is None:
            yield label, _from_results(row)
            continue
        yield (
            label,
            {
                "index": str(list(element.index)),
                "bits_old": element.bits_old,
                "bits_new": element.bits_new,
                "observed_old": element.old,
                "observed_new": element.new,
                "exact": exact.text(row, element.index),
                "elements_changed": element.changed,
                "elements": element.elements,
            },
        )


def _from_results(row: dict[str, Any]) -> dict[str, Any]:
    """Bits of the worst element, from the digits that the results hold."""
    return {f"bits_{side}": _bits(str(row[f"observed_{side}"]), str(row["dtype"])) for side in ("old", "new")}


def _bits(digits: str, dtype: str) -> str:
    try:
        _, stored = on_the_wire(np.asarray(float(digits)), dtype)
    except ValueError:
        return ""
    return hexadecimal(stored)


class _ExactElements:
    """Exact values of single elements, from the results where they hold them, else computed from the case."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._cases: dict[str, Case] | None = None
        self._references = References(cache_directory())
        self._group: Group | None = None

    def text(self, row: dict[str, Any], index: tuple[int, ...]) -> str:
        """The exact value's digits at `index`; empty where the case is not at hand or is another one now."""
        if str(list(index)) == row["index"]:
            return str(row["exact"])
        case = self._case(str(row["case"]))
        if case is None:
            return ""
        if self._group is None or self._group.case is not case or self._group.dtype != row["dtype"]:
            self._drop()
            self._group = Group(0, case, str(row["dtype"]))
        try:
            reference = self._references.get(self._group, str(row["quantity"]))
            known = tuple(int(i) for i in str(row["index"]).strip("[]").split(",") if i.strip())
            if row["exact"] and reference.text(known) != row["exact"]:
                return ""  # The case's file has changed since the run.
            return reference.text(index)
        except (ConformanceError, IndexError, ValueError, KeyError):
            return ""

    def _case(self, name: str) -> Case | None:
        if self._cases is None:
            paths = [Path(path) for path in self._run.environment.get("settings", {}).get("paths", [])]
            try:
                self._cases = {case.id: case for case in load_cases(paths or None)}
            except ConformanceError:
                self._cases = {}
        return self._cases.get(name)

    def _drop(self) -> None:
        if self._group is not None:
            self._references.drop(self._group)

    def close(self) -> None:
        """Keeps what was computed."""
        self._references.close()
