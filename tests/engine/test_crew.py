"""A subject's two processes: who has them, and that they answer what one does."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from conformance import crew, engine
from conformance.crew import compiles
from conformance.results import Run
from conformance.subject import parse
from conformance.worker import Worker

CASES = Path(__file__).parents[1] / "few_cases.yaml"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subject of each process that is started; NumPy is taken for a framework that compiles."""
    names: list[str] = []

    class Seen(Worker):
        def start(self) -> None:
            names.append(self.subject.name)
            super().start()

    monkeypatch.setattr(engine, "Worker", Seen)
    monkeypatch.setattr(crew, "COMPILING", {"numpy:reference"})
    monkeypatch.setattr(crew, "MANY", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return names


def run(**options: int) -> Run:
    return engine.run([CASES], subjects=["numpy"], **options)


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("jax", True),
        ("jax:jit", True),
        ("jax:eager", False),
        ("jax@gpu", False),
        ("tensorflow", False),
        ("tensorflow:xla", True),
        ("torch:compile", True),
        ("torch", False),
    ],
)
def test_what_compiles_on_the_processor_is_shared(name: str, shared: bool) -> None:
    assert compiles(parse(name)) is shared


def test_two_processes_answer_what_one_does(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its dtypes; every check is there, once, with the same bits."""
    shared = run()
    assert started == ["numpy", "numpy"]
    monkeypatch.setattr(crew, "MANY", 1_000_000)
    alone = run()
    assert started == ["numpy"] * 3
    assert shared.complete
    assert set(shared.frame["dtype"]) > {"float32", "float64"}
    pd.testing.assert_frame_equal(shared.frame, alone.frame)


def test_a_number_of_workers_is_a_number_of_processes(started: list[str]) -> None:
    """With `--workers`, no subject has more than one."""
    assert run(workers=2).complete
    assert started == ["numpy"]
