"""Invariance: rows compared with a row alone, signs of zeros, tallies, and threads by a variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.judging.case_identities import Identities, IdentityResult
from conformance.judging.invariance import Invariance
from conformance.operations import Reference
from conformance.report.invariance import invariance as section
from conformance.results.row_buffers import typed
from conformance.results.run import INVARIANCE

CASES = """
source: a test
cases:
  - {id: alone, operation: sigmoid, inputs: {x: [[0, 1]]}, why: a row}
  - id: batch
    operation: sigmoid
    inputs: {x: [[0, 1], [2, 3], [0, 1]]}
    equals: {case: alone, relation: a row in a batch, invariance: batch, at: [0, 2]}
    why: the same row first and last
  - id: position
    operation: sigmoid
    inputs: {x: [[0, 1], [2, 3], [0, 1]]}
    equals: {case: batch, relation: "positions", invariance: position, rows: [0], at: [2]}
    why: the first row of one batch is the last of another
"""
ROW = np.array([[0.5, 0.25]])


@pytest.fixture
def cases(tmp_path: Path) -> dict[str, Case]:
    """A row alone and in a batch."""
    path = tmp_path / "f.yaml"
    path.write_text(CASES)
    return {case.id: case for case in load_cases([path])}


def compared(cases: dict[str, Case], batch: list[list[float]], row: np.ndarray = ROW) -> IdentityResult:
    """The identity of the two, where a subject returned this batch and this row."""
    identities = Identities.among(cases.values())
    results: list[IdentityResult] = []
    for name, values in (("alone", row), ("batch", np.array(batch))):
        exact = row if name == "alone" else np.concatenate([row, [[9.0, 9.0]], row])
        bound, ulp = np.full(exact.shape, 4.0), np.full(exact.shape, 2.0**-24)
        reference = Reference("float32", exact, exact, 0 * exact, ulp, bound, bound)
        observed = {("torch", "functional"): values}
        results += identities.add(cases[name], "float32", "value", observed, reference)
    (result,) = results
    return result


@pytest.mark.parametrize(
    ("last", "judgement"),
    [
        ([0.5, 0.25], "identical"),
        ([0.5, 0.25 + 2**-24], "within bounds"),
        ([0.5, 0.375], "broken"),
    ],
)
def test_each_row_that_is_named_is_compared_with_the_row_alone(
    cases: dict[str, Case], last: list[float], judgement: str
) -> None:
    result = compared(cases, [[0.5, 0.25], [9.0, 9.0], last])
    assert result.distance.judgement == judgement


def test_a_row_that_is_taken_stands_for_each_that_is_compared(cases: dict[str, Case]) -> None:
    identities = Identities.among(cases.values())
    batch = np.concatenate([ROW, [[9.0, 9.0]], ROW])
    half = np.full(batch.shape, 2.0**-24)
    reference = Reference("float32", batch, batch, 0 * batch, half, half, half)
    found: list[IdentityResult] = []
    for name in ("batch", "position"):
        found += identities.add(cases[name], "float32", "value", {("torch", "functional"): batch}, reference)
    assert [(each.relation, each.distance.judgement) for each in found] == [("positions", "identical")]


def test_another_sign_of_zero_is_another_bit(cases: dict[str, Case]) -> None:
    zero = np.array([[0.0, 0.25]])
    assert compared(cases, [[0.0, 0.25], [9, 9], [0.0, 0.25]], zero).distance.identical
    assert not compared(cases, [[0.0, 0.25], [9, 9], [-0.0, 0.25]], zero).distance.identical


def test_a_tally_has_the_worst_of_its_comparisons(cases: dict[str, Case]) -> None:
    counted = Invariance()
    for last in ([0.5, 0.25], [0.5, 0.25 + 2**-24]):
        counted.add(compared(cases, [[0.5, 0.25], [9, 9], last]), "value", "float32")
    (row,) = counted.rows([])
    assert (row["kind"], row["verdict"], row["compared"], row["bitwise"]) == ("batch", "within bounds", 2, 1)
    assert (row["largest_distance"], row["worst_case"]) == (1.0, "batch")


def test_threads_are_those_of_a_subject_and_its_variant() -> None:
    pair = {
        "operation": "sigmoid", "formulation": "functional", "quantity": "value", "dtype": "float32",
        "subject_a": "jax", "subject_b": "jax/one_thread", "checks": 7, "identical": 6, "beyond_bounds": 0,
        "largest_distance": 2.0, "worst_case": "c",
    }  # fmt: skip
    other = {**pair, "subject_b": "jax/avx2"}
    (row,) = Invariance().rows([other, pair])
    assert (row["subject"], row["kind"], row["verdict"]) == ("jax", "threads, all checks", "within bounds")


def test_the_section_says_what_the_bits_of_a_subject_depend_on() -> None:
    rows = [
        ("sigmoid", "functional", "value", "float32", "torch", "batch", "bitwise", 4, 4, 0, 0.0, ""),
        ("sigmoid", "functional", "value", "float64", "torch", "batch", "within bounds", 4, 3, 0, 2.0, "b"),
        ("sigmoid", "functional", "value", "float32", "jax", "batch", "bitwise", 4, 4, 0, 0.0, ""),
    ]
    frame: pd.DataFrame = typed([dict(zip(INVARIANCE, row, strict=True)) for row in rows], INVARIANCE)
    shown = section(frame, ["torch", "jax"])
    assert shown.sentences == (
        "torch: 7 of 8 comparisons bitwise; bits depend on batch (1, within bounds)",
        "jax: bitwise in all of 4 comparisons",
    )
    assert [(kept.dtype, kept.worst_case) for kept in shown.changes] == [("float64", "b")]
