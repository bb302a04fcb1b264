"""The page of the whole product: what is counted of each subject of a run."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pandas as pd

from conformance.cases.loader import load_cases
from conformance.results.run import Run

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

import make_full_profile


def test_each_subject_is_counted_by_itself() -> None:
    verdicts = pd.DataFrame(
        {
            "conforms": pd.array([True, True, False, False, False, None], dtype="boolean"),
            "known": ["", "", "a reason", "", "", ""],
            "textbook": [False, False, False, True, False, False],
        }
    )
    frame = pd.concat([verdicts.assign(subject="torch:func"), verdicts[:2].assign(subject="torch:refs")])
    subjects = {
        "torch:func": {"version": "2", "seconds": 1.6},
        "torch:refs": {"version": "2", "seconds": 0.2},
    }
    environment = {"subjects": subjects, "finished": "2026-01-02T03:04:05+00:00", "known_conforming": {}}
    run = Run(frame, environment)
    func, refs = make_full_profile.answers(run, list(frame["known"]), Counter({"torch:refs": 7}))
    counts = (func.asked, func.conforming, func.known, func.textbook, func.unsupported, func.discrepancies)
    assert counts == (6, 2, 1, 1, 1, 1)
    assert (refs.asked, refs.left_out, refs.discrepancies) == (2, 7, 0)
    page = make_full_profile.page([func, refs], {"an-entry": 3}, 1234)
    assert "every check of 1,234 cases" in page
    assert "| `torch:func` | 2 | 2026-01-02 | 6 | 0 | 2 | 1 | 1 | 1 | 1 | 2 |" in page
    assert "without a written reason: `an-entry` (3)." in page
    missing = next(line for line in page.splitlines() if line.startswith("Modes of which no whole run"))
    assert "`torch:compile`" in missing
    assert "`torch:func`" not in missing


CASE = """
cases:
- id: a-case
  operation: sigmoid
  source: a test
  inputs: {x: [0, 1]}
  known:
  - subject: "torch:func"
    dtype: float32
    quantity: gradient
    reason: it is 0
    source: none
    observed: [{verdicts: [wrong], values: [0]}]
"""


def test_entries_of_today_speak_of_stored_figures(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CASE)
    (case,) = load_cases([tmp_path])
    verdicts = ["wrong", "wrong", "exact", "unsupported"]
    frame = pd.DataFrame(
        {
            "case": "a-case",
            "subject": "torch:func",
            "dtype": "float32",
            "formulation": "functional",
            "quantity": "gradient:x",
            "verdict": verdicts,
            "conforms": pd.array([False, False, True, None], dtype="boolean"),
            "ulp_error": [9.0, 9.0, 0.0, None],
            "observed": ["0.0", "0.5", "0.25", ""],
            "message": "",
            "exact": "",
        }
    )
    environment = {"subjects": {"torch:func": {"version": "2"}}}
    known, covering = make_full_profile.known_now(Run(frame, environment), {"a-case": case})
    assert [bool(reason) for reason in known] == [True, False, False, False]
    assert sum(covering.values()) == 1
