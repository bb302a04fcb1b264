"""Kept answers are those of the same texts, and of complete runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import table
from kept_answers import Answers

from conformance.results.run import Run

SOME = [one for one in table.load_all(table.modules_of("torch")) if one.operation == "sigmoid"][:2]


def run(complete: bool = True) -> Run:
    return Run(pd.DataFrame({"case": ["a-case"]}), {"complete": complete})


def never() -> Run:
    raise AssertionError("asked again")


def test_answers_are_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    Answers(tmp_path).get(SOME, [], run)
    kept = Answers(tmp_path).get(SOME, [], never)
    assert kept.frame["case"].tolist() == ["a-case"]
    assert kept.complete
    with pytest.raises(AssertionError, match="asked again"):
        Answers(None).get(SOME, [], never)


def test_answers_of_an_interrupted_run_are_asked_for_again(tmp_path: Path) -> None:
    Answers(tmp_path).get(SOME, [], lambda: run(complete=False))
    with pytest.raises(AssertionError, match="asked again"):
        Answers(tmp_path).get(SOME, [], never)


def test_answers_of_other_texts_are_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(tmp_path).get(SOME, [], run)
    monkeypatch.setattr("kept_answers.grounds_digest", lambda: "another")
    with pytest.raises(AssertionError, match="asked again"):
        Answers(tmp_path).get(SOME, [], never)
