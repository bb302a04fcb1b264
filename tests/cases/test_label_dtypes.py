"""`label_dtype`: the same labels in other integers are the same question; what is handed over differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.plan.groups import Group

TEXT = """source: tests
cases:
  - id: a
    operation: nll_loss
    inputs: {log_probs: [[-1, -2, -3], [-4, -5, -6]], target: [0, LABEL]}
    label_dtype: KIND
"""


def case(folder: Path, kind: str, label: int = 2) -> Case:
    path = folder / "f.yaml"
    path.write_text(TEXT.replace("KIND", kind).replace("LABEL", str(label)))
    (loaded,) = load_cases([path])
    return loaded


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "int64"])
def test_labels_are_handed_over_in_these_integers(tmp_path: Path, kind: str) -> None:
    """And in no others: floating tensors keep the case's dtype, the exact value is that of the labels."""
    group = Group(0, case(tmp_path, kind), "float32")
    arrays = group.arrays()
    assert (arrays["target"][0], arrays["target"][1].dtype) == (kind, np.dtype(kind))
    assert arrays["target"][1].tolist() == [0, 2]
    assert arrays["log_probs"][0] == "float32"
    assert group.arguments["target"].dtype == np.int64
    assert group.case.with_upstream("float32")["target"].dtype == np.dtype(kind)


@pytest.mark.parametrize(("kind", "label"), [("uint8", -100), ("int8", 128)])
def test_integers_that_do_not_hold_a_label_are_a_fault(tmp_path: Path, kind: str, label: int) -> None:
    text = f"parameters: {{ignore_index: {label}}}"
    path = tmp_path / "f.yaml"
    path.write_text(TEXT.replace("KIND", kind).replace("LABEL", str(label)) + f"    {text}\n")
    with pytest.raises(CaseError, match=rf"f.yaml:6:18: label_dtype: {kind} does not hold every label"):
        load_cases([path])
