"""Groups: a case in a dtype, and the bytes as which every subject is asked for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from conformance.adapters import protocol
from conformance.adapters.base import DEFAULTS
from conformance.arithmetic import FORMATS, to_storage
from conformance.cases.case import Case
from conformance.operations import OPERATIONS, direction
from conformance.operations.formula.operation import FormulaOperation
from conformance.plan.build_cache import BuildCache


@dataclass(eq=False)
class Group:
    """A case in a dtype: the checks that share inputs and exact values, for every formulation and subject.

    Attributes:
        index: Its place in the plan; -1: it is no part of it.
        case: The case.
        dtype: One of the case's dtypes.
        together: The formulations that any group with the same `program` asks for; a framework that
            compiles has them all in one.
    """

    index: int
    case: Case
    dtype: str
    together: tuple[str, ...] = ()
    _keys: dict[tuple[str, tuple[str, ...], int], str] = field(default_factory=dict, init=False, repr=False)
    _headers: dict[tuple[int, tuple[str, ...], bool], bytes] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """The inputs and parameters by name, rounded to the dtype: float64 and int64 arrays, scalars."""
        return _arguments.of(self, self._build)

    def prepare(self) -> None:
        """Builds the inputs: CaseError where they cannot be, before anything is run."""
        _arguments.of(self, self._build)

    def _build(self) -> tuple[dict[str, Any], int]:
        arguments = self.case.arguments(self.dtype)
        return arguments, sum(value.nbytes for value in arguments.values() if isinstance(value, np.ndarray))

    @cached_property
    def program(self) -> tuple[object, ...]:
        """What a framework compiles for: all but the numbers in the arrays and of some parameters."""
        case, operation = self.case, OPERATIONS[self.case.operation]
        inputs: dict[str, tuple[tuple[int, ...], bool]] = {}
        for declared in operation.inputs:
            tensor = case.inputs[declared.name]
            inputs[declared.name] = tensor.shape, declared.kind != "floating" and tensor.integral
        axes = len(inputs[operation.inputs[0].name][0])
        parameters: dict[str, object] = {}
        for parameter in operation.parameters:
            value = case.parameters.get(parameter.name, parameter.default)
            if hasattr(value, "integral"):
                value = value.shape
            elif parameter.kind == "axis" and value is not None and axes:
                value %= axes
            elif parameter.kind == "real":
                value = bool(value)
            parameters[parameter.name] = None if parameter.name == "ignore_index" else value
        gradients = tuple(name for name in case.quantity_names() if name != "value")
        dtypes = case.label_dtype, *sorted(case.dtype_of.items())
        return (
            operation.name,
            self.dtype,
            *dtypes,
            case.graph,
            *inputs.items(),
            *parameters.items(),
            gradients,
        )

    @cached_property
    def result_shape(self) -> tuple[int, ...] | None:
        """The value's shape, or None where the case expects an error."""
        if self.case.expect == "error":
            return None
        return OPERATIONS[self.case.operation].result_shape(self.arguments)

    @cached_property
    def flow(self) -> np.ndarray[Any, Any] | None:
        """The upstream gradient; None where the result's shape is unknown."""
        return None if self.result_shape is None else self.case.flow(self.dtype, self.result_shape)

    def arrays(self) -> dict[str, tuple[str, np.ndarray[Any, Any]]]:
        """Every array of the request as (wire dtype, storage array), in the order of the wire."""
        tensors = {name: value for name, value in self.arguments.items() if isinstance(value, np.ndarray)}
        if self.flow is not None:
            tensors["upstream"] = self.flow
            if not {"second", "jvp"}.isdisjoint(self.case.quantities):
                first = OPERATIONS[self.case.operation].inputs[0].name
                tensors["direction"] = direction(np.shape(self.arguments[first]))
        labels, own = self.case.label_dtype, self.case.dtype_of
        return {
            name: _converted(value, own[name]) if name in own else on_the_wire(value, self.dtype, labels)
            for name, value in tensors.items()
        }

    def wire(self) -> Wire:
        """The arrays as every request of the group carries them."""
        return _wires.of(self, self._encode)

    def _encode(self) -> tuple[Wire, int]:
        arrays = self.arrays()
        body = protocol.body_of(array for _, array in arrays.values())
        entries = [{"name": name, "dtype": dtype} for name, (dtype, _) in arrays.items()]
        return Wire(entries, body, hashlib.sha256(body).hexdigest()), len(body)

    def about(self, formulation: str, quantities: tuple[str, ...]) -> dict[str, Any]:
        """The header of a request for the formulation, but for its id and its arrays."""
        header: dict[str, Any] = {
            "kind": "request",
            "operation": self.case.operation,
            "formulation": formulation,
            "dtype": self.dtype,
            "quantities": list(quantities),
            "parameters": self.scalars,
            "formulations": list(self.together or self.case.formulations),
        }
        operation = OPERATIONS[self.case.operation]
        keywords = [item.name for item in operation.parameters if item.kind == "tensor"]
        if not set(keywords) <= set(DEFAULTS):  # tensors of names that an adapter cannot know
            header["keywords"] = keywords
        defaults = {item.name: item.default for item in operation.parameters if item.kind != "tensor"}
        others = {name: value for name, value in defaults.items() if DEFAULTS.get(name, self) != value}
        if isinstance(operation, FormulaOperation) and others:  # which an adapter cannot know either
            header["defaults"] = others
        header |= {"call": self.case.call} if self.case.call != "once" else {}
        header |= {"mixed": True} if self.case.dtype_of else {}
        header |= {"layouts": dict(self.case.layout)} if self.case.layout else {}
        header |= {"graph": self.case.graph} if self.case.graph != "single" else {}
        return header | ({"tracked": "none"} if self.case.tracked == "none" else {})

    def key(self, formulation: str, quantities: tuple[str, ...], repetition: int) -> str:
        """A digest of the operation, formulation, dtype, quantities, parameters and every input bit."""
        asked = formulation, quantities, repetition
        if asked not in self._keys:
            wire = self.wire()
            about = [self.case.id, self.about(formulation, quantities), wire.entries, wire.digest, repetition]
            digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
            self._keys[asked] = digest.hexdigest()[:32]
        return self._keys[asked]

    def payload(self, index: int, formulation: str, quantities: tuple[str, ...], alone: bool) -> bytes:
        """The frame of a request, which is the same for every subject.

        Args:
            index: The request's index.
            formulation: Its formulation.
            quantities: Its quantities.
            alone: Whether the formulation is to be compiled without the others.
        """
        wire, asked = self.wire(), (index, quantities, alone)
        if asked not in self._headers:
            header = {"id": index, **self.about(formulation, quantities), "arrays": wire.entries}
            header |= {"formulations": [formulation]} if alone else {}
            self._headers[asked] = protocol.text_of(header)
        return protocol.joined(self._headers[asked], wire.body)

    def release(self) -> None:
        """The group is judged: its inputs are made again if anybody still asks for them."""
        _arguments.drop(self)
        _wires.drop(self)
        self._headers.clear()
        self.__dict__.pop("flow", None)

    @cached_property
    def scalars(self) -> dict[str, Any]:
        """The parameters that the case states and that are no tensors."""
        arguments = self.arguments
        return {
            name: value
            for name, value in arguments.items()
            if name in self.stated and not isinstance(value, np.ndarray)
        }

    @property
    def stated(self) -> frozenset[str]:
        """The names that the case file itself gives: a default is not sent, so the framework's own holds."""
        return frozenset(self.case.inputs) | frozenset(self.case.parameters)


