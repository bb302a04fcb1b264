"""Verdicts: observed + exact + bound -> one of eleven, for many observations of one quantity at once.

Errors are in ulps of the result's dtype, against the exact value: ``|observed - exact| / ulp(exact)``. The
tolerance is the bound that first-order error analysis gives (docs/error-analysis.md); nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from conformance.operations import Reference

Floats = npt.NDArray[np.float64]

#: Verdicts of a check that returned, best first: an element's level is its index.
LEVELS = ("exact", "faithful", "accurate", "stable", "lossy", "wrong")
CONFORMING = frozenset(LEVELS[:4])
#: Every verdict, in the order in which reports list them.
VERDICTS = (*LEVELS, "raised", "crashed", "timed out", "not run", "unsupported")
#: Precision p of each dtype, in bits: `lossy` demands a quarter of them.
PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def conforms(verdict: str) -> bool | None:
    """Whether a verdict conforms; None for `unsupported`, which is neither."""
    return None if verdict == "unsupported" else verdict in CONFORMING


@dataclass(frozen=True)
class Judgement:
    """Verdict on one observation, with the figures of its worst element (None where there is none).

    Attributes:
        verdict: One of `VERDICTS`.
        message: What is wrong, in a few words; an error's own.
        ulp_error: The error, in ulps of the dtype at the exact value.
        ulp_bound: The bound, in the same ulps.
        ulp_attainable: The bound of the best known algorithm, in the same ulps.
        ratio: The largest error / bound over all elements.
        observed: The value that was returned.
        exact: The exact value, in decimal digits.
        worst_index: The element's index.
    """

    verdict: str
    message: str = ""
    ulp_error: float | None = None
    ulp_bound: float | None = None
    ulp_attainable: float | None = None
    ratio: float | None = None
    observed: float | None = None
    exact: str = ""
    worst_index: tuple[int, ...] | None = None


def errors_in_ulps(observed: Floats, reference: Reference) -> Floats:
    """|observed - exact| in ulps of the dtype, element by element, over any leading axes of `observed`.

    0 where nan or an infinity is right and observed; inf where either side alone is not finite.
    """
    with np.errstate(all="ignore"):
        error: Floats = np.abs((observed - reference.high) - reference.low) / reference.ulp
    finite = np.isfinite(error)
    if finite.all():  # Then both sides are.
        return error
    # The difference of finite sides may overflow, where that of halves does not.
    with np.errstate(all="ignore"):
        halved = np.abs((observed / 2 - reference.high / 2) - reference.low / 2) / reference.ulp * 2
    sides = np.isfinite(observed) & np.isfinite(reference.high)
    error = np.where(sides, np.where(finite, error, halved), error)
    special = ~np.isfinite(observed) | ~np.isfinite(reference.high)
    error = np.where((special & ~(np.isfinite(observed) & finite)) | np.isnan(error), np.inf, error)
    return np.where(matches(observed, reference) & special, 0.0, error)


def matches(observed: Floats, reference: Reference) -> npt.NDArray[np.bool_]:
    """Whether each element is the correctly rounded exact value; nan where that is nan."""
    same: npt.NDArray[np.bool_] = observed == reference.rounded
    return same | (np.isnan(observed) & np.isnan(reference.rounded))


def levels(observed: Floats, reference: Reference, error: Floats) -> npt.NDArray[np.int8]:
    """Each element's level: the index of its verdict in `LEVELS`."""
    finite = np.isfinite(error)
    level = np.full(error.shape, LEVELS.index("wrong"), np.int8)
    # From the worst to the best: the last condition that holds decides, so a larger error is never better.
    level[finite & (error <= reference.bound)] = LEVELS.index("stable")
    level[finite & (error <= reference.attainable)] = LEVELS.index("accurate")
    level[error < 1.0] = LEVELS.index("faithful")
    level[(error <= 0.5) | matches(observed, reference)] = LEVELS.index("exact")
    beyond = level == LEVELS.index("wrong")
    if beyond.any():
        level[beyond & _near(observed, reference)] = LEVELS.index("lossy")
    return level


def _near(observed: Floats, reference: Reference) -> npt.NDArray[np.bool_]:
    """Whether a quarter of the dtype's bits are right: an element that is not may be anything."""
    quarter = 2.0 ** -(PRECISION[reference.dtype] / 4)
    with np.errstate(all="ignore"):
        near: npt.NDArray[np.bool_] = np.abs(observed - reference.high) <= quarter * np.abs(reference.high)
    near &= np.isfinite(observed) & np.isfinite(reference.high)
    near &= (observed != 0) | (reference.rounded == 0)
    return near


