"""Whoever is far ahead waits: what a run holds does not grow with its checks."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.execution import session
from conformance.execution.process import Limits
from conformance.execution.worker import Worker
from conformance.judging import collector
from conformance.plan import events
from conformance.plan import requests as plan
from conformance.plan.events import Answer, MessageQueue, message_bytes
from conformance.results.row_buffers import Row
from conformance.subjects.subject import parse

HOSTILE = Path(__file__).with_name("hostile.py")
CASE = """
  - id: case-{number}
    operation: softmax
    inputs: {{x: {{normal: {{shape: [{size}], seed: {number}}}}}}}
    dtypes: [float32]
    formulations: [functional]
    quantities: [value]
    why: large
"""
#: Numbers of a case, and cases: their answers take several times what the pipes hold.
SIZE, CASES = 20_000, 100
#: Bytes that pipes and handfuls hold beside what is counted: requests and responses of a megabyte each.
IN_PIPES = 5 << 19
FULL = 1 << 19


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A file of large softmax cases."""
    listed = [CASE.format(number=number, size=SIZE) for number in range(CASES)]
    file = tmp_path / "cases.yaml"
    file.write_text("source: tests\ncases:\n" + "".join(listed))
    return file


def test_answers_that_nobody_takes_hold_the_requests_back(
    cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full queue stops what is sent; once it is emptied all the rest comes."""
    monkeypatch.setattr(events, "MAX_QUEUE_BYTES", FULL)
    requests = plan.make(load_cases([cases]), ["numpy"]).requests["numpy"]
    messages = MessageQueue()
    worker = Worker(parse("numpy"), messages, Limits(), {})
    worker.start()
    worker.submit(requests)
    worker.close()
    before = -1
    while before < messages.bytes_waiting or not messages.over_budget:  # until nothing more comes
        before = messages.bytes_waiting
        time.sleep(1.0)
    assert FULL < messages.bytes_waiting < FULL + IN_PIPES < CASES * SIZE * 4
    answers = []
    while len(answers) < CASES:
        message = messages.get(timeout=60)
        answers += [message] if isinstance(message, Answer) else []
    assert [answer.request for answer in answers] == requests
    worker.join(60)
    messages.take_available(10)
    assert messages.bytes_waiting == 0


@pytest.mark.parametrize(
    ("most", "workers", "waits"),
    [(1 << 18, None, True), (1 << 18, 1, False), (1 << 40, None, False)],
    ids=["held back", "one at a time", "let run"],
)
def test_a_fast_subject_waits_for_a_slow_one(
    cases: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    workers: int | None,
    waits: bool,
) -> None:
    """Answers that wait for another subject's stay few; every check has its verdict all the same.

    Where one lives at a time nobody is held back: the other would wait for ever.
    """
    monkeypatch.setattr(session, "MAX_WAITING_ANSWER_BYTES", most)
    monkeypatch.setattr(
        session, "WATCH_SECONDS", 0.0
    )  # looked at after every message, however busy the machine
    monkeypatch.setattr(session, "MESSAGES_A_WRITE", 0)
    if waits:
        monkeypatch.setattr(events, "MAX_QUEUE_BYTES", FULL)
    waiting: list[int] = []

    class Seen(collector.Collector):
        def add(self, answer: Answer) -> list[Row] | None:
            rows = super().add(answer)
            waiting.append(self.bytes_waiting)
            return rows

    monkeypatch.setattr(collector, "Collector", Seen)
    command = json.dumps([sys.executable, str(HOSTILE), "slow", str(tmp_path / "marker")])
    environment = json.dumps({"PYTHONPATH": str(HOSTILE.parents[2])})
    file = tmp_path / "subjects.yaml"
    file.write_text(
        "subjects:\n  - {name: fast, subject: numpy}\n"
        f"  - {{name: slow, subject: numpy, command: {command}, environment: {environment}}}\n"
    )
    run = session.run([cases], subjects=["fast", "slow"], subjects_file=file, workers=workers)
    assert run.complete
    assert run.frame["conforms"].tolist() == [True] * 2 * CASES
    assert waiting[-1] == 0
    whole = CASES * (SIZE * 4 + message_bytes(Answer("", None, {}, {}, {})))  # type: ignore[arg-type]
    allowed = most + FULL + IN_PIPES
    assert (max(waiting) < allowed) if waits else (max(waiting) > whole / 2 > (1 << 18) + FULL + IN_PIPES)
