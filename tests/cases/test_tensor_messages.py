"""What a reader is told about layouts and dtypes that a tensor cannot have."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.test_messages import SOFTMAX, faults


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("layout: {x: paded}", "6:17: layout: 'paded' is not known: did you mean 'padded'?"),
        ("layout: {x: [1]}", "6:17: x has the axes [0], not [1]: each of them once, the outermost in memory"),
        ("layout: {x: [0.5]}", "6:17: axes: a list: a mapping of tensors to"),
        ("layout: {x: channels_last}", "6:17: x has too few axes to be channels_last: another layout"),
        ("dtype_of: {x: float8}", "6:19: x: 'float8' is not known"),
        ("dtype_of: {y: float32}", "6:19: 'y' is no tensor of this case: one of: x"),
        ("dtype_of: {x: bool}", "6:19: bool does not hold every number of x: a wider dtype"),
        (
            "dtype_of: {x: float32}\n    quantities: [second]",
            "7:17: dtype_of has values and gradients alone: [value, gradient]",
        ),
        ("layout: {y: padded}", "6:17: 'y' is no tensor of this case: one of: x"),
    ],
)
def test_tensors(tmp_path: Path, key: str, wanted: str) -> None:
    found = faults(tmp_path, SOFTMAX + f"    inputs: {{x: [1, 2]}}\n    {key}\n")
    assert [line.startswith(f"f.yaml:{wanted}") for line in found] == [True], found
