"""Cases x subjects -> requests: what each worker is asked, in which order, as which bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from conformance.adapters import protocol
from conformance.arithmetic import to_storage
from conformance.case import Case
from conformance.operations import OPERATIONS, upstream

#: (subject's name, case, dtype, formulation, quantity) -> whether this check belongs to the run.
Wanted = Callable[[str, Case, str, str, str], bool]


@dataclass(eq=False)
class Group:
    """A case in a dtype: the checks that share inputs and exact values, for every formulation and subject."""

    index: int
    case: Case
    dtype: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The inputs and parameters, rounded to the dtype."""
        return _latest.of(self)

    @cached_property
    def result_shape(self) -> tuple[int, ...] | None:
        """The value's shape, or None where the case expects an error."""
        if self.case.expect == "error":
            return None
        return OPERATIONS[self.case.operation].result_shape(self.arguments)

    def upstream(self) -> np.ndarray[Any, Any] | None:
        """The gradient that flows into the result; None where the result's shape is unknown."""
        return None if self.result_shape is None else upstream(self.result_shape)

    def arrays(self) -> dict[str, tuple[str, np.ndarray[Any, Any]]]:
        """Every array of the request as (wire dtype, storage array), in the order of the wire."""
        tensors = {name: value for name, value in self.arguments.items() if isinstance(value, np.ndarray)}
        flow = self.upstream()
        if flow is not None:
            tensors["upstream"] = flow
        labels = self.case.label_dtype
        return {name: on_the_wire(value, self.dtype, labels) for name, value in tensors.items()}

    def scalars(self) -> dict[str, Any]:
        """The parameters that the case states and that are no tensors."""
        given = {name: value for name, value in self.arguments.items() if name in self.stated}
        return {name: value for name, value in given.items() if not isinstance(value, np.ndarray)}

    @property
    def stated(self) -> frozenset[str]:
        """The names that the case file itself gives: a default is not sent, so the framework's own holds."""
        return frozenset(self.case.inputs) | frozenset(self.case.parameters)


class _Latest:
    """The arguments of the group that was asked for last: large ones take seconds to make."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Group, dict[str, Any]] | None = None

    def of(self, group: Group) -> dict[str, Any]:
        """A group's arguments; several workers' threads ask for the same ones at once."""
        with self._lock:
            if self._held is None or self._held[0] is not group:
                self._held = None
                self._held = (group, group.case.arguments(group.dtype))
            return self._held[1]


_latest = _Latest()


def on_the_wire(
    array: np.ndarray[Any, Any], dtype: str, labels: str = "int64"
) -> tuple[str, np.ndarray[Any, Any]]:
    """An argument's (wire dtype, storage array): floats in the case's dtype, labels in theirs."""
    if array.dtype.kind != "f":
        return labels, array.astype(labels, copy=False)
    stored = to_storage(array, dtype)
    return dtype, stored.view(np.uint16) if dtype == "bfloat16" else stored


@dataclass(eq=False)
class Request:
    """One formulation of a group, asked of one subject: several quantities at once."""

    index: int
    group: Group
    formulation: str
    quantities: tuple[str, ...]
    attempts: int = field(default=0)

    @property
    def name(self) -> str:
        """The request as a person reads it."""
        return f"{self.group.case.id}[{self.group.dtype}-{self.formulation}]"

    def payload(self) -> bytes:
        """The request's frame."""
        arrays = self.group.arrays()
        header = {
            "kind": "request",
            "id": self.index,
            "operation": self.group.case.operation,
            "formulation": self.formulation,
            "dtype": self.group.dtype,
            "quantities": list(self.quantities),
            "parameters": self.group.scalars(),
            "arrays": [{"name": name, "dtype": dtype} for name, (dtype, _) in arrays.items()],
        }
        if self.group.case.layout:
            header["layouts"] = dict(self.group.case.layout)
        return protocol.encode(header, {name: array for name, (_, array) in arrays.items()})

    def key(self) -> str:
        """A digest of the operation, formulation, dtype, quantities, parameters and every input bit."""
        header_and_body = self.payload()
        # The id says where in this run's plan the request stands; another plan may hold the same request.
        neutral = header_and_body.replace(f'"id":{self.index},'.encode(), b'"id":0,', 1)
        return hashlib.sha256(neutral[16:] + self.group.case.id.encode()).hexdigest()[:32]


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
        """The number of checks: one for each quantity of each request."""
        return sum(len(request.quantities) for requests in self.requests.values() for request in requests)


def make(
    cases: Iterable[Case],
    subjects: Sequence[str],
    dtypes: Sequence[str] = (),
    wanted: Wanted | None = None,
) -> Plan:
    """The plan of `cases` for the subjects of these names, limited to `dtypes` and `wanted` where given."""
    groups: list[Group] = []
    requests: dict[str, list[Request]] = {subject: [] for subject in subjects}
    index = 0
    for case in cases:
        for dtype in case.dtypes:
            if dtypes and dtype not in dtypes:
                continue
            group = Group(len(groups), case, dtype)
            used = False
            for formulation in case.formulations:
                names = case.quantity_names(dtype)
                for subject in subjects:
                    quantities = tuple(
                        name
                        for name in names
                        if wanted is None or wanted(subject, case, dtype, formulation, name)
                    )
                    if quantities:
                        requests[subject].append(Request(index, group, formulation, quantities))
                        used = True
                index += 1
            if used:
                groups.append(group)
    return Plan(tuple(groups), requests)
