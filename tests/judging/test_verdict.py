"""The judge is judged: verdicts are total, monotone, and what their definitions say."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.arithmetic.formats import FORMATS
from conformance.judging import verdict
from conformance.operations import Reference, reference

ANY = st.floats(width=64, allow_nan=True, allow_infinity=True)


def exact_at(
    values: list[float], dtype: str = "float32", bound: float = 8.0, attainable: float = 2.0
) -> Reference:
    """A reference whose exact values are numbers of the dtype."""
    from conformance.arithmetic.formats import round_to, ulp_of

    high = np.array(values, np.float64)
    low = np.zeros_like(high)
    form = FORMATS[dtype]
    finite = np.isfinite(high)
    return Reference(
        dtype,
        rounded=round_to(form, high, low),
        high=high,
        low=low,
        ulp=ulp_of(form, high, low),
        bound=np.where(finite, bound, 0.0),
        attainable=np.where(finite, attainable, 0.0),
    )


def judge(observed: list[float], reference: Reference) -> verdict.Judgement:
    (judgement,) = verdict.judge(np.array([observed], np.float64), reference)
    return judgement


class TestLevels:
    """One verdict for each distance from the exact value."""

    @pytest.mark.parametrize(
        ("ulps", "expected"),
        [(0, "exact"), (0.75, "faithful"), (2, "accurate"), (8, "stable"), (9, "lossy"), (1 << 20, "wrong")],
    )
    def test_distance_decides(self, ulps: float, expected: str) -> None:
        """On a limit is inside it; beyond the bound a quarter of the bits separates lossy from wrong."""
        reference = exact_at([1.0])
        assert judge([1.0 + ulps * 2.0**-23], reference).verdict == expected

    def test_lossy_keeps_a_quarter_of_the_bits(self) -> None:
        """float32 has 24 bits: an error of 2^-6 relative is lossy, the next float beyond it wrong."""
        reference = exact_at([1.0])
        assert judge([1.0 + 2.0**-6], reference).verdict == "lossy"
        assert judge([1.0 + 2.0**-6 + 2.0**-23], reference).verdict == "wrong"

    def test_zero_for_a_representable_number_is_wrong(self) -> None:
        """Zero keeps no bit of a number that the dtype could show."""
        judgement = judge([0.0], exact_at([1e-3]))
        assert judgement.verdict == "wrong"
        assert "returned 0 where a representable non-zero value is right" in judgement.message

    def test_zero_within_the_bound_is_stable(self) -> None:
        """The bound decides first: a vanished loss that the standard algorithm may lose is stable."""
        assert judge([0.0], exact_at([1e-3], bound=1e9)).verdict == "stable"

    @pytest.mark.parametrize(("gradient", "conforming"), [(5.2e-14, True), (1e-9, False)])
    def test_bound_decides_beside_an_exact_zero(self, gradient: float, conforming: bool) -> None:
        """float64 has more than 2^1024 of its least numbers below 5.2e-14, which the upstream allows."""
        tied = {
            "logits": np.ones((1, 5)),
            "target": np.array([2]),
            "label_smoothing": 1.0,
            "reduction": "sum",
        }
        exact = reference("cross_entropy", tied, "gradient:logits", "float64", np.array(2640.0))
        assert exact.rounded.tolist() == [[0.0] * 5]
        (judgement,) = verdict.judge(np.array([[[gradient, 0.0, 0.0, 0.0, 0.0]]]), exact)
        assert verdict.conforms(judgement.verdict) is conforming

    @pytest.mark.parametrize("observed", [math.nan, math.inf, -math.inf])
    def test_special_for_finite_is_wrong(self, observed: float) -> None:
        """No bound makes a nan or an infinity of a finite value."""
        assert judge([observed], exact_at([1.0], bound=1e300)).verdict == "wrong"

    @pytest.mark.parametrize("exact", [math.nan, math.inf, -math.inf])
    def test_special_where_it_is_right(self, exact: float) -> None:
        """nan and infinities must be met exactly; then the error is 0."""
        judgement = judge([exact], exact_at([exact]))
        assert (judgement.verdict, judgement.ulp_error) == ("exact", 0.0)
        assert judge([1.0], exact_at([exact])).verdict == "wrong"

    def test_minus_zero_is_zero(self) -> None:
        """The sign of zero is no error."""
        assert judge([-0.0], exact_at([0.0])).verdict == "exact"

    def test_overflow_is_right_only_where_the_exact_value_rounds_to_it(self) -> None:
        """65520 is the first number that float16 rounds to infinity."""
        assert judge([math.inf], exact_at([65520.0], "float16")).verdict == "exact"
        assert judge([math.inf], exact_at([65519.0], "float16")).verdict == "wrong"

    def test_an_empty_result_is_exact(self) -> None:
        """Nothing can be wrong with nothing."""
        assert judge([], exact_at([])).verdict == "exact"


class TestWorstElement:
    """The figures of a judgement are those of its worst element."""

    def test_level_comes_before_ulps(self) -> None:
        """A wrong zero outranks a larger error, in ulps, that is within its bound."""
        reference = exact_at([1.0, 1.0], bound=8.0)
        object.__setattr__(reference, "bound", np.array([1e9, 8.0]))
        judgement = judge([2.0, 1.0 + 9 * 2.0**-23], reference)
        assert judgement.worst_index == (1,)
        assert judgement.verdict == "lossy"
        assert judgement.ulp_error == 9.0

    def test_ratio_is_the_largest_over_all(self) -> None:
        """error / bound, whatever the element."""
        judgement = judge([1.0 + 2.0**-23, 1.0 + 4 * 2.0**-23], exact_at([1.0, 1.0]))
        assert judgement.ratio == pytest.approx(0.5)


class TestProperties:
    """What holds for any bits."""

    @given(ANY, ANY, st.sampled_from(sorted(FORMATS)))
    @settings(max_examples=500, deadline=None)
    def test_total(self, exact: float, observed: float, dtype: str) -> None:
        """Any observation of any exact value gets one of the six verdicts, and no exception."""
        assert judge([observed], exact_at([exact], dtype)).verdict in verdict.LEVELS

    @given(st.floats(1e-30, 1e30), st.floats(0, 1e6), st.floats(0, 1e6), st.booleans())
    @settings(max_examples=500, deadline=None)
    def test_monotone(self, exact: float, small: float, large: float, above: bool) -> None:
        """On one side of the exact value a larger error never gets a better verdict."""
        small, large = sorted((small, large))
        reference = exact_at([exact])
        ulp = float(reference.ulp[0]) * (1 if above else -1)
        levels = [verdict.LEVELS.index(judge([exact + k * ulp], reference).verdict) for k in (small, large)]
        assert levels[0] <= levels[1]

    @given(st.floats(1e-30, 1e30), st.integers(0, 200))
    @settings(max_examples=300, deadline=None)
    def test_symmetric_in_sign(self, exact: float, steps: int) -> None:
        """Negating both sides changes nothing."""
        up, down = exact_at([exact]), exact_at([-exact])
        observed = exact + steps * float(up.ulp[0])
        assert judge([observed], up).verdict == judge([-observed], down).verdict

    @given(ANY, st.floats(-1e300, 1e300), st.sampled_from(sorted(FORMATS)))
    @example(sys.float_info.max, -128.0, "bfloat16")
    @example(-sys.float_info.max, 9.9792015476736e291, "bfloat16")
    @settings(max_examples=300, deadline=None)
    def test_errors_are_those_of_the_definition(self, observed: float, exact: float, dtype: str) -> None:
        """|observed - exact| / ulp(exact), in rational numbers."""
        reference = exact_at([exact], dtype)
        (error,) = verdict.errors_in_ulps(np.array([observed]), reference)
        if not math.isfinite(observed):
            assert error == (0.0 if observed == reference.rounded[0] else math.inf)
            return
        right = abs(Fraction(observed) - Fraction(exact)) / Fraction(float(reference.ulp[0]))
        # Beyond the largest number by less than half its ulp, 2^970, it rounds to that number.
        largest = Fraction(sys.float_info.max)
        if right <= largest:
            assert error == pytest.approx(float(right), rel=1e-15)
        else:
            assert error == math.inf or right - largest < 2**970


class TestOutcomes:
    """Outcomes that need no arithmetic."""

    @pytest.mark.parametrize(
        ("status", "expects_error", "expected"),
        [
            ("raised", False, "raised"),
            ("raised", True, "exact"),
            ("returned", True, "wrong"),
            ("unsupported", False, "unsupported"),
            ("crashed", False, "crashed"),
            ("timed out", True, "timed out"),
            ("not run", False, "not run"),
            ("a status of some other protocol", False, "wrong"),
        ],
    )
    def test_status(self, status: str, expects_error: bool, expected: str) -> None:
        """Each status has its verdict; an error where one is right is exact."""
        judgement = verdict.judge_outcome({"status": status}, expects_error)
        assert judgement is not None
        assert judgement.verdict == expected

    def test_a_returned_value_is_judged(self) -> None:
        """A value where a value is right is left to the arithmetic."""
        assert verdict.judge_outcome({"status": "returned"}, False) is None

    @pytest.mark.parametrize(
        ("values", "observed"), [([1.0, -3.0, 2.0], -3.0), ([4.0, np.nan], np.nan), ([], None), (None, None)]
    )
    def test_where_an_error_is_right_what_was_returned_is_told(
        self, values: list[float] | None, observed: float | None
    ) -> None:
        """By its element of greatest magnitude, nan before all."""
        returned = None if values is None else np.array(values, np.float64)
        judgement = verdict.judge_outcome({"status": "returned"}, True, returned)
        assert judgement is not None
        assert judgement.observed == pytest.approx(observed, nan_ok=True)
        assert ("without elements" in judgement.message) == (values == [])

    def test_a_call_that_overwrites_its_input_is_wrong(self) -> None:
        """Whatever it returned."""
        judgement = verdict.judge_outcome({"status": "returned", "overwritten": ["logits"]}, False)
        assert judgement is not None
        assert (judgement.verdict, judgement.message) == ("wrong", "overwrites its input logits")

    def test_shape_and_dtype(self) -> None:
        """A result of another shape or dtype is named as such."""
        reference = exact_at([1.0, 2.0])
        assert "shape [2, 1]" in verdict.mismatch((2, 1), "float32", reference)
        assert "dtype float64" in verdict.mismatch((2,), "float64", reference)
        assert verdict.mismatch((2,), "float32", reference) == ""

    @pytest.mark.parametrize("name", verdict.VERDICTS)
    def test_conforms(self, name: str) -> None:
        """Four verdicts conform, unsupported is neither, the rest do not."""
        expected = None if name == "unsupported" else name in ("exact", "faithful", "accurate", "stable")
        assert verdict.conforms(name) is expected


def test_these_tests_take_every_branch_of_the_verdict(tmp_path: Path) -> None:
    """Once more in a process of their own, measured."""
    measured = [
        "--cov=conformance.judging.verdict",
        "--cov-branch",
        "--cov-report=term-missing",
        "--cov-fail-under=100",
    ]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *measured]
    argv += [__file__, "-k", "not test_these_tests_take"]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = {**unmeasured, "COVERAGE_FILE": str(tmp_path / "coverage")}
    root = Path(__file__).parents[2]
    done = subprocess.run(argv, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