@dataclass(frozen=True)
class Wire:
    """A group's arrays as its requests carry them.

    Attributes:
        entries: The name and the wire dtype of each array, in order.
        body: Their bytes.
        digest: A digest of the bytes.
    """

    entries: list[dict[str, str]]
    body: bytes
    digest: str


_arguments: BuildCache[Group, dict[str, Any]] = BuildCache()
_wires: BuildCache[Group, Wire] = BuildCache()


def _converted(array: np.ndarray[Any, Any], own: str) -> tuple[str, np.ndarray[Any, Any]]:
    """A tensor of a dtype of its own as (wire dtype, storage array): integral scores, or labels in floats."""
    if own in FORMATS:
        return on_the_wire(array.astype(np.float64, copy=False), own)
    return own, array.astype(own)


def on_the_wire(
    array: np.ndarray[Any, Any], dtype: str, labels: str = "int64"
) -> tuple[str, np.ndarray[Any, Any]]:
    """An argument as (wire dtype, storage array).

    Args:
        array: A float64 or int64 array, rounded to the dtype.
        dtype: The case's dtype, that of floats; bfloat16 is stored as uint16.
        labels: The dtype of labels.
    """
    if array.dtype.kind != "f":
        return labels, array.astype(labels, copy=False)
    stored = to_storage(array, dtype)
    return dtype, stored.view(np.uint16) if dtype == "bfloat16" else stored
