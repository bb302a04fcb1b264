"""The derivative of the logistic function near 0: on which side of 1/4 it lies."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.operations import reference


@pytest.mark.parametrize("x", [2.0**-39, 2.0**-41, 2.0**-126, -(2.0**-149)])
def test_the_slope_lies_below_a_quarter(x: float) -> None:
    """A number just below a power of two has the ulp of the lower binade."""
    slope = reference("sigmoid", {"x": np.array([x])}, "gradient:x", "float32", np.ones(1))
    assert slope.rounded[0] == 0.25
    assert slope.low[0] < 0
    assert slope.ulp[0] == 2.0**-26
