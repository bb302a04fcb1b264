"""What changed since the run that lay in the directory: every changed row of the difference, no other."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pytest
from runs import check, relation, run

import conformance
from conformance.comparison.baseline import changes_since
from conformance.comparison.difference import diff
from conformance.execution import memory_tuning
from conformance.report import Overview
from conformance.results import frame_files

CASES = """
source: none
cases:
  - id: two-logits
    operation: softmax
    inputs: {x: [1, 2]}
    why: the smallest row
"""

SIDES = [
    (check(), check("lossy", 90.0, bits="01")),
    (check(), check(bits="01")),
    (check("wrong", 1e9), check("lossy", 50.0, bits="01")),
    (check("raised", None, message="IndexError: no"), check("raised", None, message="ValueError: no")),
    (check(exact="1.5"), check(exact="2.5", observed="2.5")),
    (check("unsupported", None), check()),
    (check("lossy", 50.0), check("unsupported", None)),
    (check("stable", 3.0), check("stable", 3.0)),
]


def stored(stored_run: Any, folder: Path) -> Path:
    folder.mkdir()
    stored_run.write(folder)
    return folder


def changed(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = frame[frame["change"] != "unchanged"]
    columns = ["kind", "change", "case", "verdict_old", "verdict_new", "ulp_error_old", "ulp_error_new"]
    return [tuple(map(str, row)) for row in rows[columns].itertuples(index=False)]


def test_since_tells_every_change_and_joins_nothing_else(tmp_path: Path) -> None:
    named = [(old | {"case": str(i)}, new | {"case": str(i)}) for i, (old, new) in enumerate(SIDES)]
    broke = [relation("within bounds", 2.0), relation("broken", 20.0)]
    holds = relation("identical", case="another")
    old = run([stored_run for stored_run, _ in named] + [check(case="gone")], [broke[0], holds])
    new = run([stored_run for _, stored_run in named] + [check(case="new")], [broke[1], holds])
    for before in (old, stored(old, tmp_path / "old")):
        difference = changes_since(before, new)
        assert difference is not None
        assert changed(difference.frame) == changed(diff(old, new).frame)
        assert len(difference.frame) == len(changed(difference.frame)) == len(SIDES) - 1 + 2 + 1


def test_a_run_that_is_read_in_parts_is_compared_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_files, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(frame_files, "_BATCH_BYTES", 1 << 12)
    rows = [check(case=str(i)) for i in range(100)]
    changes = {3: check("lossy", 90.0, case="3", bits="01"), 97: check("raised", None, case="97")}
    new = run([changes.get(i, row) for i, row in enumerate(rows)])
    difference = changes_since(stored(run(rows), tmp_path / "old"), new)
    assert difference is not None
    assert set(difference.frame["case"]) == {"3", "97"}


def test_where_no_run_lies_nothing_changed(tmp_path: Path) -> None:
    assert changes_since(tmp_path / "nowhere", run([check()])) is None


def test_a_run_is_compared_with_the_one_that_lies_where_it_is_written(tmp_path: Path) -> None:
    file, output = tmp_path / "cases.yaml", tmp_path / "out"
    file.write_text(CASES)
    overviews: list[Overview] = []
    first = conformance.run([file], subjects=["numpy"], output=output, on_overview=overviews.append)
    again = conformance.run([file], subjects=["numpy"], output=output, on_overview=overviews.append)
    file.write_text(CASES.replace("[1, 2]", "[1, 3]"))
    conformance.run([file], subjects=["numpy"], output=output, on_overview=overviews.append)
    none, same, other = (story.changes for story in overviews)
    assert none is None
    assert same is not None
    assert same.previous == first.environment["id"] != again.environment["id"]
    assert same.nothing
    assert other is not None
    assert "changed case" in dict(other.counts)


@pytest.mark.parametrize("complete", [(True, False), (False, True)])
def test_what_is_no_whole_run_is_compared_with_none(tmp_path: Path, complete: tuple[bool, bool]) -> None:
    before = stored(run([check()], complete=complete[0]), tmp_path / "old")
    assert changes_since(before, run([check()], complete=complete[1])) is None


def test_a_baseline_is_compared_though_it_is_not_whole() -> None:
    """Whoever names it wants to know; the difference warns of it."""
    difference = changes_since(run([check()], complete=False), run([check("wrong", 1e9)]))
    assert difference is not None
    assert difference.counts()["regressed"] == 1


def test_a_run_leaves_the_process_as_it_was() -> None:
    before = gc.get_threshold(), pyarrow.default_memory_pool().backend_name
    with memory_tuning.tuned():
        assert gc.get_threshold()[0] == memory_tuning.GARBAGE_THRESHOLD_OBJECTS
        assert pyarrow.default_memory_pool().backend_name == "system"
    assert (gc.get_threshold(), pyarrow.default_memory_pool().backend_name) == before
