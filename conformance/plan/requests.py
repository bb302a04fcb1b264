"""Cases x subjects -> requests: what each worker is asked, in which order, as which bytes."""

from __future__ import annotations

import hashlib
import json
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from conformance.adapters import protocol
from conformance.adapters.base import DEFAULTS
from conformance.arithmetic import to_storage
from conformance.cases.case import Case
from conformance.operations import OPERATIONS, direction

T = TypeVar("T")
#: Inputs of at most this many bytes stay in memory until their group is judged.
SMALL = 1 << 16
#: Bytes of larger inputs, and of what is sent of them, that stay for the next subject.
LARGE = 1 << 23
#: (subject's name, case, dtype, formulation, quantity) -> whether this check belongs to the run.
Wanted = Callable[[str, Case, str, str, str], bool]


@dataclass(eq=False)
class Group:
    """A case in a dtype: the checks that share inputs and exact values, for every formulation and subject.

    together: the formulations that any group with the same `program` asks for; a framework that compiles
    has them all in one.
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
        """The inputs and parameters, rounded to the dtype."""
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
        inputs = {
            one.name: (case.inputs[one.name].shape, one.kind != "floating" and case.inputs[one.name].integral)
            for one in operation.inputs
        }
        axes = len(inputs[operation.inputs[0].name][0])
        parameters: dict[str, object] = {}
        for one in operation.parameters:
            value = case.parameters.get(one.name, one.default)
            if hasattr(value, "integral"):
                value = value.shape
            elif one.kind == "axis" and value is not None and axes:
                value %= axes
            elif one.kind == "real":
                value = bool(value)
            parameters[one.name] = None if one.name == "ignore_index" else value
        gradients = tuple(name for name in case.quantities if name != "value")
        return operation.name, self.dtype, case.label_dtype, *inputs.items(), *parameters.items(), gradients

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
            if "second" in self.case.quantities:
                first = OPERATIONS[self.case.operation].inputs[0].name
                tensors["direction"] = direction(np.shape(self.arguments[first]))
        labels = self.case.label_dtype
        return {name: on_the_wire(value, self.dtype, labels) for name, value in tensors.items()}

    def wire(self) -> Wire:
        """The arrays as every request of the group carries them."""
        return _wires.of(self, self._encode)

    def _encode(self) -> tuple[Wire, int]:
        arrays = self.arrays()
        body = protocol.body_of(array for _, array in arrays.values())
        entries = [{"name": name, "dtype": dtype} for name, (dtype, _) in arrays.items()]
        return Wire(entries, body, hashlib.sha256(body).hexdigest()), len(body)

    def about(self, formulation: str, quantities: tuple[str, ...]) -> dict[str, Any]:
        """What a request for the formulation says of itself."""
        header = {
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
        return header | ({"layouts": dict(self.case.layout)} if self.case.layout else {})

    def key(self, formulation: str, quantities: tuple[str, ...], repetition: int) -> str:
        """A digest of the operation, formulation, dtype, quantities, parameters and every input bit."""
        named = formulation, quantities, repetition
        if named not in self._keys:
            wire = self.wire()
            about = [self.case.id, self.about(formulation, quantities), wire.entries, wire.digest, repetition]
            digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
            self._keys[named] = digest.hexdigest()[:32]
        return self._keys[named]

    def payload(self, index: int, formulation: str, quantities: tuple[str, ...], alone: bool) -> bytes:
        """The frame of the request with this index, which is the same for every subject.

        alone: the formulation is to be compiled without the others.
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
        given = {name: value for name, value in self.arguments.items() if name in self.stated}
        return {name: value for name, value in given.items() if not isinstance(value, np.ndarray)}

    @property
    def stated(self) -> frozenset[str]:
        """The names that the case file itself gives: a default is not sent, so the framework's own holds."""
        return frozenset(self.case.inputs) | frozenset(self.case.parameters)


@dataclass(frozen=True)
class Wire:
    """A group's arrays as its requests carry them: their names and dtypes, their bytes, a digest of those."""

    entries: list[dict[str, str]]
    body: bytes
    digest: str


