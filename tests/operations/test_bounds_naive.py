"""The known wrong ways leave the bound, each on a row that one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest
from bounds.arithmetic import Arithmetic, Array
from bounds.judging import worst
from bounds.standard import log_sum
from bounds.tables import STANDARD

from conformance.arithmetic import from_storage, to_storage
from conformance.operations import OPERATIONS, Reference, reference, upstream

ONE = np.array(1.0)


def exact(operation: str, quantity: str = "value", dtype: str = "float32", **arguments: object) -> Reference:
    """The reference for arguments given as lists."""
    taken: dict[str, object] = {
        name: np.array(value) if isinstance(value, list) else value for name, value in arguments.items()
    }
    return reference(operation, taken, quantity, dtype)


def ratio(observed: object, right: Reference) -> float:
    return worst(np.asarray(observed, dtype=np.float64), right, right.bound)


def float32(values: list[float]) -> Array:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize(
    ("dtype", "gap", "leaves"), [("float32", 5.0, False), ("float32", 120.0, True), ("float16", 16.25, True)]
)
def test_the_logarithm_of_softmax(dtype: str, gap: float, leaves: bool) -> None:
    """log(p) rounds p first: to 0 below the smallest float, and among the half subnormals by a third."""
    right = exact("log_softmax", dtype=dtype, x=[[0.0, -gap]], axis=-1)
    arithmetic = Arithmetic(dtype)
    p = STANDARD["softmax"][""](arithmetic, {"x": np.array([[0.0, -gap]]), "axis": -1}, "value", ONE)
    with np.errstate(divide="ignore"):
        observed = arithmetic.give(np.log(p))
    assert (ratio(observed, right) > 1) == leaves
    assert ratio(right.rounded, right) <= 1


def test_no_shift_overflows() -> None:
    right = exact("softmax", x=[[90.0, 89.0]], axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(float32([90.0, 89.0]))
        observed = e / np.sum(e)
    assert ratio(observed[None], right) == np.inf
    shifted = np.exp(float32([0.0, -1.0]))
    assert ratio((shifted / np.sum(shifted))[None], right) <= 1


def test_no_shift_underflows() -> None:
    right = exact("logsumexp", x=[[-110.0, -111.0]], axis=-1)
    with np.errstate(divide="ignore"):
        observed = np.log(np.sum(np.exp(float32([-110.0, -111.0]))))
    assert ratio(observed[None], right) == np.inf


@pytest.mark.parametrize("x", [-12.0, -20.0, 90.0])
def test_the_logarithm_of_one_plus_exp(x: float) -> None:
    """log(1 + exp(x)): 5.722e-06 instead of 6.144e-06 at -12, 0 at -20, inf at 90."""
    right = exact("log_sigmoid", x=[-x])
    with np.errstate(over="ignore"):
        observed = -np.log(np.float32(1) + np.exp(np.float32(x)))
    assert ratio([observed], right) > 1000
    stable = STANDARD["log_sigmoid"][""](Arithmetic("float32"), {"x": np.array([-x])}, "value", ONE)
    assert ratio(stable, right) <= 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_sum_accumulated_in_half(dtype: str) -> None:
    """Ones stop counting at 2,048 in float16 and at 256 in bfloat16: of 4,096 equal classes half are lost."""
    right = exact("logsumexp", dtype=dtype, x=[[0.0] * 4096], axis=-1)
    total = 0.0
    for _ in range(4096):
        total = float(from_storage(to_storage(np.array(total + 1.0), dtype)))
    assert total == {"float16": 2048.0, "bfloat16": 256.0}[dtype]
    assert ratio(from_storage(to_storage(np.array([np.log(total)]), dtype)), right) > 5
    assert ratio(from_storage(to_storage(np.array([np.log(4096.0)]), dtype)), right) <= 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_softmax_gradient_summed_in_half(dtype: str) -> None:
    """The sum of g p over 1,000 classes, one after the other in half: it stops growing long before 1.2."""
    g = upstream((1, 1000))
    x = np.where(g > 0, 0.0, -5.0)
    right = reference("softmax", {"x": x, "axis": -1}, "gradient:x", dtype, g)
    arithmetic = Arithmetic(dtype)
    p = STANDARD["softmax"][""](arithmetic, {"x": x, "axis": -1}, "value", g)
    terms = arithmetic.r(p * g.astype(np.float32))
    summed = np.float32(0)
    for term in terms[0]:
        summed = arithmetic.r(np.asarray(summed + term))
    wrong = arithmetic.r(p * arithmetic.r(g.astype(np.float32) - summed))
    standard = STANDARD["softmax"][""](arithmetic, {"x": x, "axis": -1}, "gradient:x", g.astype(np.float32))
    assert ratio(arithmetic.give(wrong), right) > 1
    assert ratio(arithmetic.give(standard), right) <= 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_maximum_added_before_the_subtraction(dtype: str) -> None:
    """x - (m + log S) under a common offset, as in pytorch/pytorch#195829: m + log S rounds log S away."""
    offset = {"float16": 2.0**10, "bfloat16": 2.0**9, "float32": 2.0**20, "float64": 2.0**40}[dtype]
    x = np.array([[offset, offset, offset]])
    right = reference("log_softmax", {"x": x, "axis": -1}, "value", dtype)
    arithmetic = Arithmetic(dtype)
    row = arithmetic.take(x)
    log = log_sum(arithmetic, row)[1]
    wrong = arithmetic.r(row - arithmetic.r(np.max(row, axis=-1, keepdims=True) + log))
    assert ratio(arithmetic.give(wrong), right) > 15
    standard = STANDARD["log_softmax"][""](arithmetic, {"x": x, "axis": -1}, "value", x)
    assert ratio(arithmetic.give(standard), right) <= 1


