"""`conformance.exact` against a definition that shares no code with it, to the last bit, on random calls."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf
from oracle import definition
from oracle.calls import Call
from oracle.definition import random_calls
from oracle.values import Array, to_float64, to_fraction

import conformance

COUNT, SEED, PARTS = 1000, 2020, 10
CALLS = list(random_calls(COUNT, SEED))


def encloses(lower: float, exact: mpf, upper: float) -> bool:
    """Whether lower <= exact <= upper, without a rounding."""
    if not mp.isfinite(exact):
        return lower == float(exact) == upper
    above = lower == float("-inf") or (np.isfinite(lower) and to_fraction(mpf(lower)) <= to_fraction(exact))
    below = upper == float("inf") or (np.isfinite(upper) and to_fraction(exact) <= to_fraction(mpf(upper)))
    return bool(above and below)


def disagreements(result: object, expected: Array) -> list[str]:
    """What differs from the independent value: shape, last bit or enclosure, element by element."""
    rounded, lower, upper = (np.asarray(a) for a in (result.to("float64"), result.lower, result.upper))
    if not rounded.shape == lower.shape == upper.shape == expected.shape:
        return [f"shapes {rounded.shape}, {lower.shape}, {upper.shape}: {expected.shape} is right"]
    faults = []
    for index in np.ndindex(expected.shape):
        exact = expected[index]
        if rounded[index] != to_float64(exact):
            faults.append(f"{index}: {rounded[index]!r}: {to_float64(exact)!r} is right")
        if not encloses(float(lower[index]), exact, float(upper[index])):
            faults.append(f"{index}: [{lower[index]!r}, {upper[index]!r}] leaves out {mp.nstr(exact, 25)}")
    return faults


def check(call: Call) -> list[str]:
    """Every disagreement of a call's value and gradients."""
    result = conformance.exact(call.operation, *call.inputs, **call.parameters)
    faults = disagreements(result, definition.value(call.operation, call.inputs, call.parameters))
    for name in call.gradients:
        expected = definition.gradient(call.operation, name, call.inputs, call.parameters)
        faults += [f"gradient {name} {text}" for text in disagreements(result.gradient(name), expected)]
    return [f"{call}: {text}" for text in faults]


@pytest.mark.parametrize("part", range(PARTS))
def test_exact_agrees_to_the_last_bit(part: int) -> None:
    faults = [text for call in CALLS[part::PARTS] for text in check(call)]
    assert not faults, "\n".join(faults[:5])


def test_quotient_halfway_between_two_numbers_goes_to_the_even_one() -> None:
    """Equal logits: the gradient is sum(t) / 7 - t, here exactly in the middle, and no ball can prove it."""
    target = np.array([0.0744142280422926, 0.2822663034729426, 0.19764509656850096, 0.324984168579145])
    target = np.append(target, [0.03909140706307889, 0.023734730699464343, 0.0578640655745755])
    slope = conformance.exact("cross_entropy", np.zeros(7), target, reduction="sum").gradient("logits")
    assert slope.to("float64")[6] == 0.08499307728256736
    assert slope.lower[6] < slope.upper[6]


def test_calls_reach_every_operation_gradient_and_parameter() -> None:
    from conformance.operations import OPERATIONS

    assert {call.operation for call in CALLS} == set(OPERATIONS) == set(definition.VALUES)
    assert {(call.operation, name) for call in CALLS for name in call.gradients} == set(definition.GRADIENTS)
    for name, operation in OPERATIONS.items():
        passed = {p for call in CALLS if call.operation == name for p in call.parameters}
        assert passed == {p.name for p in operation.parameters}, name
