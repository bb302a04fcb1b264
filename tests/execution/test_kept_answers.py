"""Kept answers of a framework's own function: the same run without its process, and nothing that is stale."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from conformance.execution import kept_answers, session, worker_group
from conformance.execution.kept_workers import KeptWorkers
from conformance.execution.worker import Worker
from conformance.plan.events import Answer, Hello
from conformance.results.run import Run
from conformance.subjects.subject import Subject

CASES = """
source: tests
cases:
  - id: labels
    operation: one_hot
    inputs: {target: [1, 0]}
    parameters: {num_classes: 3}
    why: a plain call
  - id: label-beyond
    operation: one_hot
    inputs: {target: [1, 3]}
    parameters: {num_classes: 3}
    expect: error
    why: an error is an answer too
"""
MORE = """
  - id: others
    operation: one_hot
    inputs: {target: [0, 2]}
    parameters: {num_classes: 3}
    why: was never asked
"""
NUMPY = Subject("numpy", "numpy")


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case file, beside an empty cache."""
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cases.yaml").write_text(CASES)
    return tmp_path / "cases.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the subjects whose processes start."""
    names: list[str] = []

    class Noted(Worker):
        def start(self) -> None:
            names.append(self.subject.name)
            super().start()

    monkeypatch.setattr(worker_group, "Worker", Noted)
    return names


def run(cases: Path, output: Path | None = None) -> Run:
    return session.run(
        [cases],
        output=output,
        under_test=[NUMPY],
        make_workers=lambda limits, slots: KeptWorkers(limits, slots, NUMPY, "one_hot"),
    )


def test_a_second_run_starts_no_process(cases: Path, started: list[str], tmp_path: Path) -> None:
    """Its tables are the first one's, and so is what it says of the subject."""
    first, second = run(cases, tmp_path / "one"), run(cases, tmp_path / "two")
    assert started == ["numpy"]
    assert len(first.frame) == 16
    pd.testing.assert_frame_equal(first.frame, second.frame)
    assert second.complete
    assert first.environment["subjects"] == second.environment["subjects"]
    journal = [(tmp_path / name / "observations.bin").stat().st_size for name in ("one", "two")]
    assert journal[0] == journal[1]


def test_only_what_is_new_is_asked(cases: Path, started: list[str]) -> None:
    run(cases)
    cases.write_text(CASES + MORE)
    whole = run(cases)
    assert started == ["numpy", "numpy"]
    assert set(whole.frame["verdict"]) == {"exact"}
    assert len(whole.frame) == len(run(cases).frame) == 24
    cases.write_text(CASES)
    run(cases)
    assert started == ["numpy", "numpy"]


def test_a_changed_environment_asks_anew(
    cases: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(cases)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    run(cases)
    assert started == ["numpy", "numpy"]


def test_a_changed_file_asks_anew(cases: Path, started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(cases)
    files = kept_answers._files
    monkeypatch.setattr(
        kept_answers, "_files", lambda folder: ((path, size, time + 1) for path, size, time in files(folder))
    )
    run(cases)
    assert started == ["numpy", "numpy"]


def test_a_damaged_file_is_done_without(cases: Path, started: list[str], tmp_path: Path) -> None:
    run(cases)
    (kept,) = (tmp_path / "cache" / "control").iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    assert run(cases).complete
    kept.write_bytes(b"nothing of ours")
    assert run(cases).complete
    assert started == ["numpy"] * 3


def test_what_crashed_is_asked_again(cases: Path) -> None:
    """Only what the same request has again is kept."""
    kept = kept_answers.KeptAnswers(NUMPY, "one_hot")
    plan = session._Session(
        session.Settings(paths=[str(cases)]), session.Silent(), session.WorkerSlots(None), *[None] * 5
    )._plan([NUMPY])
    first, second = plan.requests["numpy"][:2]
    crashed = {"status": "crashed", "message": "killed by SIGSEGV"}
    raised = {"status": "raised", "error": "ValueError", "message": "no"}
    kept.add(
        Hello("numpy", {"kind": "hello", "version": "2"}),
        [
            Answer("numpy", first, dict.fromkeys(first.quantities, crashed), {}, {}),
            Answer("numpy", second, dict.fromkeys(second.quantities, raised), {}, {}),
        ],
    )
    again = kept_answers.KeptAnswers(NUMPY, "one_hot")
    assert again.hello["version"] == "2"
    assert again.answer(first) is None
    assert again.answer(second).outcomes["value"]["error"] == "ValueError"


def test_old_environments_are_dropped(cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(kept_answers.MAX_FILES + 2):
        monkeypatch.setenv("A_VARIABLE", str(number))
        run(cases)
    assert len(list((tmp_path / "cache" / "control").iterdir())) == kept_answers.MAX_FILES


def test_pinned_and_users_own_subjects_are_never_kept() -> None:
    assert kept_answers.can_be_kept(NUMPY)
    assert not kept_answers.can_be_kept(Subject("numpy==1.26.4", "numpy", version="1.26.4"))
    assert not kept_answers.can_be_kept(Subject("f", "numpy", function="f.py:f", operation="softmax"))
    assert not kept_answers.can_be_kept(Subject("numpy", "numpy", python="/usr/bin/python3"))
