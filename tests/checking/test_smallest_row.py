"""The row that a finding shows: cut out of every tensor that has rows, and of no case whose rows meet."""

from __future__ import annotations

import numpy as np

from conformance.cases.loader import load_cases
from conformance.checking.smallest_row import cut_out


def test_a_mask_is_cut_as_its_scores_are() -> None:
    case = next(
        case
        for case in load_cases()
        if case.operation == "softmax"
        and "where" in case.parameters
        and not case.layout
        and np.ndim(case.arguments("float32")["x"]) == 2
        and len(case.arguments("float32")["x"]) > 1
        and case.parameters.get("axis", -1) in (-1, 1)
    )
    cut = cut_out({"dtype": "float32", "worst_index": "[1, 0]"}, case)
    assert cut is not None
    arguments, whole = cut.arguments("float32"), case.arguments("float32")
    np.testing.assert_array_equal(arguments["x"], whole["x"][1:2])
    np.testing.assert_array_equal(arguments["where"], whole["where"][1:2])


def test_no_row_is_cut_out_of_attention() -> None:
    """Every query meets all keys."""
    cases = [case for case in load_cases() if case.operation == "attention" and "float32" in case.dtypes]
    assert cases
    assert all(cut_out({"dtype": "float32", "worst_index": "[0, 0]"}, case) is None for case in cases)
