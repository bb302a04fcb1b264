"""Relations and equivalences of a run: the rows of relations.csv, the tallies of equivalence.csv."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

from conformance.cases.case import Case
from conformance.cases.value_classes import VALUE_CLASSES, value_class
from conformance.judging.breakpoints import Broken, is_sweep
from conformance.judging.case_identities import Identities
from conformance.judging.formulation_relations import (
    Distance,
    EquivalenceTally,
    allowed_distances,
    distances,
    element_distances,
    relation_sides,
)
from conformance.judging.invariance import Invariance
from conformance.judging.observation import Observation, distinct_values
from conformance.judging.row_sums import row_sums
from conformance.operations import OPERATIONS, Operation, Reference, Relation
from conformance.plan.groups import Group
from conformance.results import run
from conformance.results.row_buffers import Row, Table

#: The source of a relation that nobody need claim.
MATHEMATICS = "mathematics"
#: What a framework recommends: its own function, else what its users compose.
RECOMMENDED = ("functional", "composed")
#: The columns that name a pair of subjects on a formulation.
_PAIR = ("operation", "formulation", "quantity", "dtype", "subject_a", "subject_b")


class RelationTable:
    """Relations inside each subject, and tallies of each pair of subjects, as groups are judged.

    Args:
        cases: The cases of the run, among which there may be identities.

    Attributes:
        rows: The rows of relations.csv.
        broken: Where relations between formulations broke in sweeps.
        invariance: Whether results keep their bits.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self.rows = Table(run.RELATIONS)
        self.broken: Broken = {}
        self.invariance = Invariance()
        self._identities = Identities.among(cases)
        self._tallies: defaultdict[tuple[str, ...], EquivalenceTally] = defaultdict(EquivalenceTally)

    def add(
        self, group: Group, quantity: str, observations: Sequence[Observation], reference: Reference
    ) -> None:
        """Relates what was returned for a quantity of a group.

        Args:
            group: The group.
            quantity: The quantity.
            observations: Of the reference's shape and dtype, without repeats.
            reference: The quantity's exact value and bounds.
        """
        self._relate_observations(group, quantity, observations, reference)
        self._relate_cases(group, quantity, observations, reference)
        self._relate_row_sums(group, quantity, observations, reference)

    def add_errors(self, group: Group, quantity: str, observations: Sequence[Observation]) -> None:
        """Relates formulations of which one raised: it is broken where the other answers.

        Args:
            group: The group.
            quantity: The quantity.
            observations: All observations of it, without repeats.
        """
        operation = OPERATIONS[group.case.operation]
        by_subject: dict[str, dict[str, str]] = {}
        for each in observations:
            if each.outcome["status"] in ("returned", "raised"):
                by_subject.setdefault(each.subject, {})[each.request.formulation] = each.outcome["status"]
        for subject, status in by_subject.items():
            for relation, left, right in relation_sides(operation, tuple(status)):
                if status[left] == status[right] == "returned":
                    continue
                same = status[left] == status[right]
                message = "" if same else f"{left} {status[left]}, {right} {status[right]}"
                judgement = "identical" if same else "broken"
                row = _row(group, quantity, subject, relation.name, (left, right), judgement)
                self.rows.add([row | {"message": message}])

    def equivalences(self) -> list[Row]:
        """The rows of equivalence.csv."""
        return [
            dict(zip(_PAIR, pair, strict=True))
            | {
                "checks": tally.checks,
                "identical": tally.identical,
                "share_identical": tally.identical / tally.checks,
                "largest_distance": tally.largest,
                "beyond_bounds": tally.beyond,
                "worst_case": tally.worst_case,
            }
            | _by_class(tally)
            for pair, tally in sorted(self._tallies.items())
        ]

    def _relate_observations(
        self, group: Group, quantity: str, observations: Sequence[Observation], reference: Reference
    ) -> None:
        """Every relation inside each subject, then each pair of subjects on the same formulation."""
        related = list(_related(OPERATIONS[group.case.operation], observations))
        paired = list(_paired(observations))
        bits = [(left.bits, right.bits) for _, left, right in related]
        recommended = list(_recommended(observations))
        bits += [(left.bits, right.bits) for left, right in (*paired, *recommended)]
        values = value_class(group.case.operation, group.arguments) if paired or recommended else ""
        measured = distances(distinct_values(observations), bits, reference)
        for relation, left, right in related:
            distance = measured[left.bits, right.bits]
            sides = left.request.formulation, right.request.formulation
            row = _measured_row(group, quantity, left.subject, relation.name, sides, distance)
            self.rows.add([row])
            if distance.beyond and is_sweep(group, quantity):
                assert left.values is not None
                assert right.values is not None
                ulps = element_distances(left.values, right.values, reference)
                beyond = ulps > allowed_distances(reference)
                self.broken[group.index, left.subject, *sides] = beyond
        for left, right in paired:
            about = group.case.operation, left.request.formulation, quantity, group.dtype
            tally = self._tallies[*about, left.subject, right.subject]
            tally.add(measured[left.bits, right.bits], group.case.id, values)
        for left, right in recommended:
            both = f"{left.request.formulation} and {right.request.formulation}"
            about = group.case.operation, both, quantity, group.dtype
            tally = self._tallies[*about, left.subject, right.subject]
            tally.add(measured[left.bits, right.bits], group.case.id, values)

    def _relate_cases(
        self, group: Group, quantity: str, observations: Sequence[Observation], reference: Reference
    ) -> None:
        observed = {
            (each.subject, each.request.formulation): each.values
            for each in observations
            if each.values is not None
        }
        for result in self._identities.add(group.case, group.dtype, quantity, observed, reference):
            self.invariance.add(result, quantity, group.dtype)
            sides = result.formulation, result.formulation
            row = _measured_row(group, quantity, result.subject, result.relation, sides, result.distance)
            # The row is the stating case's, whichever of the two has been judged last.
            stating = OPERATIONS[result.case.operation]
            row |= {"case": result.case.id, "source": result.case.source, "operation": stating.name}
            row |= {"textbook": result.formulation in stating.textbook, "message": f"with {result.other}"}
            self.rows.add([row])

    def _relate_row_sums(
        self, group: Group, quantity: str, observations: Sequence[Observation], reference: Reference
    ) -> None:
        sums = row_sums(group.case.operation, group.arguments, quantity, reference)
        values = distinct_values(observations)
        if sums is None or not values:
            return
        measured = dict(zip(values, sums.judge(list(values.values())), strict=True))
        for each in observations:
            sides = each.request.formulation, f"{sums.right:g}"
            distance = measured[each.bits]
            row = _measured_row(group, quantity, each.subject, sums.relation, sides, distance)
            self.rows.add([row | {"source": MATHEMATICS}])


