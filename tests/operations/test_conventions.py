"""Declared conventions: exact values by another definition, in mpmath, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest

from conformance.operations import Call, references
from conformance.operations.conventions import CONVENTIONS, deciding, fault
from conformance.operations.registry import OPERATIONS, operation_named

LOGITS = np.array([[0.5, -1.0, 2.0], [30.0, 0.0, -2.0], [0.25, 0.25, 0.25]])
LABELS = np.array([2, 1, 0])
WEIGHT = np.array([1.0, 0.5, 2.0])
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 0.75, 0.25]])
MASKED = np.array([[-math.inf, -math.inf], [0.5, -math.inf], [0.25, 2.0]])


def exact(
    operation: str, arguments: dict[str, object], quantity: str, g: object = None, **conventions: object
) -> npt.NDArray[np.float64]:
    flow = None if g is None else np.asarray(g, np.float64)
    call = Call(operation, arguments, (quantity,), flow, conventions)
    return references([call], "float64")[0][quantity].rounded


def smoothed(row: Any, target: Any, weight: Any, e: Any) -> Any:
    """(1 - e) of the target and e / (K - 1) of what it leaves to the others, weighted."""
    whole = mpmath.log(mpmath.fsum(mpmath.exp(x) for x in row))
    others = len(row) - 1
    shares = [(1 - e) * t + e * (1 - t) / others for t in target]
    return mpmath.fsum(w * share * (whole - x) for x, share, w in zip(row, shares, weight, strict=True))


@pytest.mark.parametrize("soft", [False, True])
def test_smoothing_over_others_is_what_mpmath_says(soft: bool) -> None:
    with mpmath.workdps(60):
        targets = PROBABILITIES if soft else np.eye(3)[LABELS]
        e = mpmath.mpf(0.125)
        rows = [
            smoothed(list(map(mpmath.mpf, x)), list(map(mpmath.mpf, t)), list(map(mpmath.mpf, WEIGHT)), e)
            for x, t in zip(LOGITS, targets, strict=True)
        ]
        divisor = 3 if soft else WEIGHT[LABELS].sum()
        wanted = float(mpmath.fsum(rows) / divisor)
    arguments = {
        "logits": LOGITS,
        "target": PROBABILITIES if soft else LABELS,
        "weight": WEIGHT,
        "label_smoothing": 0.125,
        "reduction": "mean",
    }
    assert exact("cross_entropy", arguments, "value", smoothing="others") == wanted
    assert exact("cross_entropy", arguments, "value") != wanted


@pytest.mark.parametrize("quantity", ["logits", "target"])
def test_gradients_of_smoothing_over_others_are_difference_quotients(quantity: str) -> None:
    arguments: dict[str, object] = {
        "logits": LOGITS[:, :] / 8,
        "target": PROBABILITIES,
        "weight": WEIGHT,
        "label_smoothing": 0.125,
        "reduction": "sum",
    }
    gradient = exact("cross_entropy", arguments, f"gradient:{quantity}", smoothing="others")
    array = np.asarray(arguments[quantity])
    for index in np.ndindex(array.shape):
        step = np.zeros(array.shape)
        step[index] = 2.0**-20
        ends = [
            exact("cross_entropy", {**arguments, quantity: array + sign * step}, "value", smoothing="others")
            for sign in (1, -1)
        ]
        assert (ends[0] - ends[1]) * 2.0**19 == pytest.approx(gradient[index], rel=1e-6, abs=1e-8)


def test_one_class_has_no_others() -> None:
    arguments = {"logits": np.array([[3.0]]), "target": np.array([0]), "label_smoothing": 0.5}
    assert exact("cross_entropy", arguments, "value", smoothing="others") == 0


@pytest.mark.parametrize("operation", ["nll_loss", "cross_entropy"])
def test_empty_mean_is_zero_with_a_gradient_of_zeros(operation: str) -> None:
    first = operation_named(operation).inputs[0].name
    arguments = {first: LOGITS, "target": np.full(3, -100), "reduction": "mean"}
    assert np.isnan(exact(operation, arguments, "value"))
    assert exact(operation, arguments, "value", empty_mean="zero") == 0
    gradient = exact(operation, arguments, f"gradient:{first}", empty_mean="zero")
    assert gradient.shape == (3, 3)
    assert not gradient.any()


def test_masked_row_is_zero_and_the_others_stay() -> None:
    value = exact("softmax", {"x": MASKED}, "value", masked_row="zero")
    plain = exact("softmax", {"x": MASKED}, "value")
    assert np.isnan(plain[0]).all()
    assert not value[0].any()
    assert np.array_equal(value[1:], plain[1:])
    g = np.array([[1.0, 2.0], [0.5, 1.0], [1.0, -1.0]])
    assert not exact("softmax", {"x": MASKED}, "gradient:x", g, masked_row="zero")[0].any()
    down = exact("softmax", {"x": MASKED.T, "axis": 0}, "value", masked_row="zero")
    assert np.array_equal(down, value.T)


def test_a_row_that_a_mask_leaves_nothing_of_is_nan_or_zero_by_decision() -> None:
    x, where = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])
    given = {"x": x, "where": where}
    assert np.isnan(exact("softmax", given, "value")[1]).all()
    assert exact("softmax", given, "value", masked_row="zero")[1].tolist() == [0, 0]
    assert exact("log_softmax", given, "value", masked_row="zero")[1].tolist() == [-np.inf, -np.inf]
    loss = {"logits": x, "target": np.array([0, 1]), "reduction": "none", "where": where}
    assert np.isnan(exact("cross_entropy", loss, "value")[1])
    assert exact("cross_entropy", loss, "value", masked_row="zero")[1] == 0
    one = {"x": x[:, :1], "where": where[:, :1]}
    assert np.isnan(exact("softmax", one, "value")[1, 0])
    assert exact("softmax", one, "value", masked_row="zero").tolist() == [[1], [0]]


def test_a_query_that_no_key_is_left_for_is_nan_or_zero_by_decision() -> None:
    head = {"query": LOGITS[:2], "key": LOGITS, "value": LOGITS, "where": np.array([[1.0, 0, 1], [0, 0, 0]])}
    value, zero = (exact("attention", head, "value", **way) for way in ({}, {"masked_row": "zero"}))
    assert np.isnan(value[1]).all()
    assert not zero[1].any()
    assert np.array_equal(value[0], zero[0])
    assert not exact("attention", head, "gradient:query", np.ones((2, 3)))[1].any()


def test_what_a_mask_leaves_out_has_no_gradient_whatever_it_holds() -> None:
    where = np.array([[1.0, 0.0, 1.0]])
    for hidden in (np.nan, np.inf, 1e300):
        x = np.array([[1.0, hidden, 2.0]])
        for operation in ("softmax", "log_softmax"):
            gradient = exact(operation, {"x": x, "where": where}, "gradient:x", np.array([[1.0, 5.0, 2.0]]))
            assert gradient[0, 1] == 0
            kept = exact(operation, {"x": x[:, [0, 2]]}, "gradient:x", np.array([[1.0, 2.0]]))
            assert np.array_equal(gradient[:, [0, 2]], kept)
        loss = {"logits": x, "target": np.array([1]), "reduction": "none", "where": where}
        assert exact("cross_entropy", loss, "value")[0] == np.inf  # the label itself is left out
        assert exact("cross_entropy", loss, "gradient:logits", np.ones(1))[0, 1] == 0


def test_convention_decides_only_where_it_applies() -> None:
    cross_entropy = OPERATIONS["cross_entropy"]
    every = {"empty_mean": "zero", "smoothing": "others", "in_place_gradient": True}
    plain = {"logits": LOGITS, "target": LABELS, "reduction": "mean"}
    assert deciding(cross_entropy, plain, every) == {}
    assert deciding(cross_entropy, {**plain, "label_smoothing": 0.1}, every) == {"smoothing": "others"}
    ignored = {**plain, "target": np.full(3, -100)}
    assert deciding(cross_entropy, ignored, every) == {"empty_mean": "zero"}
    assert deciding(cross_entropy, {**ignored, "reduction": "sum"}, every) == {}
    assert deciding(cross_entropy, ignored, {"empty_mean": "nan"}) == {}
    empty = {"logits": LOGITS[:0], "target": PROBABILITIES[:0], "reduction": "mean"}
    assert deciding(cross_entropy, empty, every) == {"empty_mean": "zero"}
    assert deciding(OPERATIONS["softmax"], {"x": MASKED}, {"masked_row": "zero"}) == {"masked_row": "zero"}
    assert deciding(OPERATIONS["softmax"], {"x": LOGITS}, {"masked_row": "zero"}) == {}


@pytest.mark.parametrize(
    ("conventions", "operation", "words"),
    [
        (
            {"empty_means": "zero"},
            "cross_entropy",
            "no convention 'empty_means'; it has empty_mean ('nan' or",
        ),
        ({"empty_mean": 0}, "cross_entropy", "'empty_mean' is 'nan' or 'zero', not 0"),
        ({"smoothing": "all"}, "nll_loss", "nll_loss has no convention 'smoothing'; it has empty_mean"),
        ({"in_place_gradient": 1}, "sigmoid", "'in_place_gradient' is False or True, not 1"),
        (
            ["empty_mean"],
            "cross_entropy",
            "conventions are a dictionary, not list; cross_entropy has empty_mean",
        ),
    ],
)
def test_fault_is_one_line_with_what_is_possible(conventions: object, operation: str, words: str) -> None:
    line = fault(conventions, operation)
    assert words in line
    assert "\n" not in line


def test_every_answer_is_accepted() -> None:
    for convention in CONVENTIONS.values():
        for value in convention.values:
            assert fault({convention.name: value}, (convention.operations or ("sigmoid",))[0]) == ""