class _Held(Generic[T]):
    """What is made of groups, for all subjects at once: small things stay, of the large ones the last few."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._small: weakref.WeakKeyDictionary[Group, T] = weakref.WeakKeyDictionary()
        self._large: dict[Group, tuple[T, int]] = {}

    def of(self, group: Group, make: Callable[[], tuple[T, int]]) -> T:
        """What `make` gives for a group (and how many bytes that is); several threads ask for the same."""
        with self._lock:
            if group in self._small:
                return self._small[group]
            if group in self._large:
                return self._large[group][0]
            self._make_room(0)
            made, size = make()
            if size <= SMALL:
                self._small[group] = made
            else:
                self._make_room(size)
                self._large[group] = made, size
            return made

    def _make_room(self, size: int) -> None:
        """Lets the oldest large ones go; what is larger than all that may be kept goes before the next."""
        while self._large and size + sum(held for _, held in self._large.values()) > LARGE:
            del self._large[next(iter(self._large))]

    def drop(self, group: Group) -> None:
        """Lets go of what is held of a group."""
        with self._lock:
            self._small.pop(group, None)
            self._large.pop(group, None)


_arguments: _Held[dict[str, Any]] = _Held()
_wires: _Held[Wire] = _Held()


def on_the_wire(
    array: np.ndarray[Any, Any], dtype: str, labels: str = "int64"
) -> tuple[str, np.ndarray[Any, Any]]:
    """An argument's (wire dtype, storage array): floats in the case's dtype, labels in theirs."""
    if array.dtype.kind != "f":
        return labels, array.astype(labels, copy=False)
    stored = to_storage(array, dtype)
    return dtype, stored.view(np.uint16) if dtype == "bfloat16" else stored


@dataclass(eq=False, slots=True)
class Request:
    """One formulation of a group, asked of one subject: several quantities at once."""

    index: int
    group: Group
    formulation: str
    quantities: tuple[str, ...]
    attempts: int = field(default=0)
    repetition: int = 0

    @property
    def name(self) -> str:
        """The request as a person reads it."""
        return f"{self.group.case.id}[{self.group.dtype}-{self.formulation}]"

    def payload(self, alone: bool = False) -> bytes:
        """The request's frame; `alone` asks that its formulation be compiled without the others."""
        return self.group.payload(self.index, self.formulation, self.quantities, alone)

    @property
    def key(self) -> str:
        """A digest of the operation, formulation, dtype, quantities, parameters and every input bit.

        Not of the id, which says where in this run's plan the request stands: all subjects share it.
        """
        return self.group.key(self.formulation, self.quantities, self.repetition)


@dataclass(frozen=True)
class Plan:
    """The groups of a run and, for each subject, its requests in the order in which it gets them."""

    groups: tuple[Group, ...]
    requests: dict[str, list[Request]]

    def expected(self, group: Group) -> list[tuple[str, Request]]:
        """Every (subject, request) that belongs to a group."""
        return self._by_group.get(group.index, [])

    @cached_property
    def _by_group(self) -> dict[int, list[tuple[str, Request]]]:
        table: dict[int, list[tuple[str, Request]]] = {}
        for subject, requests in self.requests.items():
            for request in requests:
                table.setdefault(request.group.index, []).append((subject, request))
        return table

    @property
    def checks(self) -> int:
        """The number of checks: one for each quantity of each request, however often it is asked."""
        first = [one for requests in self.requests.values() for one in requests if not one.repetition]
        return sum(len(request.quantities) for request in first)


def make(
    cases: Iterable[Case],
    subjects: Sequence[str],
    dtypes: Sequence[str] = (),
    wanted: Wanted | None = None,
    repeat: int = 1,
) -> Plan:
    """The plan of `cases` for the subjects of these names, limited to `dtypes` and `wanted` where given.

    Every request is asked `repeat` times, one after the other.
    """
    groups: list[Group] = []
    requests: dict[str, list[Request]] = {subject: [] for subject in subjects}
    index = 0
    for case in cases:
        for dtype in case.dtypes:
            if dtypes and dtype not in dtypes:
                continue
            group = Group(len(groups), case, dtype)
            used = False
            names = case.quantity_names()
            for formulation in case.formulations:
                for subject in subjects:
                    quantities = tuple(
                        name
                        for name in names
                        if wanted is None or wanted(subject, case, dtype, formulation, name)
                    )
                    if quantities == names:
                        quantities = names  # one tuple for all requests
                    if quantities:
                        requests[subject] += [
                            Request(index + again, group, formulation, quantities, repetition=again)
                            for again in range(repeat)
                        ]
                        used = True
                index += repeat
            if used:
                group.prepare()
                groups.append(group)
    put_together(groups)
    return Plan(tuple(groups), requests)


def put_together(groups: Sequence[Group]) -> None:
    """Says to each group which formulations the groups of its program ask for, whatever their order."""
    asked: dict[tuple[object, ...], set[str]] = {}
    for group in groups:
        asked.setdefault(group.program, set()).update(group.case.formulations)
    for group in groups:
        group.together = tuple(sorted(asked[group.program]))
