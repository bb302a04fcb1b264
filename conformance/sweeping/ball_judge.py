"""Judge by balls: the corpus' own exact values and verdicts, for the inputs that no polynomial decides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from conformance.arithmetic.formats import FORMATS, FloatArray
from conformance.judging.verdict import errors_in_ulps, levels
from conformance.operations import Reference, along, operation_named, reference
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Bits, number_type, values
from conformance.sweeping.tally import Levels

#: Inputs whose exact values are computed together.
BATCH_INPUTS = 1 << 15


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
        function, count = self.function, bits.size
        arguments = function.arguments(values(self.dtype, bits))
        with along(function.direction(count)):
            whole = reference(
                function.operation, arguments, function.quantity, self.number_type, function.upstream(count)
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
            exact = self.reference(bits[part])
            error[part] = errors_in_ulps(observed[part], exact)
            level[part] = levels(observed[part], exact, error[part])
        return level, error
