"""Bounds of results whose tensors have dtypes of their own."""

from __future__ import annotations

import numpy as np

from conformance.judging.mixed_dtypes import computing_dtype, widened, with_one_cast
from conformance.operations import reference

ARGUMENTS = {
    "logits": np.array([[1.0, 0.0, -3.0]]),
    "target": np.float32([[0.3, 0.6, 0.1]]).astype(float),
    "reduction": "none",
}


def test_what_the_dtype_does_not_hold_is_cast_one_at_a_time() -> None:
    given, *cast = with_one_cast(ARGUMENTS, "bfloat16")
    assert given is ARGUMENTS
    assert [list(each) for each in cast] == [list(ARGUMENTS)]
    assert cast[0]["target"][0, 0] == 0.30078125
    assert with_one_cast(ARGUMENTS, "float32") == [ARGUMENTS]


def test_the_bound_grants_the_conversion_and_the_attainable_one_does_not() -> None:
    exact, cast = (
        reference("cross_entropy", given, "value", "bfloat16")
        for given in with_one_cast(ARGUMENTS, "bfloat16")
    )
    wide = widened(exact, [cast])
    change = np.abs(cast.high - exact.high) / exact.ulp
    assert change > 0
    np.testing.assert_allclose(wide.bound, exact.bound + change)
    np.testing.assert_array_equal(wide.attainable, exact.attainable)
    assert widened(exact, []).bound is exact.bound


def test_gradient_finer_than_what_a_function_computes_in_has_the_coarser_bound() -> None:
    fine, coarse = (
        reference("cross_entropy", ARGUMENTS, "gradient:target", dtype) for dtype in ("float64", "float32")
    )
    wide = widened(fine, [], coarse)
    np.testing.assert_allclose(
        wide.bound * fine.ulp, np.maximum(fine.bound * fine.ulp, coarse.bound * coarse.ulp)
    )
    assert (wide.bound > 1e6 * fine.bound).all()
    assert [computing_dtype(dtype) for dtype in ("bfloat16", "float32", "float64")] == [
        "float32",
        "float32",
        "float64",
    ]
