"""Value classes: which of the numbers that break naive algorithms a case holds in a dtype."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from conformance.arithmetic import FORMATS

Floats = npt.NDArray[np.float64]

#: Magnitude up to which numbers count as ordinary: no exponential of them leaves float16.
ORDINARY = 8.0
#: A row is offset where its numbers lie so far from 0, and the closer together (least |x| over spread).
OFFSET, OFFSET_OVER_SPREAD = 256.0, 4.0

OF_ROWS = (
    "ordinary", "overflow", "underflow", "offset", "masked", "all masked", "ties", "dominant", "infinite",
    "nan",
)  # fmt: skip
OF_ELEMENTS = ("ordinary", "zero", "tiny", "saturated", "overflow", "underflow", "infinite", "nan")
OF_LOG_PROBABILITIES = ("ordinary", "zero", "far", "infinite", "nan")
OF_PROBABILITIES = ("ordinary", "zero", "one", "next to zero", "next to one", "nan")


def of_rows(scores: Floats, axis: int, dtype: str) -> Iterator[str]:
    """Value classes of scores that are normalised along an axis.

    Args:
        scores: the scores, rounded to the dtype.
        axis: the axis of the classes.
        dtype: the dtype, whose exponential overflows and underflows.
    """
    if not scores.size:
        return
    rows = np.moveaxis(scores, axis, -1) if scores.ndim else scores.reshape(1)
    rows = rows.reshape(-1, rows.shape[-1])
    yield from _special(rows)
    finite = np.isfinite(rows)
    whole = rows[(finite | (rows == -np.inf)).all(axis=1) & finite.any(axis=1)]
    hidden = whole == -np.inf
    if hidden.any():
        yield "masked"
    if (rows == -np.inf).all(axis=1).any():
        yield "all masked"
    if not whole.size:
        return
    highest = whole.max(axis=1)
    lowest = np.where(hidden, np.inf, whole).min(axis=1)
    overflows, underflows, precision = _limits(dtype)
    if (highest > overflows).any():
        yield "overflow"
    if (highest < underflows).any():
        yield "underflow"
    nearest = np.minimum(np.abs(highest), np.abs(lowest))
    if ((nearest >= OFFSET) & (nearest >= OFFSET_OVER_SPREAD * (highest - lowest))).any():
        yield "offset"
    if whole.shape[1] > 1:
        second = np.sort(whole, axis=1)[:, -2]
        if (second == highest).any():
            yield "ties"
        if (highest - second > precision).any():
            yield "dominant"
    if (np.abs(whole) <= ORDINARY).all(axis=1).any():
        yield "ordinary"


def of_elements(scores: Floats, dtype: str) -> Iterator[str]:
    """Value classes of scores that are taken one by one, as a sigmoid's."""
    yield from _special(scores)
    overflows, _, precision = _limits(dtype)
    finite = scores[np.isfinite(scores)]
    if (finite > overflows).any():
        yield "overflow"
    if (finite < -overflows).any():
        yield "underflow"
    magnitude = np.abs(finite)
    if ((magnitude > precision) & (magnitude <= overflows)).any():
        yield "saturated"
    yield from ("zero",) * bool((finite == 0).any())
    if ((magnitude > 0) & (magnitude < np.exp(-precision))).any():
        yield "tiny"
    if ((magnitude > 0.01) & (magnitude <= ORDINARY)).any():
        yield "ordinary"


def of_log_probabilities(values: Floats, dtype: str) -> Iterator[str]:
    """Value classes of log-probabilities."""
    yield from _special(values)
    if (values == -np.inf).any():
        yield "infinite"
    finite = values[np.isfinite(values)]
    yield from ("zero",) * bool((finite == 0).any())
    if (finite < _limits(dtype)[1]).any():
        yield "far"
    if ((finite < 0) & (finite >= -ORDINARY)).any():
        yield "ordinary"


def of_probabilities(values: Floats, dtype: str) -> Iterator[str]:
    """Value classes of probabilities of a binary loss."""
    near = np.exp(-_limits(dtype)[2])
    if np.isnan(values).any():
        yield "nan"
    yield from ("zero",) * bool((values == 0).any())
    yield from ("one",) * bool((values == 1).any())
    if ((values > 0) & (values < near)).any():
        yield "next to zero"
    if ((values < 1) & (1 - values <= 4 * near)).any():
        yield "next to one"
    if ((values >= 0.01) & (values <= 0.99)).any():
        yield "ordinary"


def _special(values: Floats) -> Iterator[str]:
    if np.isnan(values).any():
        yield "nan"
    if (values == np.inf).any():
        yield "infinite"


def _limits(dtype: str) -> tuple[float, float, float]:
    """Where exp overflows and where it is 0, and the gap beyond which a term is below half an ulp of 1."""
    form = FORMATS[dtype]
    return (
        float(np.log(form.largest)),
        float(np.log(form.smallest_subnormal) - np.log(2)),
        float(form.precision * np.log(2)),
    )