def judge(observed: Floats, reference: Reference) -> list[Judgement]:
    """The judgements on k observations of one quantity.

    Args:
        observed: Stacked along the first axis, float64 of shape (k, *reference shape): values of half types
            embed exactly. Shape and dtype have been compared before (`mismatch`).
        reference: The exact value and its bounds.
    """
    count, shape = observed.shape[0], reference.rounded.shape
    if reference.rounded.size == 0:
        return [Judgement("exact", "an empty result")] * count
    errors = errors_in_ulps(observed, reference)
    level = levels(observed, reference, errors).reshape(count, -1)
    with np.errstate(all="ignore"):
        ratio = np.where(errors == 0, 0.0, errors / np.maximum(reference.bound, np.finfo(np.float64).tiny))
    errors = errors.reshape(count, -1)
    # The worst element: the worst level first, the largest error among those, the first of equals.
    worst = np.where(level == level.max(axis=1, keepdims=True), errors, -1).argmax(axis=1)
    rows = np.arange(count)
    figures = (
        level[rows, worst],
        errors[rows, worst],
        observed.reshape(count, -1)[rows, worst],
        ratio.reshape(count, -1).max(axis=1),
        *(array.reshape(-1)[worst] for array in (reference.rounded, reference.bound, reference.attainable)),
    )
    axes = np.unravel_index(worst, shape) if shape else ()
    indices = list(zip(*(axis.tolist() for axis in axes), strict=True)) or [()] * count
    elements = zip(*(figure.tolist() for figure in figures), strict=True)
    return [_judgement(reference, index, *element) for index, element in zip(indices, elements, strict=True)]


def _judgement(
    reference: Reference,
    index: tuple[int, ...],
    level: int,
    error: float,
    observed: float,
    ratio: float,
    rounded: float,
    bound: float,
    attainable: float,
) -> Judgement:
    verdict = LEVELS[level]
    return Judgement(
        verdict=verdict,
        message=_explain(verdict, observed, rounded),
        ulp_error=error,
        ulp_bound=bound,
        ulp_attainable=attainable,
        ratio=ratio,
        observed=observed,
        exact=reference.text(index),
        worst_index=index,
    )


def _explain(verdict: str, observed: float, rounded: float) -> str:
    """What is wrong with the worst element, in a few words; empty for a conforming one."""
    if verdict == "lossy":
        return "outside the bound"
    if verdict != "wrong":
        return ""
    for name, test in (("nan", np.isnan), ("an infinity", np.isinf)):
        if test(observed):
            return (
                f"returned {name} where a finite value is right"
                if np.isfinite(rounded)
                else f"wrongly {name}"
            )
        if test(rounded):
            return f"returned a number where {name} is right"
    if observed == 0 and rounded != 0:
        return "returned 0 where a representable non-zero value is right"
    return "outside the bound, and wrong in its leading bits"


def mismatch(shape: tuple[int, ...], dtype: str, reference: Reference) -> str:
    """Why an array of this shape and dtype cannot be judged at all, in one sentence; empty if it can."""
    if shape != reference.rounded.shape:
        return f"returned shape {list(shape)} where {list(reference.rounded.shape)} is right"
    if dtype != reference.dtype:
        return f"returned dtype {dtype} where {reference.dtype} is right"
    return ""


def judge_outcome(
    outcome: dict[str, Any], expects_error: bool, values: Floats | None = None
) -> Judgement | None:
    """The judgement on an outcome that needs no arithmetic; None when the array must be judged.

    Args:
        outcome: the status, and what belongs to it.
        expects_error: whether an error is right.
        values: what was returned; where an error is right, its element of greatest magnitude is `observed`.
    """
    status, message = outcome["status"], str(outcome.get("message", ""))
    if status == "raised":
        text = f"{outcome.get('error', 'error')}: {message}"
        return Judgement("exact" if expects_error else "raised", text)
    if status == "returned" and outcome.get("overwritten"):
        return Judgement("wrong", f"overwrites its input {', '.join(map(str, outcome['overwritten']))}")
    if status == "returned":
        if not expects_error:
            return None
        empty = values is not None and not values.size
        returned = "an array without elements" if empty else "a value"
        return Judgement("wrong", f"returned {returned} where an error is right", observed=_greatest(values))
    return Judgement(status if status in VERDICTS else "wrong", message)


def _greatest(values: Floats | None) -> float | None:
    """The element of greatest magnitude, nan before all; None where there is none."""
    if values is None or not values.size:
        return None
    return float(values.reshape(-1)[np.argmax(np.abs(values))])  # argmax takes the first nan for the greatest
