"""Digits of an observed value: those of its dtype, or of the wider one that a mode returned it in."""

import numpy as np
import pytest

from conformance.judging.observation import digits


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (25.375, "bfloat16", "25.375"),
        (float(np.float32(25.3171)), "bfloat16", "25.3171"),  # autocast's mean, in float32
        (0.1, "float64", "0.1"),
        (float(np.float32(0.1)), "float32", "0.1"),
        (0.1, "float16", "0.1"),  # of float64 alone
        (-0.0, "float16", "-0.0"),
        (float("nan"), "float16", "nan"),
        (float("-inf"), "bfloat16", "-inf"),
        (3.0, "int64", "3.0"),
    ],
)
def test_the_shortest_that_name_a_value(value: float, dtype: str, expected: str) -> None:
    assert digits(value, dtype) == expected
