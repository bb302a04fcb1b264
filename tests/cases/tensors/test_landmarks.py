"""The dtypes' named edges against mpmath and against the dtypes' own casts."""

from __future__ import annotations

import ml_dtypes
import mpmath
import numpy as np
import pytest

from conformance.cases.tensors import landmarks

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}


def format_of(dtype: str) -> tuple[int, int, int]:
    """Precision and exponents, from NumPy's or ml_dtypes' own description."""
    info = ml_dtypes.finfo(DTYPES[dtype])
    return info.nmant + 1, int(info.minexp), int(info.maxexp) - 1


@pytest.mark.parametrize("dtype", DTYPES)
class TestEdges:
    def test_of_the_format(self, dtype: str) -> None:
        info = ml_dtypes.finfo(DTYPES[dtype])
        named = landmarks.named(dtype)
        assert named["max"] == float(info.max)
        assert named["min_normal"] == float(info.smallest_normal)
        assert named["min_subnormal"] == float(info.smallest_subnormal)
        assert named["max_subnormal"] == float(info.smallest_normal) - float(info.smallest_subnormal)
        assert tuple(named) == landmarks.NAMES

    def test_of_exp(self, dtype: str) -> None:
        """Each is the dtype's number next to where exp rounds to infinity, below the normals, to zero."""
        precision, emin, emax = format_of(dtype)
        named = landmarks.named(dtype)
        with mpmath.workprec(300):
            two = mpmath.mpf(2)
            overflow = mpmath.log((2 - two**-precision) * two**emax)
            subnormal = mpmath.log(two**emin)
            underflow = mpmath.log(two ** (emin - precision))
            assert landmarks.step(named["exp_overflow"], -1, dtype) < overflow <= named["exp_overflow"]
            for name, threshold in (("exp_subnormal", subnormal), ("exp_underflow", underflow)):
                assert named[name] <= threshold < landmarks.step(named[name], 1, dtype)

    @pytest.mark.parametrize("value", [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -1024.0])
    def test_steps_are_nextafter(self, dtype: str, value: float) -> None:
        kind = DTYPES[dtype]
        found = np.array(value, kind)
        for steps in (1, 2, 3):
            found = np.nextafter(found, kind(np.inf))
            assert landmarks.step(value, steps, dtype) == float(found)
            assert landmarks.step(float(found), -steps, dtype) == value

    def test_steps_end_at_infinity(self, dtype: str) -> None:
        largest = landmarks.named(dtype)["max"]
        assert landmarks.step(largest, 1, dtype) == landmarks.step(largest, 10**6, dtype) == np.inf
        assert landmarks.step(-largest, -1, dtype) == -np.inf


class TestParse:
    @pytest.mark.parametrize(
        ("text", "dtype", "value"),
        [
            ("max", "float32", 3.4028234663852886e38),
            ("-max", "bfloat16", -3.3895313892515355e38),
            ("1 - 1ulp", "float32", 1 - 2.0**-24),
            ("1 + 1ulp", "float32", 1 + 2.0**-23),
            ("1-2ulps", "float16", 1 - 2.0**-10),
            ("0 - 1 ulp", "float64", -5e-324),
            ("-exp_overflow + 1ulp", "float16", -11.0859375),
            ("0.1 + 0ulp", "bfloat16", 0.10009765625),
            ("+min_normal", "float16", 2.0**-14),
        ],
    )
    def test_values(self, text: str, dtype: str, value: float) -> None:
        edge = landmarks.parse(text)
        assert isinstance(edge, landmarks.Edge)
        assert edge.value(dtype) == value

    @pytest.mark.parametrize(
        ("text", "word"), [("maximum", "maximum"), ("-inf", "inf"), ("foo - 1ulp", "foo")]
    )
    def test_words_that_are_no_edges(self, text: str, word: str) -> None:
        assert landmarks.parse(text) == word

    @pytest.mark.parametrize(
        "text", ["", "1", "1.5", "1 ulp", "max - ulp", "max - 1e3ulp", "max - 9999999ulp", "1 2", "m" * 99]
    )
    def test_other_texts(self, text: str) -> None:
        assert landmarks.parse(text) is None

    @pytest.mark.parametrize("text", ["max + 1ulp", "-max - 1ulp", "1e999 - 1ulp", "1e30 - 1ulp"])
    def test_beyond_the_largest_number(self, text: str) -> None:
        edge = landmarks.parse(text)
        assert isinstance(edge, landmarks.Edge)
        with pytest.raises(ValueError, match="beyond the largest float16"):
            edge.value("float16")
