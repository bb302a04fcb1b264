"""The page of known deviations' own checks: which checks an entry speaks of, and what is counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.cases.models import Known
from conformance.results.run import Run
from conformance.subjects.subject import parse

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

import make_known_checks

TEXT = """
- id: a-case
  operation: sigmoid
  source: a test
  inputs: {x: [0, 1]}
  known: [{subject: "torch:func", dtype: float32, quantity: gradient, reason: it is 1 less, source: none}]
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    (tmp_path / "a.yaml").write_text("cases:\n" + TEXT.strip() + "\n")
    return load_cases([tmp_path])[0]


@pytest.mark.parametrize(
    ("subject", "dtype", "quantity", "speaks"),
    [
        ("torch:func", "float32", "gradient:x", True),
        ("torch:func", "float32", "value", False),
        ("torch:func", "float64", "gradient:x", False),
        ("torch", "float32", "gradient:x", False),
    ],
)
def test_entry_speaks_of_its_own_checks(
    case: Case, subject: str, dtype: str, quantity: str, speaks: bool
) -> None:
    (known,) = case.known
    assert isinstance(known, Known)
    asked = make_known_checks.speaks(known, case, parse(subject), dtype, "functional", quantity)
    assert asked is speaks


def test_what_conforms_is_counted_beside_what_deviates(case: Case) -> None:
    frame = pd.DataFrame(
        {
            "conforms": pd.array([True, False, False, None], dtype="boolean"),
            "known": ["", "a reason", "", ""],
            "textbook": [False] * 4,
            "case": ["a-case"] * 4,
            "dtype": ["float32"] * 4,
            "formulation": ["functional"] * 4,
            "quantity": ["gradient:x"] * 4,
        }
    )
    frame = pd.concat([frame, frame.assign(quantity="value")])
    environment = {"subjects": {"torch:func": {"version": "2"}}, "known_conforming": {"an-entry": 1}}
    count = make_known_checks.counted(parse("torch:func"), Run(frame, environment), [case])
    assert (count.asked, count.deviating, count.conforming, count.unsupported, count.discrepancies) == (
        4,
        1,
        1,
        1,
        1,
    )
    none = make_known_checks.counted(parse("jax"), Run(frame[:0], {**environment, "subjects": {}}), [case])
    assert (none.asked, none.discrepancies) == (0, 0)
    page = make_known_checks.page([count], "2026-01-02", "a processor")
    assert "| `torch:func` | 2 | 4 | 1 | 1 | 1 | 1 |" in page
    assert "without a written reason: `an-entry` (1)." in page
