"""A sweep and the corpus judge alike: the same verdict at every input that a case has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import conformance
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.judging.verdict import LEVELS
from conformance.sweeping.binade_sweep import sweep_binade
from conformance.sweeping.functions import SWEPT_INPUT, SweptFunction
from conformance.sweeping.inputs import Binade
from conformance.sweeping.subject_call import AdapterKey
from conformance.sweeping.tally import Worst

#: The greatest case whose every number is swept by itself.
MAX_ELEMENTS = 4096
MIN_CASES = 5
TORCH = AdapterKey("torch", None, None, None, None)


def swept(function: SweptFunction, bits: int) -> Worst:
    """What a sweep says of one input."""
    binade = Binade("float32", bits // Binade("float32", 0).size)
    (tally,) = sweep_binade(TORCH, function, binade, bits, bits).tallies
    assert tally.counts.sum() == 1
    return tally.worst


def inputs(case: Case) -> np.ndarray:
    """The bits of a case's numbers in float32."""
    arguments = case.arguments("float32")
    return np.asarray(arguments[SWEPT_INPUT[case.operation]], np.float32).reshape(-1).view(np.uint32)


def cases(operation: str) -> Iterator[Case]:
    for case in load_cases():
        asked = case.operation == operation and "float32" in case.dtypes and case.expect == "value"
        if asked and not case.layout and 0 < inputs(case).size <= MAX_ELEMENTS:
            yield case


@pytest.mark.parametrize("operation", ["sigmoid", "log_sigmoid"])
def test_a_sweep_agrees_with_the_corpus_in_every_verdict(operation: str) -> None:
    """PyTorch computes one number and a block of many by different kernels: where it says the same of an
    input, the verdict is the same, and whether it conforms in any case.
    """
    frame = conformance.run(subjects=["torch"], operations=[operation], dtypes=["float32"]).frame
    judged = (frame["formulation"] == "functional") & frame["conforms"].notna()
    by_case = frame[(frame["quantity"] == "value") & judged].set_index("case")
    function, compared, same = SweptFunction(operation, "value"), 0, 0
    for case in cases(operation):
        if case.id not in by_case.index:
            continue
        row = by_case.loc[case.id]
        worst = max(swept(function, int(bits)) for bits in np.unique(inputs(case)))
        conforms = worst.level < LEVELS.index("lossy")
        assert conforms == row["conforms"], (case.id, worst, row["verdict"])
        if np.float32(worst.observed) == np.float32(float(row["observed"])):
            assert LEVELS[worst.level] == row["verdict"], (case.id, worst, row["verdict"])
            same += 1
        compared += 1
    assert compared >= MIN_CASES
    assert same >= compared // 2, (same, compared)
