"""Numbers of a check's program: the page rounds them from a wider dtype as the suite does."""

from __future__ import annotations

import numpy as np
import pytest
from browser.conftest import Page

from conformance.arithmetic.formats import FORMATS, round_to
from conformance.report.pages import asset

PART = asset("check_program.js").partition("// A number rounded")[2].partition("function valuesOf")[0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_page_rounds_as_the_suite_does(page: Page, dtype: str) -> None:
    """Ties, subnormal numbers, both sides of a power of two and of overflow, zeros that keep their sign."""
    generator = np.random.default_rng(17)
    values = np.concatenate(
        [
            generator.normal(size=500) * 2.0 ** generator.integers(-140, 130, 500),
            np.arange(-40, 40) * 2.0**-9 + 1,
            (2 * np.arange(40) + 1) * 2.0**-26,
            np.array(
                [65504.0, 65519.9, 65520.0, 3.3895e38, 3.396e38, 1 - 2.0**-9, 1 - 2.0**-53, 1e-45, -1e-300]
            ),
        ]
    )
    with np.errstate(all="ignore"):
        exact = round_to(FORMATS[dtype], values)
    texts = page.js(
        f"//{PART}\nreturn arguments[0].map((value) => String(roundedTo(arguments[1], value)))",
        values.tolist(),
        dtype,
    )
    for value, text, right in zip(values, texts, exact, strict=True):
        assert float(text) == right, (value, text)
        assert np.signbit(float(text)) == np.signbit(right), (value, text)
