"""The one rule for nan, infinities and nothing, as tables: limits through finite inputs where they exist."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.operations import reference

INF, NAN = np.inf, np.nan
Row = list[float]


def values(operation: str, quantity: str = "value", g: object = None, **arguments: object) -> list[float]:
    """The rounded float32 values of one call, flat."""
    prepared = {key: np.asarray(item) if isinstance(item, list) else item for key, item in arguments.items()}
    upstream = None if g is None else np.asarray(g, dtype=np.float64)
    return reference(operation, prepared, quantity, "float32", upstream).rounded.ravel().tolist()


def same(observed: list[float], expected: list[float]) -> bool:
    return np.array_equal(np.array(observed), np.array(expected), equal_nan=True)


ROWS: list[tuple[Row, Row, Row, float]] = [
    # logits, softmax, log_softmax, logsumexp
    ([NAN, 0, 1], [NAN] * 3, [NAN] * 3, NAN),
    ([NAN, INF, -INF], [NAN] * 3, [NAN] * 3, NAN),
    ([INF, 0, 1], [1, 0, 0], [0, -INF, -INF], INF),
    ([INF, 0, -INF], [1, 0, 0], [0, -INF, -INF], INF),
    ([INF, INF, 0], [NAN, NAN, 0], [NAN, NAN, -INF], INF),
    ([-INF, 5, -INF], [0, 1, 0], [-INF, 0, -INF], 5),
    ([-INF, -INF, -INF], [NAN] * 3, [NAN] * 3, -INF),
    ([-INF], [1], [0], -INF),
    ([INF], [1], [0], INF),
]


@pytest.mark.parametrize(("logits", "softmax", "log_softmax", "logsumexp"), ROWS)
def test_rows(logits: Row, softmax: Row, log_softmax: Row, logsumexp: float) -> None:
    assert same(values("softmax", x=logits), softmax)
    assert same(values("log_softmax", x=logits), log_softmax)
    assert same(values("logsumexp", x=logits), [logsumexp])
    assert same(values("logsumexp", "gradient:x", x=logits), softmax)


@pytest.mark.parametrize(
    ("logits", "g", "softmax", "log_softmax"),
    [
        ([INF, 0, 1], [1, 2, 4], [0, 0, 0], [-6, 2, 4]),
        ([INF, INF, 0], [1, 2, 4], [NAN, NAN, 0], [NAN, NAN, 4]),
        ([INF, INF, 0], [2, 2, 4], [0, 0, 0], [NAN, NAN, 4]),
        ([INF, INF, 0], [1, 2, -3], [NAN, NAN, 0], [1, 2, -3]),
        ([-INF, -INF], [1, 2], [NAN, NAN], [NAN, NAN]),
        ([-INF, -INF], [2, 2], [0, 0], [NAN, NAN]),
        ([NAN, 0], [1, -1], [NAN, NAN], [NAN, NAN]),
        ([-INF, 3], [1, 2], [0, 0], [1, -1]),
    ],
)
def test_gradients_of_rows(logits: Row, g: Row, softmax: Row, log_softmax: Row) -> None:
    assert same(values("softmax", "gradient:x", g, x=logits), softmax)
    assert same(values("log_softmax", "gradient:x", g, x=logits), log_softmax)


@pytest.mark.parametrize(
    ("logits", "label", "loss", "gradient"),
    [
        ([INF, 0, 1], 0, 0, [0, 0, 0]),
        ([INF, 0, 1], 1, INF, [1, -1, 0]),
        ([INF, INF, 0], 0, NAN, [NAN, NAN, 0]),
        ([INF, INF, 0], 2, INF, [NAN, NAN, -1]),
        ([-INF, 4, -INF], 1, 0, [0, 0, 0]),
        ([-INF, 4, -INF], 0, INF, [-1, 1, 0]),
        ([-INF, -INF], 0, NAN, [NAN, NAN]),
        ([-INF], 0, 0, [0]),
        ([NAN, 0], 1, NAN, [NAN, NAN]),
    ],
)
def test_cross_entropy_of_labels(logits: Row, label: int, loss: float, gradient: Row) -> None:
    call = {"logits": [logits], "target": [label]}
    assert same(values("cross_entropy", **call), [loss])
    assert same(values("cross_entropy", "gradient:logits", **call), gradient)
    # Smoothing and one-hot probabilities go another way through the code.
    soft = {"logits": [logits], "target": [np.eye(len(logits))[label].tolist()]}
    assert same(values("cross_entropy", **soft), [loss])
    assert same(values("cross_entropy", "gradient:logits", **soft), gradient)


def test_a_coefficient_of_zero_removes_its_term_but_not_a_nan() -> None:
    masked = {"logits": [[-INF, 4.0, 4.0]], "target": [[0.0, 0.5, 0.5]]}
    half = float(np.float32(np.log(2)))
    assert values("cross_entropy", **masked) == [half]
    assert same(values("cross_entropy", "gradient:target", **masked), [INF, half, half])
    weight = [0.0, 1.0, 1.0]
    smoothed = {"logits": [[-INF, 4.0, 4.0]], "target": [1], "label_smoothing": 0.5, "reduction": "sum"}
    assert values("cross_entropy", **smoothed) == [INF]
    assert np.isfinite(values("cross_entropy", weight=weight, **smoothed)).all()
    assert values("nll_loss", log_probs=[[-INF, -1.0]], target=[0], weight=[0.0, 1.0], reduction="sum") == [
        0.0
    ]
    assert same(
        values("nll_loss", log_probs=[[NAN, -1.0]], target=[0], weight=[0.0, 1.0], reduction="sum"), [NAN]
    )
    assert same(values("cross_entropy", logits=[[NAN, 0.0]], target=[[0.0, 0.0]]), [NAN])
    assert values("cross_entropy", logits=[[INF, 0.0]], target=[[0.0, 0.0]]) == [0.0]


@pytest.mark.parametrize("rubbish", [NAN, INF, -INF])
@pytest.mark.parametrize("operation", ["nll_loss", "cross_entropy"])
def test_ignored_rows_contribute_nothing(operation: str, rubbish: float) -> None:
    first = "log_probs" if operation == "nll_loss" else "logits"
    both: dict[str, object] = {first: [[rubbish, rubbish], [0.5, 0.25]], "target": [-100, 1]}
    alone: dict[str, object] = {first: [[0.5, 0.25]], "target": [1]}
    for reduction in ("sum", "mean"):
        assert values(operation, reduction=reduction, **both) == values(
            operation, reduction=reduction, **alone
        )
        gradient = values(operation, f"gradient:{first}", reduction=reduction, **both)
        assert gradient == [0, 0, *values(operation, f"gradient:{first}", reduction=reduction, **alone)]
    assert values(operation, **{**both, "reduction": "none"})[0] == 0


@pytest.mark.parametrize("operation", ["nll_loss", "cross_entropy"])
def test_a_mean_over_nothing_is_nan_and_a_sum_is_zero(operation: str) -> None:
    first = "log_probs" if operation == "nll_loss" else "logits"
    ignored = {first: [[1.0, 2.0]], "target": [-100]}
    empty = {first: np.zeros((0, 2)), "target": np.zeros(0, np.int64)}
    for call in (ignored, empty):
        assert same(values(operation, **call), [NAN])
        assert values(operation, reduction="sum", **call) == [0.0]
        assert not np.any(values(operation, f"gradient:{first}", **call))
    assert values(operation, reduction="none", **empty) == []
    weightless = {first: [[1.0, 2.0]], "target": [0], "weight": [0.0, 1.0]}
    assert same(values(operation, **weightless), [NAN])
    assert values(operation, reduction="sum", **weightless) == [0.0]


def test_infinite_rows_of_opposite_sign_have_no_sum() -> None:
    assert same(values("nll_loss", log_probs=[[INF], [-INF]], target=[0, 0], reduction="sum"), [NAN])


def test_sigmoids() -> None:
    x = [NAN, INF, -INF]
    assert same(values("sigmoid", x=x), [NAN, 1, 0])
    assert same(values("sigmoid", "gradient:x", [1, 1, 1], x=x), [NAN, 0, 0])
    assert same(values("log_sigmoid", x=x), [NAN, 0, -INF])
    assert same(values("log_sigmoid", "gradient:x", [1, 1, 2], x=x), [NAN, 0, 2])


@pytest.mark.parametrize(
    ("p", "t", "loss", "by_p", "by_t"),
    [
        (0.0, 0.0, 0, 1, INF),
        (0.0, 1.0, INF, -INF, INF),
        (0.0, 0.5, INF, -INF, INF),
        (1.0, 1.0, 0, -1, -INF),
        (1.0, 0.0, INF, INF, -INF),
        (1.0, 0.5, INF, INF, -INF),
        (-1.0, 0.5, NAN, NAN, NAN),
        (2.0, 0.5, NAN, NAN, NAN),
        (-1.0, 0.0, -float(np.float32(np.log(2))), 0.5, NAN),
        (NAN, 0.0, NAN, NAN, NAN),
        (0.5, NAN, NAN, NAN, 0),
    ],
)
def test_binary_cross_entropy(p: float, t: float, loss: float, by_p: float, by_t: float) -> None:
    call = {"probs": [p], "target": [t]}
    assert same(values("binary_cross_entropy", **call), [loss])
    assert same(values("binary_cross_entropy", "gradient:probs", **call), [by_p])
    assert same(values("binary_cross_entropy", "gradient:target", **call), [by_t])
    removed = [NAN] if np.isnan([p, t]).any() else [0.0]
    assert same(values("binary_cross_entropy", weight=[0.0], reduction="sum", **call), removed)


@pytest.mark.parametrize(
    ("x", "t", "loss", "by_x", "by_t"),
    [
        (INF, 1.0, 0, 0, -INF),
        (INF, 0.0, INF, 1, -INF),
        (-INF, 0.0, 0, 0, INF),
        (-INF, 1.0, INF, -1, INF),
        (INF, 0.25, INF, 0.75, -INF),
        (-INF, 0.25, INF, -0.25, INF),
        (NAN, 0.0, NAN, NAN, NAN),
        (1.0, NAN, NAN, NAN, -1),
    ],
)
def test_binary_cross_entropy_with_logits(x: float, t: float, loss: float, by_x: float, by_t: float) -> None:
    call = {"logits": [x], "target": [t]}
    assert same(values("binary_cross_entropy_with_logits", **call), [loss])
    assert same(values("binary_cross_entropy_with_logits", "gradient:logits", **call), [by_x])
    assert same(values("binary_cross_entropy_with_logits", "gradient:target", **call), [by_t])


def test_a_positive_weight_of_zero_removes_the_positive_term() -> None:
    call = {"logits": [-INF], "target": [1.0], "pos_weight": [0.0]}
    assert values("binary_cross_entropy_with_logits", **call) == [0.0]
    assert values("binary_cross_entropy_with_logits", "gradient:logits", **call) == [0.0]


@pytest.mark.parametrize("operation", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_binary_losses_of_nothing(operation: str) -> None:
    first = "probs" if operation == "binary_cross_entropy" else "logits"
    call = {first: np.zeros((0, 3)), "target": np.zeros((0, 3))}
    assert same(values(operation, **call), [NAN])
    assert values(operation, reduction="sum", **call) == [0.0]
    assert values(operation, reduction="none", **call) == values(operation, f"gradient:{first}", **call) == []


def test_empty_rows() -> None:
    empty = np.zeros((2, 0))
    assert values("softmax", x=empty) == values("log_softmax", x=empty) == []
    assert values("logsumexp", x=empty) == [-INF, -INF]
    assert values("logsumexp", x=np.zeros((0, 2))) == values("sigmoid", x=np.zeros(0)) == []
