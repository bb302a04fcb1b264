"""An adapter of a third party that computes softmax rightly, and misbehaves where its mode says so.

What a formulation, or a user's function, can do to the worker that calls it; the worker itself is ours.
"""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.adapters.base import Adapter

TRIGGER = 666.0
CALLS = itertools.count()


def prints(x: Any) -> Any:
    """To every standard stream, by Python and past it."""
    print("epoch 1: loss 0.7")
    os.write(1, b"CFM1 from C\n")
    sys.stderr.write("warning: no GPU\n")
    return right(x)


def takes_the_streams(x: Any) -> Any:
    """Closes and replaces the standard streams."""
    for descriptor in (0, 1):
        os.close(descriptor)
    sys.stdout = sys.stderr = sys.stdin = None  # type: ignore[assignment]
    return right(x)


def closes_everything(x: Any) -> Any:
    """Closes every descriptor, the worker's own among them."""
    os.closerange(3, 256)
    return right(x)


def makes_warnings_errors(x: Any) -> Any:
    """For itself, and, if nobody minds, for every check that follows."""
    warnings.simplefilter("error")
    warnings.showwarning = None  # type: ignore[assignment]
    return right(x)


def raises(error: Callable[[], BaseException]) -> Callable[[Any], Any]:
    """Raises what `error` makes."""

    def function(x: Any) -> Any:
        raise error()

    return function


def recurses(x: Any) -> Any:
    """For ever."""
    return recurses(x)


def flickers(x: Any) -> Any:
    """The last bit of the first element is another one each time."""
    result = right(x)
    result[..., 0] = np.nextafter(result[..., 0], np.float32(next(CALLS) % 2))
    return result


def flickers_into_nan(x: Any) -> Any:
    """Right twice, then nan."""
    return right(x) if next(CALLS) % 3 < 2 else right(x) * np.float32("nan")


def flickers_into_an_error(x: Any) -> Any:
    """Right, then an error."""
    if next(CALLS) % 2:
        raise RuntimeError("out of luck")
    return right(x)


def right(x: Any) -> Any:
    """Softmax; a warning on the way, as frameworks like to give."""
    warnings.warn("deprecated since the beginning", DeprecationWarning, stacklevel=2)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype(x.dtype)


MODES: dict[str, Callable[[Any], Any]] = {
    "right": right,
    "prints": prints,
    "takes_the_streams": takes_the_streams,
    "closes_everything": closes_everything,
    "makes_warnings_errors": makes_warnings_errors,
    "exits": raises(lambda: SystemExit(0)),
    "is_interrupted": raises(KeyboardInterrupt),
    "raises_a_base_exception": raises(lambda: BaseException("out of the way")),
    "raises_odd_text": raises(lambda: ValueError("caf\udce9 \x1b[2J\x00")),
    "raises_what_cannot_be_shown": raises(type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})),
    "recurses": recurses,
    "spins": lambda x: [None for _ in iter(int, 1)],
    "returns_none": lambda x: None,
    "returns_a_text": lambda x: "0.7",
    "returns_objects": lambda x: np.array([None, {}, x], dtype=object),
    "returns_ragged_lists": lambda x: [[1.0], [2.0, 3.0]],
    "needs_memory": lambda x: np.ones(1 << 34),
    "flickers": flickers,
    "flickers_into_nan": flickers_into_nan,
    "flickers_into_an_error": flickers_into_an_error,
}


class Hostile(Adapter):
    """NumPy arrays as they are; the mode names the fault."""

    framework = "hostile"
    modes = tuple(MODES)

    def __init__(self, mode: str | None = None, device: str | None = None) -> None:
        super().__init__(mode, device)
        self.formulations = {"softmax": {"functional": lambda x, axis=-1: self.softmax(x)}}

    def softmax(self, x: Any) -> Any:
        """The mode's fault on the case that triggers it; the right answer on the others."""
        strikes = self.mode.startswith("flickers") or x.reshape(-1)[0] == TRIGGER
        return MODES[self.mode](x) if strikes else right(x)

    def load(self, array: Any, dtype: str) -> Any:
        return array

    def store(self, result: Any) -> tuple[Any, str]:
        return result, result.dtype.name

    def compute(self, call: Any, tensors: Any, wrt: Any, upstream: Any) -> tuple[Any, Any]:
        return call(tensors), ()

    def describe(self) -> dict[str, Any]:
        return {"version": "0"}
