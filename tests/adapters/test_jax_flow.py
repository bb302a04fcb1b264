"""The upstream gradient that JAX's adapter hands back has the dtype of the result."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

from conformance.adapters.jax.adapter import flow


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_upstream_gradient_has_the_dtype_of_the_result(dtype: str) -> None:
    value = jnp.ones(2, dtype)
    assert flow(value, jnp.full(2, 0.5, "float32")).dtype == dtype
    assert flow(value, None).tolist() == [1, 1]
