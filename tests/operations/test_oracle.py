"""The independent definition is itself sound: by hand, and its gradients are its values' derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf
from oracle import definition
from oracle.calls import Call
from oracle.definition import random_calls
from oracle.values import Array, number, to_float64, to_fraction

CALLS = [
    call
    for call in random_calls(66, seed=7)
    if call.gradients
    and all(map(mp.isfinite, definition.value(call.operation, call.inputs, call.parameters).flat))
]
STEP = mpf(2) ** -180


def arrays(call: Call) -> dict[str, Array]:
    """The call's arrays by what the gradients are named after."""
    names = call.names or (call.gradients[0], "target")[: len(call.inputs)]
    factors = {name: a for name, a in call.parameters.items() if isinstance(a, np.ndarray)}
    return {**dict(zip(names, call.inputs, strict=True)), **factors}


def total(call: Call, given: dict[str, Array]) -> mpf:
    """The sum of the results at other arrays."""
    inputs = tuple(given[name] for name in list(given)[: len(call.inputs)])
    factors = {name: given[name] for name in call.parameters if name in given}
    return sum(definition.value(call.operation, inputs, {**call.parameters, **factors}).flat)


def moved(x: Array, index: tuple[int, ...], step: mpf) -> Array:
    """The input with one element moved, as mpmath numbers."""
    out = x.astype(object)
    with mp.workprec(20000):
        out[index] = number(x[index]) + step
    return out


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
def test_gradient_is_the_slope_between_two_close_inputs(call: Call) -> None:
    with mp.workprec(8000):
        for name in call.gradients:
            exact = definition.gradient(call.operation, name, call.inputs, call.parameters)
            given = arrays(call)
            for index in [p for p in np.ndindex(exact.shape) if np.isfinite(given[name][p])][:4]:
                above = total(call, {**given, name: moved(given[name], index, STEP)})
                below = total(call, {**given, name: moved(given[name], index, -STEP)})
                slope = (above - below) / (2 * STEP)
                assert abs(slope - exact[index]) <= mpf(2) ** -100 * (1 + abs(slope)), (name, index)


def test_post_figures_come_out_as_printed() -> None:
    logits, labels = np.array([[10.0, 3.0, 1.0], [-1.0, 0.0, -4.0]]), np.array([1, 2])
    (loss,) = definition.value("cross_entropy", (logits, labels), {}).flat
    assert round(float(loss), 4) == 5.6638


def test_small_losses_keep_all_their_digits() -> None:
    (loss,) = definition.value("cross_entropy", (np.array([20.0, 0.0]), np.array(0)), {}).flat
    assert to_float64(loss) == float(np.log1p(np.exp(-20.0)))


@pytest.mark.parametrize(
    ("exact", "nearest"),
    [
        (mpf(1) + mpf(2) ** -53, 1.0),
        (mpf(1) + 3 * mpf(2) ** -53, 1.0 + 2.0**-51),
        (mpf(2) ** -1075, 0.0),
        (3 * mpf(2) ** -1076, 2.0**-1074),
        (-(mpf(2) ** 1024), float("-inf")),
        (mpf("-inf"), float("-inf")),
    ],
)
def test_float64_is_the_nearest_and_even_between_two(exact: mpf, nearest: float) -> None:
    assert to_float64(exact) == nearest


def test_ratio_is_the_number_itself() -> None:
    assert to_fraction(mpf("-0.375")) * 8 == -3
