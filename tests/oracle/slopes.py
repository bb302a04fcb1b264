"""Gradients of any of the definitions: slopes between two close inputs, at thousands of bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp, mpf

from oracle.values import Array, number, zeros

#: The distance is 2 to minus this: the slope is right to about twice as many bits.
STEP_BITS = 180
#: Bits of both values, enough for slopes of exp(-1000) beside values of 1000.
PRECISION_BITS = 4000


def slopes(value: Callable[..., Array], names: tuple[str, ...], name: str) -> Callable[..., Array]:
    """The gradient of the sum of a value's elements with respect to one of its arrays.

    Args:
        value: The definition, of inputs by position and parameters by name.
        names: What its inputs are called.
        name: The input or parameter.
    """

    def gradient(*inputs: Array, **parameters: Any) -> Array:
        given = dict(zip(names, inputs, strict=True)) | parameters

        def total(array: Array) -> mpf:
            at = given | {name: array}
            rest = {key: item for key, item in at.items() if key not in names}
            return sum(value(*(at[key] for key in names), **rest).flat, mpf(0))

        out = zeros(np.shape(given[name]))
        with mp.workprec(max(mp.prec, PRECISION_BITS)):
            step = mpf(2) ** -STEP_BITS
            for index in np.ndindex(out.shape):
                ends = [np.array(given[name], dtype=object) for _ in (1, -1)]
                for end, sign in zip(ends, (1, -1), strict=True):
                    end[index] = number(given[name][index]) + sign * step
                out[index] = (total(ends[0]) - total(ends[1])) / (2 * step)
        return out

    return gradient
