"""Exact values against figures that were computed elsewhere: the design's, the posts', and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conformance import exact
from conformance.arithmetic import FORMATS, from_storage, to_storage
from conformance.arithmetic.balls import precision
from conformance.errors import ArgumentError
from conformance.operations import OPERATIONS, reference, upstream
from conformance.operations.rows import Row, softmax_pullback

LOGITS = np.array([[10.0, 3.0, 1.0], [-1.0, 0.0, -4.0]])
LABELS = np.array([1, 2])


@pytest.mark.parametrize(
    ("logits", "label", "text"),
    [([20.0, 0.0], 0, "2.0611536203e-09"), ([10.0, 0.0, -3.0], 0, "4.7659123455e-05"), ([7.0], 0, "0")],
)
def test_losses_that_every_framework_loses(logits: list[float], label: int, text: str) -> None:
    assert exact("cross_entropy", [logits], [label]).digits(11) == text


def test_the_rounded_value_of_a_tiny_loss_has_all_its_bits() -> None:
    value = exact("cross_entropy", [[20, 0]], [0]).to("float32")
    assert value == np.float32(2.0611536e-09)
    assert value.dtype == np.float32


def test_the_posts_figures() -> None:
    assert exact("cross_entropy", LOGITS, LABELS).digits(5) == "5.6638"
    assert exact("softmax", LOGITS).digits(3)[1] == ["0.265", "0.721", "0.0132"]
    log_probs = exact("log_softmax", LOGITS).to("float64")
    assert exact("nll_loss", log_probs, LABELS).digits(5) == "5.6638"
    assert exact("nll_loss", [[5, 6, 9]], [1]).digits(1) == "-6"


def test_reductions_and_smoothing_are_what_their_formulas_say() -> None:
    rows = exact("cross_entropy", LOGITS, LABELS, reduction="none").to("float64")
    weight = np.array([1.0, 2.0, 4.0])
    total = exact("cross_entropy", LOGITS, LABELS, reduction="sum", weight=weight).to("float64")
    mean = exact("cross_entropy", LOGITS, LABELS, weight=weight).to("float64")
    assert total == pytest.approx(2 * rows[0] + 4 * rows[1], rel=1e-15)
    assert mean == pytest.approx(total / 6, rel=1e-15)
    soft = exact("cross_entropy", LOGITS, np.eye(3)[LABELS], weight=weight).to("float64")
    assert soft == pytest.approx(total / 2, rel=1e-15)
    smooth = exact("cross_entropy", LOGITS, LABELS, label_smoothing=0.25, reduction="sum").to("float64")
    everything = -exact("log_softmax", LOGITS).to("float64").sum()
    assert smooth == pytest.approx(0.75 * rows.sum() + 0.25 / 3 * everything, rel=1e-15)


def test_the_targets_gradient_is_minus_the_sum_of_the_others() -> None:
    gradient = exact("cross_entropy", [[200, 0, -3]], [0]).gradient("logits")
    assert gradient.digits(5) == [["-1.4528e-87", "1.3839e-87", "6.8900e-89"]]
    deep = exact("cross_entropy", [[5000, 0]], [0]).gradient("logits")
    assert deep.digits(5) == [["-3.3697e-2172", "3.3697e-2172"]]


def test_sigmoids_tails_are_even() -> None:
    slopes = exact("sigmoid", [40.0, -40.0, 800.0, -800.0]).gradient("x")
    assert slopes.digits(20)[0] == slopes.digits(20)[1]
    assert slopes.digits(20)[2] == slopes.digits(20)[3] == "3.6678745841776872135e-348"
    assert exact("log_sigmoid", [800.0]).digits(5) == ["-3.6679e-348"]


def test_binary_losses_in_their_tails() -> None:
    value = exact("binary_cross_entropy_with_logits", [-12.0, -24.0], [0, 0], reduction="none")
    assert value.digits(4) == ["6.144e-06", "3.775e-11"]
    slope = exact("binary_cross_entropy", [1e-15, 0.0], [0.0, 0.0], reduction="sum").gradient("probs")
    assert slope.to("float64").tolist() == [1.000000000000001, 1.0]


@pytest.mark.parametrize("dtype", FORMATS)
def test_exact_zeros_and_halves_are_exact(dtype: str) -> None:
    """Values that no precision can separate from a rounding boundary: found exact, not at the cap."""
    x = np.array([[5.0, 0.0, 0.0, -3.0]])
    even = reference("softmax", {"x": np.zeros((1, 2))}, "value", dtype)
    assert even.rounded.tolist() == [[0.5, 0.5]]
    assert even.low.tolist() == [[0.0, 0.0]]
    ones = reference("softmax", {"x": x}, "gradient:x", dtype, np.ones((1, 4)))
    assert not ones.rounded.any()
    # sum_j p_j (g_0 - g_j) = p_1 (1 - 2) + p_2 (1 - 0): equal logits, so it vanishes.
    mixed = reference("softmax", {"x": x}, "gradient:x", dtype, np.array([[1.0, 2.0, 0.0, 1.0]]))
    assert mixed.text((0, 0)) == mixed.text((0, 3)) == ones.text((0, 1)) == "0"
    assert mixed.rounded[0, 1] == -mixed.rounded[0, 2] > 0
    thirds = {"logits": np.full((1, 3), 7.0), "target": np.full((1, 3), 1.0)}
    assert not reference("cross_entropy", thirds, "gradient:logits", dtype).rounded.any()
    half = {"logits": np.zeros(2), "target": np.full(2, 0.5)}
    for name in ("logits", "target"):
        assert not reference(
            "binary_cross_entropy_with_logits", half, f"gradient:{name}", dtype
        ).rounded.any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_tie_is_decided_by_a_tail_that_no_float64_holds(dtype: str) -> None:
    fmt = FORMATS[dtype]
    ulp = float(np.ldexp(1.0, 12 - fmt.precision))
    gap = 2048.0 + 2.5 * ulp  # between two numbers of the format, the lower one even
    logits = np.array([[0.0, -gap]])
    settled = reference("log_softmax", {"x": logits}, "value", dtype)
    # |x| + exp(-gap) lies above the tie.
    assert settled.rounded[0, 1] == -(2048.0 + 3 * ulp)
    assert 0 > settled.low[0, 1] > -1e-300


def test_probabilities_below_a_power_of_two_have_its_lower_ulp() -> None:
    settled = reference("softmax", {"x": np.array([[0.0, -1000.0]])}, "value", "float32")
    assert settled.rounded[0, 0] == 1
    assert settled.low[0, 0] < 0
    assert settled.ulp[0, 0] == 2.0**-24
    assert settled.text((0, 1)) == "5.075958897549456765291809e-435"


def test_gradients_just_below_a_power_of_two_have_its_lower_ulp() -> None:
    x = np.array([[0.0, -1000.0]])
    by_x = reference("log_softmax", {"x": x}, "gradient:x", "float32", np.array([[1.0, 2.0]]))
    assert by_x.rounded.tolist() == [[-2.0, 2.0]]
    assert by_x.ulp.tolist() == [[2.0**-23, 2.0**-23]]
    assert by_x.low.tolist() == [[2.0**-1074, -(2.0**-1074)]]
    wrong = reference("cross_entropy", {"logits": x, "target": np.array([1])}, "gradient:logits", "float32")
    assert wrong.rounded.tolist() == [[1.0, -1.0]]
    assert wrong.ulp.tolist() == [[2.0**-24, 2.0**-24]]


def test_a_gradient_that_vanishes_for_equal_logits_is_proved_zero_at_once() -> None:
    g = np.array([0.7, 0.7 + 0.25, 0.7 - 0.25, 0.7])
    with precision(128):
        result = softmax_pullback(Row(np.array([5.0, 0.3, 0.3, -3.1])), g)
    assert [value.is_zero() for value in result] == [True, False, False, True]


def test_upstream_is_the_documented_vector() -> None:
    assert upstream(()).tolist() == 1.0
    assert upstream((2, 4)).tolist() == [[-0.25, 1.5, 1.0, -0.5], [1.75, 1.25, -0.75, 0.25]]
    for dtype in FORMATS:
        values = upstream((3, 50))
        assert np.array_equal(from_storage(to_storage(values, dtype)), values)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_any_axis_is_the_last_one_moved(axis: int) -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, 4))
    last = np.moveaxis(x, axis, -1)
    for name in ("softmax", "log_softmax"):
        moved = np.moveaxis(exact(name, last).to("float64"), -1, axis)
        assert np.array_equal(exact(name, x, axis=axis).to("float64"), moved)
    assert np.array_equal(
        exact("logsumexp", x, axis=axis).to("float64"), exact("logsumexp", last).to("float64")
    )


@pytest.mark.parametrize(("shape", "axis"), [((3,), 0), ((2, 3), 1), ((2, 3, 2), 0), ((2, 3, 2, 2), 1)])
def test_no_axis_is_torchs_implicit_one(shape: tuple[int, ...], axis: int) -> None:
    x = np.arange(math.prod(shape), dtype=float).reshape(shape)
    assert np.array_equal(
        exact("softmax", x, axis=None).to("float64"), exact("softmax", x, axis=axis).to("float64")
    )


@pytest.mark.parametrize(
    ("average", "reduce", "reduction"),
    [
        (None, False, "none"),
        (True, False, "none"),
        (False, None, "sum"),
        (False, True, "sum"),
        (None, True, "mean"),
    ],
)
def test_legacy_spellings(average: bool | None, reduce: bool | None, reduction: str) -> None:
    legacy = exact("cross_entropy", LOGITS, LABELS, size_average=average, reduce=reduce, reduction="sum")
    assert legacy.digits(9) == exact("cross_entropy", LOGITS, LABELS, reduction=reduction).digits(9)
    assert exact("cross_entropy", LOGITS, LABELS, reduction="elementwise_mean").shape == ()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: exact("softmin", [1.0]), "no operation 'softmin'"),
        (lambda: exact("softmax", [1.0], dim=0), "no argument 'dim'"),
        (lambda: exact("softmax", [1.0], [2.0]), "takes 1 inputs"),
        (lambda: exact("softmax", [1.0], x=[2.0]), "given twice"),
        (lambda: exact("softmax", [[1.0], [1.0, 2.0]]), "no array"),
        (lambda: exact("softmax", [1.0], axis=1), "axis 1 is out of range"),
        (lambda: exact("logsumexp", [1.0], axis=None), "axis must be an integer"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]]), "needs the input 'target'"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [2]), "label 2 is outside 0 .. 1"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [-1]), "label -1 is outside"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [0, 1]), "labels must have shape [1]"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [[0.5, 0.25, 0.25]]), "logits' shape [1, 2]"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [0], weight=[1.0]), "one entry a class"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [0], label_smoothing=2.0), "in [0, 1]"),
        (lambda: exact("cross_entropy", [[1.0, 2.0]], [[0.5, 0.5]], ignore_index=0), "no meaning"),
        (lambda: exact("nll_loss", [[1.0, 2.0]], [0.5]), "integer labels"),
        (lambda: exact("nll_loss", [[1.0, 2.0]], [0], reduction="avg"), "none, sum or mean"),
        (lambda: exact("one_hot", [3], num_classes=3), "label 3 is outside 0 .. 2"),
        (lambda: exact("binary_cross_entropy", [0.5], [[1.0]]), "shape of probs, [1]"),
        (lambda: exact("binary_cross_entropy", [0.5], [1.0], weight=[1.0, 2.0]), "does not broadcast to [1]"),
        (lambda: exact("sigmoid", ["a"]), "must hold numbers"),
        (lambda: exact("sigmoid", [2**53 + 1]), "that float64 cannot"),
        (lambda: exact("sigmoid", [1.0]).gradient("y"), "no gradient with respect to 'y'"),
        (
            lambda: exact("cross_entropy", [[1.0]], [0]).gradient("target"),
            "no gradient with respect",
        ),
        (lambda: exact("sigmoid", [1.0]).to("int8"), "dtype must be one of"),
        (lambda: exact("sigmoid", [1.0]).digits(0), "at least 1 digit"),
    ],
)
def test_faults_of_the_call_are_named(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(ArgumentError) as caught:
        call()
    assert words in str(caught.value)


def test_every_operation_names_its_formulations_and_relations_consistently() -> None:
    order = ("functional", "module", "chunked", "composed", "one_hot", "naive", "manual")
    for operation in OPERATIONS.values():
        assert list(operation.formulations) == [name for name in order if name in operation.formulations]
        lessons = {"naive", "manual"} | ({"composed"} if operation.name == "log_softmax" else set())
        assert operation.textbook == lessons & set(operation.formulations)
        for relation in operation.relations:
            assert {relation.left, relation.right} <= set(operation.formulations)
            assert relation.claim
        # Every other formulation is tied to the functional one, or to the composed one that is the control.
        untied = set(operation.formulations) - {relation.left for relation in operation.relations}
        assert untied <= {"functional", operation.controls[0]}


def test_exact_takes_any_float_dtype_as_it_is() -> None:
    for dtype in FORMATS:
        stored = to_storage([0.1, 0.7], dtype)
        assert exact("softmax", stored).digits(30) == exact("softmax", from_storage(stored)).digits(30)


def test_an_exact_value_says_what_it_is() -> None:
    value = exact("cross_entropy", [[20, 0]], [0])
    assert repr(value) == "Exact(cross_entropy value, 2.0611536203143807032e-09)"
    assert repr(value.gradient("logits")).startswith("Exact(cross_entropy gradient:logits, [[-2.06")
    assert repr(exact("softmax", np.zeros((5, 5)))) == "Exact(softmax value, shape [5, 5])"
    assert value.lower < value.upper == np.nextafter(value.lower, 1)
    assert value.lower.shape == value.shape == ()
    assert len(value.digits(200)) == len("2.e-09") + 199


def test_gradients_of_the_weights() -> None:
    # One label: the weight cancels in the mean, so its gradient is 0; in the sum it is the loss.
    call = {"weight": np.array([2.0, 3.0])}
    value = exact("nll_loss", [[-1.0, -2.0], [-3.0, -5.0]], [1, 1], reduction="sum", **call)
    assert value.gradient("weight").to("float64").tolist() == [0.0, 7.0]
    mean = exact("nll_loss", [[-1.0, -2.0], [-3.0, -5.0]], [0, 1], **call)
    # (2 * 1 + 3 * 5) / 5 = 3.4: (1 - 3.4) / 5 and (5 - 3.4) / 5.
    assert mean.gradient("weight").to("float64").tolist() == [-0.48, 0.32]
    binary = exact(
        "binary_cross_entropy_with_logits", [0.0, 0.0], [1.0, 1.0], pos_weight=[3.0], reduction="sum"
    )
    assert binary.gradient("pos_weight").digits(5) == ["1.3863"]
