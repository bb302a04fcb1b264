"""Operations of the suite that are formulas: in the corpus like the others, and within their own bounds."""

from __future__ import annotations

import numpy as np
import pytest
from oracle.definition import MAKERS

from conformance.arithmetic import FORMATS, round_to
from conformance.errors import ArgumentError
from conformance.operations import OPERATIONS, reference, upstream
from conformance.operations.formula.operation import NoLimitError
from conformance.operations.formula.shipped import ShippedFormula

SHIPPED = [name for name, operation in OPERATIONS.items() if isinstance(operation, ShippedFormula)]
CALLS = 60


def test_there_are_some_and_lists_name_them_behind_the_others() -> None:
    assert "linear_cross_entropy" in SHIPPED
    assert list(OPERATIONS)[-len(SHIPPED) :] == sorted(SHIPPED)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHIPPED)
def test_the_formula_in_plain_arithmetic_stays_within_the_bound(name: str, dtype: str) -> None:
    """Each primitive rounded to the dtype: the computation that the running error analysis speaks of."""
    operation, rng, judged = OPERATIONS[name], np.random.default_rng(11), 0
    assert isinstance(operation, ShippedFormula)
    for _ in range(CALLS):
        call = MAKERS[name](rng)
        given = (
            dict(zip((item.name for item in operation.inputs), call.inputs, strict=True)) | call.parameters
        )
        arguments = operation.completed({key: _rounded(value, dtype) for key, value in given.items()})
        g = np.asarray(upstream(operation.result_shape(arguments)))
        for quantity in ("value", *(f"gradient:{key}" for key in call.gradients)):
            exact = reference(name, arguments, quantity, dtype, g)
            observed = np.asarray(operation.reference(arguments, quantity, g, dtype), np.float64)
            normal = np.isfinite(exact.high) & (np.abs(exact.high) >= FORMATS[dtype].smallest_normal)
            error = np.abs((observed - exact.high) - exact.low) / exact.ulp
            assert (error <= np.maximum(exact.bound, 0.5))[normal].all(), (call, quantity)
            judged += int(normal.sum())
    assert judged > CALLS


def _rounded(value: object, dtype: str) -> object:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return round_to(FORMATS[dtype], value.astype(np.float64))
    return value


@pytest.mark.parametrize("score", [np.inf, -np.inf])
def test_scores_without_a_softmax_have_no_value(score: float) -> None:
    """Where all scores are -inf, or one is inf, the formula is inf - inf: no case can ask for it."""
    rows = [np.full(3, score)] + ([np.array([0.0, score, 0.0])] if score > 0 else [])
    for row in rows:
        layer = {"hidden": np.zeros((1, 2)), "head": np.zeros((3, 2)), "bias": row}
        for name, scores in (("token_log_prob", {"logits": row[None]}), ("linear_cross_entropy", layer)):
            arguments = OPERATIONS[name].completed({**scores, "target": np.array([0])})
            with pytest.raises(NoLimitError, match="inf - inf"):
                reference(name, arguments, "value", "float64")


class TestLinearCrossEntropy:
    HIDDEN, HEAD = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

    def test_logits_are_not_rounded_to_a_half_type(self) -> None:
        """A common offset drops out of the bound in a half type as it does out of the loss."""
        plain = {"hidden": self.HIDDEN, "head": self.HEAD, "target": np.array([2, 0])}
        moved = plain | {"bias": np.full(3, 1000.0)}
        bounds = [
            reference("linear_cross_entropy", each, "value", "bfloat16").bound for each in (plain, moved)
        ]
        np.testing.assert_allclose(bounds[1], bounds[0], rtol=0.05)

    def test_the_bias_has_a_gradient_where_it_is_given(self) -> None:
        operation = OPERATIONS["linear_cross_entropy"]
        arguments = {"hidden": self.HIDDEN, "head": self.HEAD, "target": np.array([2, 0])}
        assert operation.differentiable(arguments) == ("hidden", "head")
        assert operation.differentiable(arguments | {"bias": np.zeros(3)}) == ("hidden", "head", "bias")

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"target": np.array([2, 3])}, "target 3 is none of the 3 classes"),
            ({"head": np.ones((3, 4))}, "multiplies matrices"),
            ({"target": np.array([2, 0, 1])}, "labels of shape"),
        ],
    )
    def test_what_does_not_fit_is_refused_in_a_sentence(self, change: dict[str, object], text: str) -> None:
        arguments = {"hidden": self.HIDDEN, "head": self.HEAD, "target": np.array([2, 0])} | change
        with pytest.raises(ArgumentError, match=text) as error:
            OPERATIONS["linear_cross_entropy"].check_arguments(arguments)
        assert str(error.value).startswith("linear_cross_entropy: ")
        assert ".py" not in str(error.value)


