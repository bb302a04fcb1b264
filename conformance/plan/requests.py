"""Plan of a run: cases x subjects -> requests, in which order and as which bytes each worker is asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from conformance.cases.case import Case
from conformance.errors import RunError
from conformance.operations import OPERATIONS, no_operation
from conformance.plan.groups import Group
from conformance.plan.settings import Settings

#: Cases with this tag run only where they are asked for (`--tag large`).
ON_DEMAND_TAG = "large"


class Wanted(Protocol):
    """Choice among checks: a function that says of each whether it belongs to the run."""

    def __call__(self, subject: str, case: Case, dtype: str, formulation: str, quantity: str, /) -> bool:
        """Whether a check belongs to the run.

        Args:
            subject: The subject's name, as ``torch:compile``.
            case: The case.
            dtype: One of the case's dtypes.
            formulation: One of the case's formulations.
            quantity: One of the case's quantities, as ``gradient:logits``.
        """


@dataclass(eq=False, slots=True)
class Request:
    """One formulation of a group, asked of one subject: several quantities at once.

    Attributes:
        index: Its id on the wire: the place in the plan, the same for every subject.
        group: The group.
        formulation: The formulation.
        quantities: What is asked for.
        attempts: How often the process has died of it.
        repetition: How often it has been asked before (`--repeat`).
    """

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
    """All requests of a run.

    Attributes:
        groups: The groups that have requests, by their index.
        requests: For each subject its requests, in the order in which it gets them.
    """

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
        return sum(
            len(request.quantities)
            for requests in self.requests.values()
            for request in requests
            if not request.repetition
        )

    @property
    def next_index(self) -> int:
        """The first index that no request has."""
        return 1 + max((request.index for of in self.requests.values() for request in of), default=0)


def pick(cases: Sequence[Case], settings: Settings) -> list[Case]:
    """The cases that the settings select; those tagged `large` only where they are asked for.

    Raises:
        RunError: An operation or tag does not exist, or no case is selected.
    """
    operations, tags = settings.operations, settings.tags
    large = settings.large or settings.profile == "full"
    for name in operations:
        if name not in OPERATIONS:
            raise RunError(f"--operation {name}: {no_operation(name)}")
    chosen = [
        case
        for case in cases
        if (not operations or case.operation in operations)
        and (not tags or set(tags) & set(case.tags))
        and (large or ON_DEMAND_TAG in tags or ON_DEMAND_TAG not in case.tags)
    ]
    if chosen:
        return chosen
    there = [tag for case in cases for tag in case.tags]
    near = [other for tag in tags for other in difflib.get_close_matches(tag, there, 1) if other != tag]
    hint = f"; did you mean --tag {near[0]}?" if near else ""
    raise RunError(f"no case is left by this selection; `conformance list cases` shows what there is{hint}")


def make(
    cases: Iterable[Case],
    subjects: Sequence[str],
    dtypes: Sequence[str] = (),
    wanted: Wanted | None = None,
    repeat: int = 1,
) -> Plan:
    """The plan of cases for subjects.

    Args:
        cases: The cases, in the order in which they are asked.
        subjects: The names of the subjects.
        dtypes: Only these dtypes; none: all.
        wanted: Which checks belong to the run; None: all.
        repeat: How often every request is asked, one after the other.

    Raises:
        CaseError: The inputs of a case cannot be built.
    """
    groups: list[Group] = []
    requests: dict[str, list[Request]] = {subject: [] for subject in subjects}
    index = 0
    for case in cases:
        names = case.quantity_names()
        for dtype in case.dtypes:
            if dtypes and dtype not in dtypes:
                continue
            group = Group(len(groups), case, dtype)
            has_requests = False
            for formulation in case.formulations:
                for subject in subjects:
                    quantities = _wanted_quantities(names, subject, group, formulation, wanted)
                    if quantities:
                        has_requests = True
                        requests[subject] += [
                            Request(index + repetition, group, formulation, quantities, repetition=repetition)
                            for repetition in range(repeat)
                        ]
                index += repeat
            if has_requests:
                group.prepare()
                groups.append(group)
    put_together(groups)
    return Plan(tuple(groups), requests)


def _wanted_quantities(
    names: tuple[str, ...], subject: str, group: Group, formulation: str, wanted: Wanted | None
) -> tuple[str, ...]:
    """Those of the quantities that belong to the run; `names` itself, one tuple for all, where all do."""
    if wanted is None:
        return names
    chosen = tuple(name for name in names if wanted(subject, group.case, group.dtype, formulation, name))
    return names if chosen == names else chosen


def put_together(groups: Sequence[Group]) -> None:
    """Says to each group which formulations the groups of its program ask for, whatever their order."""
    asked: dict[tuple[object, ...], set[str]] = {}
    for group in groups:
        asked.setdefault(group.program, set()).update(group.case.formulations)
    for group in groups:
        group.together = tuple(sorted(asked[group.program]))
