"""Row sums of a result: probabilities sum to one, derivatives of a shift-invariant row to zero.

Judged on each observation alone. The sum of the float64 embeddings is taken exactly, so that what remains is
the subject's own: its elements may be off by their bounds, and by no more in the sum. The distance is in
ulps of the dtype: at 1 for a sum of one, else at the row's largest exact element.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conformance.judging.formulation_relations import Distance

if TYPE_CHECKING:
    from conformance.operations import Reference

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
#: Results of more elements are not summed: what a sum shows, small ones show.
MAX_SUMMED_ELEMENTS = 1 << 16
_GRADIENT = ("gradient rows sum to zero", 0.0)
_SECOND = ("second derivative rows sum to zero", 0.0)
#: (operation, quantity) -> the relation's name, and what each row sums to.
SUMS: dict[tuple[str, str], tuple[str, float]] = {
    ("softmax", "value"): ("softmax sums to one", 1.0),
    ("softmax", "gradient:x"): _GRADIENT,
    ("softmax", "second:x"): _SECOND,
    ("log_softmax", "gradient:x"): _GRADIENT,
    ("log_softmax", "second:x"): _SECOND,
    ("logsumexp", "second:x"): _SECOND,
    ("cross_entropy", "gradient:logits"): _GRADIENT,
    ("cross_entropy", "second:logits"): _SECOND,
}


@dataclass(frozen=True)
class RowSums:
    """The rows of one quantity that have a known sum.

    Attributes:
        relation: The name of the relation.
        right: What each row sums to.
        axis: The axis of the result along which a row lies.
        rows: The numbers of the rows, in the order of the other axes.
        allowed: What each row's sum may be off, absolutely: its elements' bounds together.
        ulp: The unit of each row's distance.
    """

    relation: str
    right: float
    axis: int
    rows: npt.NDArray[np.int64]
    allowed: Floats
    ulp: Floats

    def judge(self, observed: Sequence[Floats]) -> list[Distance]:
        """The distance of the worst row's sum of each observation from what is right."""
        rows = [_as_rows(values, self.axis)[self.rows].tolist() for values in observed]
        off = np.array([[_excess(row, self.right) for row in matrix] for matrix in rows])
        with np.errstate(all="ignore"):
            distance, allowed = off / self.ulp, self.allowed / self.ulp
            beyond = off > self.allowed
            worst = np.where(beyond, np.inf, distance - allowed).argmax(axis=1)
        figures = off.any(axis=1), beyond.any(axis=1), distance.max(axis=1), allowed[worst]
        return [
            Distance(not differs, broken, largest, least)
            for differs, broken, largest, least in zip(*(figure.tolist() for figure in figures), strict=True)
        ]


def row_sums(
    operation: str, arguments: Mapping[str, Any], quantity: str, reference: Reference
) -> RowSums | None:
    """What the rows of a quantity sum to; None where nothing is known of them.

    Not among them are rows whose exact values are not all finite in the dtype, and rows that are ignored.

    Args:
        operation: The operation's name.
        arguments: Its inputs and parameters.
        quantity: The quantity.
        reference: The quantity's exact value and bounds.
    """
    exact = reference.rounded
    if (operation, quantity) not in SUMS or not 0 < exact.size <= MAX_SUMMED_ELEMENTS:
        return None
    relation, right = SUMS[operation, quantity]
    axis = _axis(operation, arguments, exact.ndim)
    summed: Mask = np.asarray(np.isfinite(_as_rows(exact, axis)).all(axis=1))
    target = arguments.get("target")
    if isinstance(target, np.ndarray) and target.dtype.kind != "f":
        summed &= np.ravel(target) != arguments.get("ignore_index", -100)
    rows = np.flatnonzero(summed)
    if not rows.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        allowed = _as_rows(reference.bound * reference.ulp, axis)[rows].sum(axis=1)
    largest = _as_rows(np.abs(exact), axis)[rows].argmax(axis=1)
    ulp_of_largest = _as_rows(reference.ulp, axis)[rows, largest]
    ulp = ulp_of_largest if right == 0 else np.full(rows.shape, _ULP_OF_ONE[reference.dtype])
    return RowSums(relation, right, axis, rows, allowed, ulp)


_ULP_OF_ONE = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def _axis(operation: str, arguments: Mapping[str, Any], dimensions: int) -> int:
    """The axis of the classes; None is PyTorch's implicit one."""
    if operation == "cross_entropy":
        return min(1, max(dimensions - 1, 0))
    axis = arguments.get("axis", -1)
    if axis is None:
        return 0 if dimensions in (0, 1, 3) else 1
    return int(axis) % max(dimensions, 1)


def _as_rows(array: Floats, axis: int) -> Floats:
    """The array as a matrix, each row one slice along the axis, in the order of the other axes."""
    moved = array if axis == array.ndim - 1 else np.moveaxis(np.atleast_1d(array), axis, -1)
    return moved.reshape(-1, moved.shape[-1])


def _excess(row: list[float], right: float) -> float:
    """|sum - right|, rounded once; infinite where a term is not finite or the sum overflows."""
    try:
        excess = abs(math.fsum([*row, -right]))
    except (OverflowError, ValueError):  # ValueError: infinities of both signs
        return math.inf
    return math.inf if math.isnan(excess) else excess