def test_the_gradient_of_logsumexp_from_its_result() -> None:
    """exp(x - logsumexp(x)): bfloat16 rows of 1,000 give probabilities 1 and 1 instead of 1/2 and 1/2."""
    right = exact("logsumexp", "gradient:x", "bfloat16", x=[[1000.0, 1000.0]], axis=-1)
    result = from_storage(to_storage(np.array(1000.0 + np.log(2.0)), "bfloat16"))
    wrong = -0.25 * np.exp(np.array([[1000.0, 1000.0]]) - result)
    assert ratio(wrong, right) > 20
    assert ratio(-0.25 * np.array([[0.5, 0.5]]), right) <= 1


def test_another_rows_maximum() -> None:
    """The maximum of the whole batch for each row: the second row underflows to nothing."""
    x = [[200.0, 199.0], [0.0, 1.0]]
    right = exact("logsumexp", x=x, axis=-1)
    with np.errstate(divide="ignore"):
        shifted = np.array(x, dtype=np.float32) - np.float32(200)
        observed = 200 + np.log(np.sum(np.exp(shifted), axis=-1))
    assert ratio(observed, right) == np.inf
    assert ratio([observed[0], 1.3132616875], right) <= 1


def test_a_sum_over_one_float32_after_the_other() -> None:
    """20,000 small terms beside a large one, all rounded alike; pytorch/pytorch#55657 did so with rows."""
    x = np.full((1, 20_000), -np.float32(13.69)).astype(np.float64)
    x[0, 0] = 0.0
    right = reference("logsumexp", {"x": x, "axis": -1}, "value", "float32")
    e = np.exp(x[0].astype(np.float32))
    one_by_one = np.log(np.add.accumulate(e)[-1])
    in_lanes = np.log(np.sum(np.add.accumulate(e.reshape(-1, 16), axis=0)[-1]))
    assert ratio([one_by_one], right) > 1
    assert ratio([in_lanes], right) <= 1


def test_the_loss_of_a_certain_negative_as_a_difference() -> None:
    """(1 - t) x - log_sigmoid(x) at t = 0 and x = -24, as in pytorch/pytorch#195529."""
    arguments: dict[str, object] = {
        "logits": np.array([-24.0]),
        "target": np.array([0.0]),
        "reduction": "none",
    }
    right = reference("binary_cross_entropy_with_logits", arguments, "value", "float32")
    x = np.float32(-24)
    assert ratio([x - (x - np.log1p(np.exp(x)))], right) > 1e5
    assert ratio([np.log1p(np.exp(x))], right) <= 1


@pytest.mark.parametrize("x", [-20.0, 20.0])
def test_the_derivative_of_sigmoid_is_even(x: float) -> None:
    """s (1 - s) is 0 in the upper tail and right in the lower one."""
    right = exact("sigmoid", "gradient:x", x=[x])
    g = upstream(OPERATIONS["sigmoid"].result_shape({"x": np.array([x])}))
    s = 1 / (1 + np.exp(-np.float32(x)))
    assert (ratio(g * (s * (1 - s)), right) > 1000) == (x > 0)
