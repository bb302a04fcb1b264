"""Where an identity stops to hold is found to the bit: as NumPy by itself has it, inside the sweep."""

from __future__ import annotations

import numpy as np
import pytest

import conformance
from conformance.results.run import Run

CASES = """
source: tests
tags: [frontier]
cases:
  - id: sweep
    operation: log_softmax
    inputs: {x: {gaps: {low: 0.125, high: 1024, steps: 2, classes: 2}}}
    parameters: {axis: 1}
    why: a sweep of gaps
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The sweep in the reference, in two dtypes."""
    file = tmp_path_factory.mktemp("sweep") / "sweep.yaml"
    file.write_text(CASES)
    return conformance.run([file], subjects=["numpy"], dtypes=["float32", "float64"])


def naive(gap: float, dtype: type[np.floating]) -> np.ndarray:
    """The logarithm of softmax, of a row of 0 and -gap."""
    powers = np.exp(np.array([0, -gap], dtype))
    with np.errstate(divide="ignore"):
        return np.log(powers / powers.sum(dtype=dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_naive_log_softmax_breaks_between_two_neighbours(swept: Run, dtype: type[np.floating]) -> None:
    table = swept.frames["breaks"]
    rows = table[(table["dtype"] == dtype.__name__) & (table["left"] == "naive")]
    (row,) = rows[rows["right"] == "functional"].to_dict("records")
    holds, breaks = dtype(row["holds_to"]), dtype(row["breaks_at"])
    assert np.nextafter(holds, dtype(np.inf)) == breaks
    assert (float.fromhex(row["holds_to_bits"]), float.fromhex(row["breaks_at_bits"])) == (holds, breaks)
    assert dtype(row["left_value"]) in naive(float(breaks), dtype)
    assert float(row["right_value"]) == pytest.approx(float(row["exact"]), rel=1e-6)
    # It lies between the sweep's last gap within the bound and the first beyond it.
    sweep = swept.frames["sweep"]
    mine = sweep[(sweep["dtype"] == dtype.__name__) & (sweep["formulation"] == "naive")].sort_values("gap")
    assert mine["gap"].is_unique
    assert mine["gap"].iloc[0] < holds < mine["gap"].iloc[-1]
    assert np.isinf(naive(float(mine["gap"].iloc[-1]), dtype)).any()


def test_every_break_is_of_a_relation_that_the_sweep_broke(swept: Run) -> None:
    breaks, relations = swept.frames["breaks"], swept.relations()
    broken = relations[relations["judgement"] == "broken"]
    assert set(zip(breaks["left"], breaks["dtype"], strict=True)) == set(
        zip(broken["left"], broken["dtype"], strict=True)
    )
    assert set(breaks["relation"]) <= set(broken["relation"])
