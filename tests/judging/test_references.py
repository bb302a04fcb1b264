"""Exact values of a plan: found together they are those found alone, and the disk gives them back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from conformance.cases.loader import load_cases
from conformance.judging import references
from conformance.judging.references import References
from conformance.operations import Reference, reference
from conformance.plan import requests
from conformance.plan.groups import Group

#: Among others a value that 128 bits do not settle, digits below float64's range, and no elements at all.
FILE = """\
source: here
cases:
  - id: few
    operation: log_softmax
    inputs: {x: [[1, 2, -800], [0, 0, 1]]}
    dtypes: [float32, float64]
    why: some
  - id: far
    operation: softmax
    inputs: {x: [0, -1400, -3000]}
    dtypes: [float64, float16]
    why: digits that no double-double holds
  - id: hard
    operation: cross_entropy
    inputs: {logits: [[10000, -10000, 10000, -10000]], target: [[0.25, 0.25, 0.25, 0.25]]}
    dtypes: [float16, float32]
    why: beside a tie of float16
  - id: none
    operation: softmax
    inputs: {x: {normal: {shape: [0, 3], seed: 1}}}
    dtypes: [float32]
    why: no rows
  - id: refused
    operation: one_hot
    inputs: {target: [5]}
    parameters: {num_classes: 3}
    expect: error
    why: out of range
"""


@pytest.fixture
def groups(tmp_path: Path) -> list[Group]:
    path = tmp_path / "cases.yaml"
    path.write_text(FILE)
    return requests.make(load_cases([path]), ["numpy"]).groups


def computed(group: Group, quantity: str) -> Reference:
    return reference(group.case.operation, group.arguments, quantity, group.dtype, group.flow)


def same(one: Reference, other: Reference) -> bool:
    names = ("rounded", "high", "low", "ulp", "bound", "attainable")
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    bits = all(a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
    return bits and one.outside == other.outside and one.dtype == other.dtype


def held(found: References, groups: list[Group]) -> list[bool]:
    values = [group for group in groups if group.case.expect != "error"]
    return [
        same(found.get(group, quantity), computed(group, quantity))
        for group in values
        for quantity in group.case.quantity_names()
    ]


def test_groups_that_are_found_together_are_as_alone(groups: list[Group], tmp_path: Path) -> None:
    for turn in ("computed", "from the disk"):
        found = References(tmp_path, groups)
        assert all(held(found, groups)), turn
        found.close()
    assert any(computed(group, "value").outside for group in groups if group.case.id == "far")


def test_what_is_on_the_disk_is_not_computed(
    groups: list[Group], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = References(tmp_path, groups)
    assert all(held(first, groups))
    first.close()
    asked: list[str] = []
    whole = references.references
    monkeypatch.setattr(
        references,
        "references",
        lambda calls, dtype: asked.extend(c.operation for c in calls) or whole(calls, dtype),
    )
    again = References(tmp_path, groups)
    for _ in again.ahead():
        pass
    again.close()
    assert asked == []


@pytest.mark.parametrize(
    "damage",
    ["header = 'x'", "header = '[]'", "numbers = x'00'", "numbers = zeroblob(48)", "header = NULL"],
)
def test_a_damaged_entry_is_computed_again(groups: list[Group], tmp_path: Path, damage: str) -> None:
    first = References(tmp_path, groups)
    assert all(held(first, groups))
    first.close()
    with sqlite3.connect(tmp_path / "exact.sqlite") as connection:
        connection.execute(f"UPDATE settled SET {damage}")
    connection.close()
    assert all(held(References(tmp_path, groups), groups))


def test_nothing_is_found_ahead_while_there_is_no_room(
    groups: list[Group], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And more once a group is judged."""
    monkeypatch.setattr(references, "MAX_ELEMENTS_AHEAD", 0)
    monkeypatch.setattr(references, "GROUPS_A_STEP", 1)
    found = References(tmp_path, groups)
    steps = found.ahead()
    assert [next(steps), next(steps), next(steps)] == [True, False, False]
    found.drop(groups[0])
    assert next(steps)


def test_a_cache_that_cannot_be_used_is_done_without(groups: list[Group], tmp_path: Path) -> None:
    (tmp_path / "exact.sqlite").write_text("no database")
    assert all(held(References(tmp_path, groups), groups))
    (tmp_path / "file").write_text("")
    assert all(held(References(tmp_path / "file" / "below", groups), groups))


def test_a_group_out_of_the_plan_is_found_alone(groups: list[Group], tmp_path: Path) -> None:
    found = References(tmp_path)
    assert same(found.once(groups[0], "value"), computed(groups[0], "value"))
    assert not np.isnan(found.get(groups[1], "value").high).any()