def _related(
    operation: Operation, observations: Sequence[Observation]
) -> Iterator[tuple[Relation, Observation, Observation]]:
    """The relations inside each subject, with the observations of both sides."""
    by_subject: dict[str, dict[str, Observation]] = {}
    for each in observations:
        by_subject.setdefault(each.subject, {})[each.request.formulation] = each
    for by_formulation in by_subject.values():
        for relation, left, right in relation_sides(operation, tuple(by_formulation)):
            yield relation, by_formulation[left], by_formulation[right]


def _paired(observations: Sequence[Observation]) -> Iterator[tuple[Observation, Observation]]:
    """Each two subjects that answered by the same formulation, in the order of their names."""
    by_formulation: dict[str, list[Observation]] = {}
    for each in observations:
        by_formulation.setdefault(each.request.formulation, []).append(each)
    for of_formulation in by_formulation.values():
        yield from combinations(sorted(of_formulation, key=lambda each: each.subject), 2)


def _recommended(observations: Sequence[Observation]) -> Iterator[tuple[Observation, Observation]]:
    """Each two subjects whose recommended formulations differ (`RECOMMENDED`)."""
    by_subject: dict[str, dict[str, Observation]] = {}
    for each in observations:
        by_subject.setdefault(each.subject, {})[each.request.formulation] = each
    chosen = [
        next((answers[name] for name in RECOMMENDED if name in answers), None)
        for _, answers in sorted(by_subject.items())
    ]
    for left, right in combinations([each for each in chosen if each is not None], 2):
        if left.request.formulation != right.request.formulation:
            yield left, right


def _by_class(tally: EquivalenceTally) -> Row:
    """For each value class: how many checks, how many beyond, and their distances' percentiles, in ulps."""
    row: Row = {}
    for name in VALUE_CLASSES:
        measured, beyond = tally.by_class.get(name, ([], 0))
        ordered = sorted(measured)
        figures = [
            ordered[math.ceil(share * len(ordered)) - 1] if ordered else None for share in (0.5, 0.99, 1)
        ]
        row[f"{name}_checks"], row[f"{name}_beyond"] = len(measured), beyond
        row |= dict(zip((f"{name}_median", f"{name}_p99", f"{name}_largest"), figures, strict=True))
    return row


def _measured_row(
    group: Group, quantity: str, subject: str, relation: str, sides: tuple[str, str], distance: Distance
) -> Row:
    row = _row(group, quantity, subject, relation, sides, distance.judgement)
    return row | {"distance": distance.largest, "allowed": distance.allowed}


def _row(
    group: Group, quantity: str, subject: str, relation: str, sides: tuple[str, str], judgement: str
) -> dict[str, Any]:
    """A row of relations.csv for a relation without a distance."""
    left, right = sides
    return {
        "case": group.case.id,
        "relation": relation,
        "operation": group.case.operation,
        "quantity": quantity,
        "dtype": group.dtype,
        "subject": subject,
        "left": left,
        "right": right,
        "judgement": judgement,
        "distance": None,
        "allowed": None,
        "textbook": left in OPERATIONS[group.case.operation].textbook,
        "message": "",
        "source": group.case.source,
    }
