"""Judge by balls: the corpus' own exact values and verdicts, for the inputs that no polynomial decides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FORMATS, FloatArray
from conformance.judging.verdict import PRECISION, errors_in_ulps, levels
from conformance.operations import Reference, along, operation_named, reference
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Bits, number_type, values
from conformance.sweeping.tally import Levels

#: Inputs whose exact values are computed together.
BATCH_INPUTS = 1 << 15
#: What separates an error in ulps from a limit beyond doubt: a settled ball's radius is up to 2**-10 ulp.
SETTLED_ULPS = 2.0**-9


@dataclass(frozen=True)
class BallJudge:
    """Judge of one element of a swept function in a dtype.

    Attributes:
        function: The function.
        element: Which of its numbers.
        dtype: The dtype, or `PAIRS` of one.
    """

    function: SweptFunction
    element: int
    dtype: str

    @property
    def number_type(self) -> str:
        """The dtype of its numbers."""
        return number_type(self.dtype)

    def reference(self, bits: Bits) -> Reference:
        """The exact values and bounds at these inputs, of shape (inputs,)."""
        return self._reference(bits, self.number_type)

    def _reference(self, bits: Bits, number_type: str) -> Reference:
        """The same, settled for another dtype than that of the numbers."""
        function, count = self.function, bits.size
        arguments = function.arguments(values(self.dtype, bits))
        with along(function.direction(count)):
            whole = reference(
                function.operation, arguments, function.quantity, number_type, function.upstream(count)
            )
        if function.elements == 1:
            return whole
        arrays = ("rounded", "high", "low", "ulp", "bound", "attainable")
        outside = {
            index // function.elements: digits
            for index, digits in whole.outside.items()
            if index % function.elements == self.element
        }
        chosen = {name: getattr(whole, name)[:, self.element] for name in arrays}
        return replace(whole, **chosen, outside=outside)

    def bounds(self, bits: Bits) -> tuple[FloatArray, FloatArray]:
        """The absolute errors (bound, attainable) at these inputs, without the exact values."""
        function, count = self.function, bits.size
        operation = operation_named(function.operation)
        arguments = operation.completed(function.arguments(values(self.dtype, bits)))
        with along(function.direction(count)):
            pair = operation.error_bounds(
                arguments, function.quantity, function.upstream(count), FORMATS[self.number_type]
            )
        if function.elements == 1:
            return pair
        return pair[0][:, self.element], pair[1][:, self.element]

    def judge(self, bits: Bits, observed: FloatArray) -> tuple[Levels, FloatArray]:
        """The level and the error in ulps of what was observed at each of these inputs."""
        level, error = np.zeros(bits.size, np.int8), np.zeros(bits.size)
        for begin in range(0, bits.size, BATCH_INPUTS):
            part = slice(begin, begin + BATCH_INPUTS)
            exact = self._decisive(bits[part], observed[part])
            error[part] = errors_in_ulps(observed[part], exact)
            level[part] = levels(observed[part], exact, error[part])
        return level, error

    def _decisive(self, bits: Bits, observed: FloatArray) -> Reference:
        """The reference; settled for float64 where an error is too near to a limit for the dtype's own."""
        exact = self.reference(bits)
        near = np.flatnonzero(_near_a_limit(errors_in_ulps(observed, exact), exact))
        if not near.size or self.number_type == "float64":
            return exact
        finer = self._reference(bits[near], "float64")
        high, low = exact.high.copy(), exact.low.copy()
        high[near], low[near] = finer.high, finer.low
        return replace(exact, high=high, low=low)


def _near_a_limit(error: FloatArray, exact: Reference) -> npt.NDArray[np.bool_]:
    """Whether an error in ulps is so near to what a verdict or a bin depends on that a ball might hide it."""
    with np.errstate(all="ignore"):
        lossy = 2.0 ** -(PRECISION[exact.dtype] / 4) * np.abs(exact.high) / exact.ulp
        bin_edge = np.exp2(np.round(np.log2(np.maximum(error, 1.0))))
        limits = (0.5, 1.0, exact.bound, exact.attainable, lossy, bin_edge)
        near: npt.NDArray[np.bool_] = np.any([np.abs(error - limit) <= SETTLED_ULPS for limit in limits], 0)
    return near & np.isfinite(error)
