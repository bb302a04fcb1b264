"""Observation + exact + bound -> verdict, for many observations of one quantity at once.

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
    """The verdict on one observation, with the figures of its worst element.

    `ulp_error`, `ulp_bound` and `ulp_attainable` are in ulps of the dtype at the exact value (None where
    nothing was returned or the result is empty); `ratio` is the largest error / bound over all elements.
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
    """|observed - exact| in ulps, element by element, over any leading axes of `observed`.

    0 where nan or an infinity is right and observed; inf where either side alone is not finite.
    """
    with np.errstate(all="ignore"):
        error = np.abs((observed - reference.high) - reference.low) / reference.ulp
    right = (observed == reference.rounded) | (np.isnan(observed) & np.isnan(reference.rounded))
    special = ~np.isfinite(observed) | ~np.isfinite(reference.high)
    beyond = special & ~(np.isfinite(observed) & np.isfinite(error))
    error = np.where(beyond | np.isnan(error), np.inf, error)
    return np.where(right & special, 0.0, error)


def levels(observed: Floats, reference: Reference, error: Floats) -> npt.NDArray[np.int8]:
    """Each element's level: the index of its verdict in `LEVELS`."""
    right = (observed == reference.rounded) | (np.isnan(observed) & np.isnan(reference.rounded))
    quarter = 2.0 ** -(PRECISION[reference.dtype] / 4)
    with np.errstate(all="ignore"):
        near = np.abs(observed - reference.high) <= quarter * np.abs(reference.high)
    near &= np.isfinite(observed) & np.isfinite(reference.high) & ((observed != 0) | (reference.rounded == 0))
    finite = np.isfinite(error)
    # The first condition that holds decides, so a larger error never gets a better verdict.
    return np.select(
        [
            right | (error <= 0.5),
            error < 1.0,
            finite & (error <= reference.attainable),
            finite & (error <= reference.bound),
            near,
        ],
        [np.int8(level) for level in range(5)],
        default=np.int8(5),
    )


def judge(observed: Floats, reference: Reference) -> list[Judgement]:
    """The judgements on k observations stacked along the first axis: shape (k, *reference shape), float64.

    Shape and dtype have been compared before (`mismatch`); values of half types embed exactly in float64.
    """
    count = observed.shape[0]
    if reference.rounded.size == 0:
        return [Judgement("exact", "an empty result")] * count
    error = errors_in_ulps(observed, reference)
    level = levels(observed, reference, error)
    with np.errstate(all="ignore"):
        ratio = np.where(error == 0, 0.0, error / np.maximum(reference.bound, np.finfo(np.float64).tiny))
    flat = (count, -1)
    # The worst element: the worst level first, the largest error among those, the first of equals.
    rank = np.where(
        level == level.reshape(flat).max(axis=1).reshape((count,) + (1,) * (level.ndim - 1)), error, -1
    )
    worst = rank.reshape(flat).argmax(axis=1)
    ratios = ratio.reshape(flat).max(axis=1)
    return [
        _judgement(observed[k], reference, error[k], level[k], int(worst[k]), float(ratios[k]))
        for k in range(count)
    ]


def _judgement(
    observed: Floats,
    reference: Reference,
    error: Floats,
    level: npt.NDArray[np.int8],
    worst: int,
    ratio: float,
) -> Judgement:
    index = tuple(int(i) for i in np.unravel_index(worst, reference.rounded.shape))
    verdict = LEVELS[int(level[index])]
    return Judgement(
        verdict=verdict,
        message=_explain(verdict, float(observed[index]), float(reference.rounded[index])),
        ulp_error=float(error[index]),
        ulp_bound=float(reference.bound[index]),
        ulp_attainable=float(reference.attainable[index]),
        ratio=ratio,
        observed=float(observed[index]),
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
    """Why an array is no candidate at all (shape, dtype), in one sentence; empty if it is one."""
    if shape != reference.rounded.shape:
        return f"returned shape {list(shape)} where {list(reference.rounded.shape)} is right"
    if dtype != reference.dtype:
        return f"returned dtype {dtype} where {reference.dtype} is right"
    return ""


def judge_outcome(outcome: dict[str, Any], expects_error: bool) -> Judgement | None:
    """The judgement on an outcome that needs no arithmetic; None when the array must be judged."""
    status, message = outcome["status"], str(outcome.get("message", ""))
    if status == "raised":
        text = f"{outcome.get('error', 'error')}: {message}"
        return Judgement("exact" if expects_error else "raised", text)
    if status == "returned" and outcome.get("overwritten"):
        return Judgement("wrong", f"overwrites its input {', '.join(map(str, outcome['overwritten']))}")
    if status == "returned":
        return Judgement("wrong", "returned a value where an error is right") if expects_error else None
    return Judgement(status if status in VERDICTS else "wrong", message)
