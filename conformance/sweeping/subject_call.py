"""Calls of a subject on consecutive inputs, in this process: its adapter without the pipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.base import Adapter, Unavailable
from conformance.adapters.loop import make_adapter
from conformance.adapters.response import failure
from conformance.adapters.user_function import load_function
from conformance.arithmetic.formats import to_storage
from conformance.errors import SubjectError
from conformance.subjects.subject import Subject
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import PAIRS, WIDTH_BITS, floats, input_bits, number_type

Stored = npt.NDArray[Any]

#: The formulations of which the first is asked that the subject has: JAX has no `functional` losses.
FORMULATIONS = ("functional", "composed")


def formulation_of(adapter: Adapter, operation: str) -> str:
    """The formulation in which a subject is asked for an operation."""
    offered = adapter.formulations.get(operation, {})
    return next((name for name in FORMULATIONS if name in offered), FORMULATIONS[0])


class Refusal(Exception):
    """The subject returned no array to judge.

    Attributes:
        status: `unsupported`, `raised` or `wrong`.
        message: Why, in one line.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class AdapterKey:
    """Adapter that a subject needs: hashable, so that a process makes each once.

    Attributes:
        framework: The framework.
        mode: Its mode; None for the default.
        device: Its device; None for the default.
        function: FILE_OR_MODULE:NAME of a user's function; None for the framework's own.
        operation: The operation that the user's function carries out.
    """

    framework: str
    mode: str | None
    device: str | None
    function: str | None
    operation: str | None


def adapter_key(subject: Subject) -> AdapterKey:
    """The adapter of a subject; SubjectError where it needs an interpreter or variables of its own."""
    if subject.version or subject.variant or subject.command or subject.remote:
        raise SubjectError(
            f"subject {subject.name!r}: a sweep calls the framework that its own interpreter has; run it in "
            "an environment with that version, without a pin or variant"
        )
    return AdapterKey(subject.framework, subject.mode, subject.device, subject.function, subject.operation)


@lru_cache(maxsize=4)
def adapter_of(key: AdapterKey) -> Adapter:
    """The adapter, made once in a process; SubjectError where it is not to be had."""
    try:
        adapter = make_adapter(key.framework, key.mode, key.device)
        if key.function is not None:
            adapter.adopt(load_function(key.function), str(key.operation))
    except Unavailable as error:
        raise SubjectError(str(error)) from None
    return adapter


class SubjectCall:
    """Swept function as a subject computes it, so many inputs a call.

    Args:
        key: The subject's adapter.
        function: The swept function.
        inputs: The dtype, or `PAIRS` of one.
        size: How many inputs each call has: compilers compile for one shape.

    Raises:
        Refusal: The subject lacks the formulation or a parameter.
    """

    def __init__(self, key: AdapterKey, function: SweptFunction, inputs: str, size: int) -> None:
        self._adapter = adapter_of(key)
        self._function = function
        self._dtype = dtype = number_type(inputs)
        self._first, self._last = function.domain(inputs)
        self._paired = inputs in PAIRS
        width = np.uint32 if WIDTH_BITS[dtype] == 32 else np.uint16
        self._rows = np.zeros((size, 2), width) if function.of_rows else None
        self._bits_type: Any = np.uint32 if input_bits(inputs) == 32 else np.uint16
        self._steps = np.arange(size, dtype=np.int64).astype(self._bits_type)
        self._fixed = self._fixed_tensors(size)
        request = {
            "operation": function.operation,
            "formulation": formulation_of(self._adapter, function.operation),
            "parameters": function.parameters(),
            "dtype": dtype,
            "quantities": [function.quantity],
        }
        arrays = {function.swept: self._stored(self._steps), **self._fixed}
        try:
            self._call = self._adapter.call(request, arrays)
        except Exception as error:
            raise self._refusal(error) from None

    def _fixed_tensors(self, size: int) -> dict[str, Stored]:
        """The target, the upstream gradient and the direction, as storage arrays."""
        function, quantity = self._function, self._function.quantity
        fixed = {}
        target = function.target_of(size)
        if target is not None:
            fixed["target"] = self._storage(target) if target.dtype.kind == "f" else target
        if quantity != "value":
            fixed["upstream"] = self._storage(function.upstream(size))
        if quantity.startswith("second:"):
            fixed["direction"] = self._storage(function.direction(size))
        return fixed

    def _storage(self, array: npt.NDArray[np.float64]) -> Stored:
        stored = to_storage(array, self._dtype)
        return stored.view(np.uint16) if self._dtype == "bfloat16" else stored

    def _stored(self, bits: npt.NDArray[Any]) -> Stored:
        if self._rows is not None:
            self._rows[:, 0] = bits  # of a pair the lower half
            if self._paired:
                self._rows[:, 1] = bits >> 16
            bits = self._rows
        return bits if self._dtype == "bfloat16" else bits.view(self._dtype)

    def _refusal(self, error: Exception) -> Refusal:
        outcome = failure(self._adapter, error)
        text = outcome["message"].strip().splitlines()
        message = text[0] if text else str(outcome.get("error", ""))
        return Refusal(outcome["status"], message)

    def __call__(self, first: int) -> Stored:
        """What the subject returns for the inputs from these bits on.

        Inputs outside the function's domain are replaced by its first one.

        Returns:
            An array of shape (size, elements): float32, or float64 that holds a half type's numbers.

        Raises:
            Refusal: The subject raised, or returned another shape or dtype.
        """
        bits = np.add(self._steps, first, dtype=self._bits_type, casting="unsafe")
        if first < self._first or first + bits.size - 1 > self._last:
            bits = np.where((bits >= self._first) & (bits <= self._last), bits, self._first)
            bits = bits.astype(self._bits_type)
        try:
            stored, dtype = self._computed(self._stored(bits))
        except Exception as error:
            raise self._refusal(error) from None
        shape = (bits.size, self._function.elements) if self._function.elements > 1 else (bits.size,)
        if dtype != self._dtype or stored.shape != shape:
            raise Refusal(
                "wrong",
                f"returned {dtype} of shape {list(stored.shape)} where {self._dtype} of shape {list(shape)} "
                "is right",
            )
        whole = stored if dtype == "float32" else floats(dtype, stored)
        return whole.reshape(bits.size, self._function.elements)

    def _computed(self, swept: Stored) -> tuple[Stored, str]:
        adapter, dtype = self._adapter, self._dtype
        tensors = {
            name: adapter.load(array, "int64" if array.dtype.kind == "i" else dtype)
            for name, array in {self._function.swept: swept, **self._fixed}.items()
        }
        upstream, direction = tensors.pop("upstream", None), tensors.pop("direction", None)
        kind, _, name = self._function.quantity.partition(":")
        if kind == "second":
            return adapter.store(adapter.second(self._call, tensors, name, upstream, direction))
        wrt = (name,) if kind == "gradient" else ()
        value, gradients = adapter.compute(self._call, tensors, wrt, upstream)
        if wrt and not gradients:
            raise NotImplementedError(f"{adapter.framework} gives no gradients")
        return adapter.store(gradients[0] if wrt else value)
