"""Numbers in a reproduction are the shortest decimals that are the values again."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.arithmetic import FORMATS, from_storage, to_storage
from conformance.report.reproduction import literals

DTYPES = ("float16", "bfloat16", "float32", "float64")


class TestLiterals:
    """`number` writes the shortest decimal that is the value in its dtype."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_rounds_to_the_same_bits(self, dtype: str) -> None:
        """Every literal, rounded to the dtype, is the value again, -0.0 and subnormals too."""
        one = FORMATS[dtype]
        random = np.random.default_rng(3).standard_normal(300) * 10.0 ** np.arange(300).clip(0, 3)
        edges = [
            0.0,
            -0.0,
            one.smallest_subnormal,
            one.smallest_normal,
            one.largest,
            -one.largest,
            0.1,
            1 / 3,
        ]
        values = from_storage(to_storage(np.concatenate([random, edges]), dtype))
        texts = [literals.number(value, dtype) for value in values.tolist()]
        again = from_storage(to_storage(np.array([float(text) for text in texts]), dtype))
        assert np.array_equal(again.view(np.int64), values.view(np.int64))
        assert literals.number(float(from_storage(to_storage(np.array(0.1), dtype))), dtype) == "0.1"

    def test_special_values_are_expressions(self) -> None:
        """nan and infinities have no literal in Python."""
        for value in (float("inf"), -float("inf"), float("nan")):
            assert repr(eval(literals.number(value, "float32"))) == repr(value)
