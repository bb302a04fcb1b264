"""Agreement of subjects as an answer, elements of answers, and digits that are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import conformance
from conformance.cases.value_classes import value_class
from conformance.comparison.causes import causes
from conformance.report.elements import Elements, ulp_error
from conformance.report.equivalence.agreement import agreements
from conformance.report.frames import light
from conformance.report.precision import no_digit_right
from conformance.results.run import EQUIVALENCE, typed

CASES = """\
source: a test
cases:
  - id: mild
    operation: softmax
    inputs: {x: [[1, 2, 3]]}
    dtypes: [float32]
  - id: far
    operation: softmax
    inputs: {x: [[0, 40, 3]]}
    dtypes: [float32]
  - id: masked
    operation: softmax
    inputs: {x: [[-.inf, 0, 3]]}
    dtypes: [float32]
"""


def _row(a: str, b: str, formulation: str, beyond: int, largest: float) -> dict[str, object]:
    classes = {
        f"{values}_{figure}": 0 for values in ("extreme", "special") for figure in ("checks", "beyond")
    }
    classes |= {
        f"{values}_{figure}": None
        for values in ("extreme", "special")
        for figure in ("median", "p99", "largest")
    }
    ordinary = {"checks": 4, "beyond": beyond, "median": 1.0, "p99": 2.0, "largest": largest}
    return {
        "operation": "softmax", "formulation": formulation, "quantity": "value", "dtype": "float32",
        "subject_a": a, "subject_b": b, "checks": 4, "identical": 1, "share_identical": 0.25,
        "largest_distance": largest, "beyond_bounds": beyond, "worst_case": "x", **classes,
        **{f"ordinary_{name}": value for name, value in ordinary.items()},
    }  # fmt: skip


def test_two_subjects_agree_or_differ_on_what_they_recommend() -> None:
    """Textbook formulations say nothing; a check beyond the bounds is counted, and within them the ulps."""
    rows = [
        _row("jax", "torch", "functional", 0, 3.0),
        _row("jax", "torch", "naive", 7, 900.0),
        _row("jax", "numpy", "functional and composed", 2, 50.0),
    ]
    found = agreements(light(typed(rows, EQUIVALENCE)), ["torch", "jax", "numpy"])
    sentences = {(pair.a, pair.b): pair.sentence for pair in found.pairs}
    assert sentences["torch", "jax"] == (
        "torch and jax agree within their bounds on every ordinary input of softmax."
    )
    assert "2 checks of softmax" in sentences["jax", "numpy"]
    (operation, cells), *_ = found.rows
    assert operation == "softmax"
    assert {cell.classes[0].largest for cell in cells if cell is not None} == {"3", "50"}


def test_a_run_of_an_earlier_version_has_no_answer() -> None:
    """Without the classes' columns there is nothing to say, and nothing fails."""
    row = {name: value for name, value in _row("a", "b", "functional", 0, 1.0).items() if "_" not in name}
    frame = typed([{**dict.fromkeys(EQUIVALENCE), **row, "subject_a": "a", "subject_b": "b"}], EQUIVALENCE)
    assert agreements(light(frame), ["a", "b"]).pairs == ()


@pytest.mark.parametrize(
    ("operation", "name", "values", "expected"),
    [
        ("softmax", "x", [1.0, -16.0], "ordinary"),
        ("softmax", "x", [1.0, -16.5], "extreme"),
        ("softmax", "x", [1.0, 1e-6], "extreme"),
        ("softmax", "x", [1.0, np.nan], "special"),
        ("softmax", "x", [1.0, -np.inf], "special"),
        ("binary_cross_entropy", "probs", [0.5, 0.25], "ordinary"),
        ("binary_cross_entropy", "probs", [0.5, 1.0], "extreme"),
        ("binary_cross_entropy", "probs", [0.5, 1 - 2.0**-20], "extreme"),
    ],
)
def test_value_classes(operation: str, name: str, values: list[float], expected: str) -> None:
    """Scores up to 16, probabilities away from 0 and 1; nan and infinities are special."""
    assert value_class(operation, {name: np.array(values)}) == expected


def test_a_run_counts_its_pairs_by_class(tmp_path: Path) -> None:
    """Each case counts in the class of its inputs, beside the pair's own count."""
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES)
    run = conformance.run([cases], subjects=["numpy", "numpy/baseline"], output=tmp_path / "run")
    rows = run.equivalence().query("formulation == 'functional' and quantity == 'value'")
    assert len(rows) == 1
    row = rows.iloc[0]
    assert [row[f"{values}_checks"] for values in ("ordinary", "extreme", "special")] == [1, 1, 1]
    assert row["checks"] == 3
    elements = Elements(tmp_path / "run")
    check = run.frame.query("case == 'mild' and formulation == 'functional' and quantity == 'value'").iloc[0]
    answer = elements.answer(check.to_dict(), (0, 2), "0.66524095577482175787")
    assert answer is not None
    assert float(answer.observed) == pytest.approx(0.665241, abs=1e-6)
    assert answer.ulp_error == pytest.approx(0, abs=2)
    assert elements.answer(check.to_dict(), (0, 3), "0.5") is None


def test_errors_are_counted_in_ulps_at_the_exact_value() -> None:
    """One step of float32 above 1 is one ulp; nan has no distance."""
    assert ulp_error(repr(1 + 2.0**-23), "1.0", "float32") == pytest.approx(1)
    assert ulp_error("nan", "1.0", "float32") is None


def test_no_digit_is_right_from_a_quarter_of_the_value_on() -> None:
    """2^(p - 2) ulps; an exact 0 has no digit to be right, and what does not conform is told otherwise."""
    frame = pd.DataFrame(
        {
            "dtype": ["float32"] * 4,
            "conforms": pd.array([True, True, True, False], dtype="boolean"),
            "exact": ["1e-9", "1e-9", "0", "1e-9"],
            "ulp_error": [2.0**22, 2.0**22 - 1, 2.0**30, 2.0**30],
            "textbook": [False] * 4,
        }
    )
    assert no_digit_right(frame).tolist() == [True, False, False, False]


def test_changes_of_one_cause_are_one_line() -> None:
    """Thirteen crashes by one message are one cause, whatever numbers it holds."""
    shared = {
        "operation": "softmax", "quantity": "value", "subject": "jax", "verdict_old": "exact", "relation": "",
        "verdict_new": "crashed", "message_old": "", "dtype": "float16", "returned_new": "", "exact": "",
    }  # fmt: skip
    rows = [{**shared, "case": f"case[{n}]", "message_new": f"LLVM ERROR: pass {n}"} for n in range(13)]
    rows.append({**shared, "case": "other", "message_new": "", "verdict_new": "wrong"})
    first, second = causes(rows)
    assert (first.checks, first.cases, second.checks) == (13, 1, 1)
    assert "exact → crashed" in first.sentence
