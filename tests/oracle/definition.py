"""Every operation and its gradient, written out from the definition in mpmath: plain loops, no cleverness.

Inputs are NumPy arrays, taken at the exact values that they hold: finite, or -inf where a row keeps a
finite entry. Results are object arrays of mpmath numbers, right to 400 bits and more. Gradients are for an
upstream gradient of ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from merged_tables import merged, modules_of
from mpmath import mp

import oracle
from oracle.calls import Call, Rng
from oracle.values import Array

_MODULES = tuple(modules_of(oracle, without=("definition",)))

VALUES: dict[str, Callable[..., Array]] = merged(_MODULES, "VALUES")
GRADIENTS: dict[tuple[str, str], Callable[..., Array]] = merged(_MODULES, "GRADIENTS")
MAKERS: dict[str, Callable[[Rng], Call]] = merged(_MODULES, "MAKERS")


def random_calls(count: int, seed: int) -> Iterator[Call]:
    """As many calls, the same for ever, each operation in its turn."""
    rng = np.random.Generator(np.random.PCG64(seed))
    makers = [*MAKERS.values(), MAKERS["cross_entropy"]]  # which has the most parameters
    for i in range(count):
        call = makers[i % len(makers)](rng)
        factors = tuple(name for name in ("weight", "pos_weight") if name in call.parameters)
        yield replace(call, gradients=call.gradients + factors)


def value(operation: str, inputs: tuple[Array, ...], parameters: dict[str, Any]) -> Array:
    """The operation's result."""
    with mp.workprec(precision(inputs)):
        return VALUES[operation](*inputs, **parameters)


def gradient(operation: str, name: str, inputs: tuple[Array, ...], parameters: dict[str, Any]) -> Array:
    """The derivative of the sum of the result's elements with respect to each element of the named array."""
    with mp.workprec(precision(inputs)):
        return GRADIENTS[operation, name](*inputs, **parameters)


def precision(inputs: tuple[Array, ...]) -> int:
    """Bits enough for 1 + exp(-2 max |x|), and for 1 - min |x|, to keep 512 of their second terms."""
    sizes = np.concatenate([np.abs(x.astype(np.float64)).ravel() for x in inputs])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return 512 + 3 * int(np.ceil(sizes.max(initial=1.0))) - int(np.floor(np.log2(sizes.min(initial=1.0))))
