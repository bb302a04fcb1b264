"""The interval of values that inputs known to some decimals only allow.

A source that prints its inputs to four decimals has computed on other numbers: each lies within half a unit
of the last decimal of what is shown. Where a value rises or falls in each input throughout that box, its
least and greatest values lie at two of the box's corners, and the sign of the exact gradient says at which:

- sigmoid, log_sigmoid and logsumexp rise in every input;
- softmax and log_softmax of a class rise in its own logit and fall in the others;
- nll_loss is linear; cross_entropy of a label falls in the label's logit and rises in the others;
- both binary losses of a target 0 or 1 rise or fall.

Soft targets and label smoothing have minima inside, so they are refused.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.operations import OPERATIONS, reference

Floats = npt.NDArray[np.float64]


@functools.lru_cache(maxsize=512)
def interval(case: Case) -> tuple[Floats, Floats]:
    """The least and greatest value of each element of the result; ValueError where corners do not decide.

    Only the operation's first input is uncertain: targets and weights are as written.
    """
    operation = OPERATIONS[case.operation]
    name = operation.inputs[0].name
    arguments = operation.completed(case.build("float64"))
    _check_monotone(case, arguments)
    centre = np.asarray(arguments[name], np.float64)
    half = 0.5 * 10.0 ** -(case.decimals or 0)
    shape = operation.result_shape(arguments)
    low, high = np.empty(shape), np.empty(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1.0
        rises = np.sign(reference(case.operation, arguments, f"gradient:{name}", "float64", unit).high)
        for ends, away in ((low, -1.0), (high, 1.0)):
            # Outward by an ulp: the corner itself may lie between two float64 numbers.
            outward = np.where(rises * away > 0, np.inf, -np.inf)
            corner = np.where(rises == 0, centre, np.nextafter(centre + away * half * rises, outward))
            corner_value = reference(case.operation, {**arguments, name: corner}, "value", "float64")
            ends[index] = np.nextafter(corner_value.high[index], away * np.inf)
    return low, high


def slack(case: Case) -> float:
    """By how much inputs known to `decimals` decimals may move the value, at most; 0 for exact inputs.

    Raises ValueError where corners do not decide.
    """
    return 0.0 if case.decimals is None else float(np.max(_widths(case), initial=0.0))


def _widths(case: Case) -> Floats:
    """By how much each element may lie from the value at the inputs as shown."""
    low, high = interval(case)
    middle = reference(case.operation, case.build("float64"), "value", "float64").high
    return np.maximum(high - middle, middle - low)


def _check_monotone(case: Case, arguments: dict[str, object]) -> None:
    remedy = "targets of 0 and 1, weights of 0 and more, and no label smoothing"
    if OPERATIONS[case.operation].inputs[0].kind != "floating":
        raise ValueError(f"decimals: {case.operation} has no floating input: no `decimals`")
    for name in ("target", "weight", "pos_weight"):
        values = arguments.get(name)
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            continue
        if not (np.isin(values, (0.0, 1.0)).all() if name == "target" else (values >= 0).all()):
            raise ValueError(f"decimals: the value need not rise or fall throughout: {remedy}")
    if arguments.get("label_smoothing"):
        raise ValueError(f"decimals: the value need not rise or fall throughout: {remedy}")
