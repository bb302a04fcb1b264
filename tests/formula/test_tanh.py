"""The hyperbolic tangent of the vocabulary: both tails, the middle, and what backward passes compute."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from conformance import formula as m
from conformance.operations import OPERATIONS, Call, references

X = np.array([-np.inf, -40.0, -19.0, -2.0, -0.5, -1e-12, 0.0, 1e-300, 1e-12, 0.5, 2.0, 19.0, 40.0, np.inf])


@m.operation(x=m.scores)
def tangent(x: m.Expression) -> m.Expression:
    return m.tanh(x)


def sech(x: float) -> mpmath.mpf:
    return mpmath.mpf(0) if np.isinf(x) else 1 / mpmath.cosh(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_slopes_are_exact_in_both_tails(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "tangent", tangent)
    x = X.astype(dtype).astype(np.float64)
    ones = np.ones_like(x)
    quantities = ("value", "gradient:x")
    (exact,) = references([Call("tangent", {"x": x}, quantities, ones)], dtype)
    with mpmath.workdps(60):
        values = [float(mpmath.tanh(mpmath.mpf(each))) for each in x]
        slopes = [float(sech(each) ** 2) for each in x]
    np.testing.assert_allclose(exact["value"].high, values, rtol=1e-16)
    np.testing.assert_allclose(exact["gradient:x"].high, slopes, rtol=1e-15)


def test_one_minus_the_square_is_within_the_bound_of_the_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "tangent", tangent)
    x = np.linspace(-12, 12, 97).astype(np.float32)
    ones = np.ones(x.shape)
    (exact,) = references([Call("tangent", {"x": x.astype(np.float64)}, ("gradient:x",), ones)], "float32")
    slope = exact["gradient:x"]
    t = np.tanh(x)
    for observed, within in ((1 - t * t, True), ((1 - t * t) * np.float32(1.0001), False)):
        error = np.abs(observed.astype(np.float64) - slope.high) / slope.ulp
        assert bool((error <= np.maximum(slope.bound, 0.5)).all()) is within