class TestKlDiv:
    def test_batchmean_is_its_own_and_no_other_operation_s(self) -> None:
        arguments = {
            "input": np.log([[0.5, 0.5], [0.25, 0.75]]),
            "target": np.array([[1.0, 0.0], [0.5, 0.5]]),
        }
        by = {
            name: float(reference("kl_div", arguments | {"reduction": name}, "value", "float64").high)
            for name in ("sum", "mean", "batchmean")
        }
        assert by["batchmean"] == by["sum"] / 2
        assert by["mean"] == by["sum"] / 4
        with pytest.raises(ArgumentError, match="reduction must be none, sum, mean or batchmean, not 'avg'"):
            OPERATIONS["kl_div"].check_arguments(arguments | {"reduction": "avg"})
        logits = {"logits": np.zeros((2, 3)), "target": np.array([0, 1]), "reduction": "batchmean"}
        with pytest.raises(ArgumentError, match="reduction must be none, sum or mean, not 'batchmean'"):
            OPERATIONS["cross_entropy"].check_arguments(logits)

    def test_a_target_of_zero_adds_nothing_and_has_the_derivative_of_the_limit(self) -> None:
        arguments = {"input": np.array([-1.0, -np.inf]), "target": np.array([0.0, 0.0]), "reduction": "none"}
        assert reference("kl_div", arguments, "value", "float32").rounded.tolist() == [0, 0]
        slope = {name: array[:1] for name, array in arguments.items() if name != "reduction"}
        by_target = reference("kl_div", slope | {"reduction": "sum"}, "gradient:target", "float32")
        assert by_target.rounded.tolist() == [-np.inf]


def test_equal_logits_have_the_largest_entropy_and_a_gradient_of_exactly_zero() -> None:
    rows = {"logits": np.array([[3.0, 3.0, -np.inf, 3.0]])}
    assert float(reference("entropy", rows, "value", "float64").high[0]) == pytest.approx(
        np.log(3), abs=1e-15
    )
    assert reference("entropy", rows, "gradient:logits", "float64").high.tolist() == [[0, 0, 0, 0]]


def test_js_div_refuses_a_share_that_makes_no_mixture() -> None:
    rows = {"logits": np.zeros((1, 2)), "target": np.array([[0.0, -np.inf]]), "beta": 1.0}
    with pytest.raises(ArgumentError, match="js_div: beta must lie between 0 and 1, not 1"):
        OPERATIONS["js_div"].check_arguments(rows)


def test_js_div_of_one_half_and_certainty_is_the_square_of_what_scipy_prints() -> None:
    rows = {"logits": np.zeros((1, 2)), "target": np.array([[0.0, -np.inf]])}
    distance = np.sqrt(float(reference("js_div", rows, "value", "float64").high))
    assert distance == pytest.approx(0.46450140402245893, abs=1e-15)


def test_an_alpha_below_zero_leaves_the_weights_of_a_focal_loss_out() -> None:
    elements = {"logits": np.array([0.5, -1.0]), "target": np.array([1.0, 0.0]), "reduction": "none"}
    by = [
        reference("sigmoid_focal_loss", elements | {"alpha": alpha}, "value", "float64").high
        for alpha in (-1.0, 0.5)
    ]
    np.testing.assert_allclose(by[0], 2 * by[1], rtol=1e-15)
