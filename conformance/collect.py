"""Answers -> rows: judges a group as soon as every subject has answered it, and then lets its arrays go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

from conformance import printed, relations, repeats, results, verdict
from conformance.case import Case, Known
from conformance.deviations import matches
from conformance.identities import Identities
from conformance.messages import Answer
from conformance.observed import Observation, digits, judge_in_steps, observe, sound_ones
from conformance.operations import OPERATIONS, Operation, Reference, Relation
from conformance.plan import Group, Plan
from conformance.row_sums import row_sums
from conformance.subject import Subject, parse
from conformance.tables import Row, Table
from conformance.verdict import Judgement

Floats = npt.NDArray[np.float64]
References = Callable[[Group, str], Reference]

_SWEPT = ("gap", "ulp_error", "ulp_bound", "ulp_attainable")
#: A column beside those of a run's results: the request's place in the plan, by which they are ordered.
REQUEST = "_request"
_TABLES = (
    ("results", {**results.RESULTS, REQUEST: "int64"}),
    ("relations", results.RELATIONS),
    ("sweep", results.SWEEP),
    ("printed", results.PRINTED),
)
#: The source of a relation that nobody need claim.
MATHEMATICS = "mathematics"


@dataclass
class Collector:
    """Takes answers in any order; holds what the frames of a run are made from."""

    plan: Plan
    references: References
    versions: dict[str, str]
    subjects: dict[str, Subject] = field(default_factory=dict)
    on_group: Callable[[Group, list[Row]], None] | None = None
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table(kinds) for name, kinds in _TABLES})
    tallies: dict[tuple[str, ...], relations.EquivalenceTally] = field(default_factory=dict)
    broken: dict[tuple[int, str, str, str], npt.NDArray[np.bool_]] = field(default_factory=dict)
    known_used: dict[Known, bool] = field(default_factory=dict)
    unsteady: Counter[str] = field(default_factory=Counter)
    _open: dict[int, dict[tuple[str, int], Answer]] = field(default_factory=dict)

    @cached_property
    def identities(self) -> Identities:
        """The identities among the plan's cases."""
        return Identities.among(group.case for group in self.plan.groups)

    def add(self, answer: Answer) -> bool:
        """Takes one answer; True when it completed its group, which has then been judged."""
        group = answer.request.group
        answers = self._open.setdefault(group.index, {})
        answers[answer.subject, answer.request.index] = answer
        if len(answers) < len(self.plan.expected(group)):
            return False
        self.finish(group)
        return True

    def finish_all(self) -> None:
        """Judges what there is of the groups that never became complete (an interrupted run)."""
        for group in self.plan.groups:
            if group.index in self._open:
                self.finish(group)

    def finish(self, group: Group) -> None:
        """Judges a group's answers and drops their arrays."""
        answers = sorted(
            self._open.pop(group.index).values(), key=lambda answer: (answer.request.index, answer.subject)
        )
        rows: list[Row] = []
        for quantity in group.case.quantity_names():
            found = [observe(answer, quantity) for answer in answers if quantity in answer.request.quantities]
            if found:
                rows += self._judge(group, quantity, found)
        self.tables["results"].add(rows)
        if self.on_group is not None:
            self.on_group(group, rows)

    def _judge(self, group: Group, quantity: str, found: list[Observation]) -> list[Row]:
        expects_error = group.case.expect == "error"
        for one in found:
            one.judgement = verdict.judge_outcome(one.outcome, expects_error)
        returned = [one for one in found if one.judgement is None]
        if returned:
            reference = self.references(group, quantity)
            sound = sound_ones(returned, reference)
            judge_in_steps(sound, reference)
            sound = [one for one in sound if not one.request.repetition]
            self._compare(group, quantity, sound, reference)
            self._compare_cases(group, quantity, sound, reference)
            self._sum_rows(group, quantity, sound, reference)
            if quantity == "value":
                self._confirm_printed(group, sound)
            if "frontier" in group.case.tags and quantity == "value":
                self._record_sweep(group, sound, reference)
        first = [one for one in found if not one.request.repetition]
        self._relate_errors(group, quantity, first)
        if len(first) < len(found):
            first = [self._worst(one, found) for one in first]
        about = _about(group.case)
        return [about | self._row(group, quantity, one) for one in first]

    def _worst(self, one: Observation, found: Sequence[Observation]) -> Observation:
        """The observation that stands for all repeats of a check."""
        mine = (one.subject, one.request.formulation)
        again = [other for other in found if (other.subject, other.request.formulation) == mine]
        worst, unsteady = repeats.worst(one, [other for other in again if other is not one])
        self.unsteady[one.subject] += unsteady
        return worst

    def _row(self, group: Group, quantity: str, one: Observation) -> Row:
        """What a row says of an observation, beside what it says of the case."""
        judgement = one.judgement
        assert judgement is not None
        judgement = _without_warning(group.case, quantity, one, judgement)
        conforms = verdict.conforms(judgement.verdict)
        returned = one.values is not None
        return {
            "formulation": one.request.formulation,
            "quantity": quantity,
            "dtype": group.dtype,
            "subject": one.subject,
            "framework_version": self.versions.get(one.subject, ""),
            "verdict": judgement.verdict,
            "conforms": conforms,
            "ulp_error": judgement.ulp_error,
            "ulp_bound": judgement.ulp_bound,
            "ulp_attainable": judgement.ulp_attainable,
            "observed": "" if judgement.observed is None else digits(judgement.observed, group.dtype),
            "exact": judgement.exact,
            "worst_index": "" if judgement.worst_index is None else str(list(judgement.worst_index)),
            "known": "" if conforms is None else self._known(group, quantity, one, conforms),
            "message": judgement.message,
            "framework": self._subject(one.subject).framework,
            "textbook": one.request.formulation in OPERATIONS[group.case.operation].textbook,
            "ratio": judgement.ratio,
            "elements": math.prod(one.shape) if returned else 0,
            "shape": str(list(one.shape)) if returned else "",
            "bits": one.bits,
            REQUEST: one.request.index,
        }

    def _known(self, group: Group, quantity: str, one: Observation, conforms: bool) -> str:
        names = dict.fromkeys((one.subject, self._subject(one.subject).unpinned))
        check = group.dtype, one.request.formulation, quantity, self.versions.get(one.subject, "")
        for known in group.case.known:
            if any(matches(known, name, *check) for name in names):
                self.known_used[known] = self.known_used.get(known, False) or not conforms
                if not conforms:
                    return f"{known.reason} ({known.source})"
        return ""

    def _subject(self, name: str) -> Subject:
        if name not in self.subjects:
            self.subjects[name] = parse(name)
        return self.subjects[name]

    def _compare(self, group: Group, quantity: str, sound: list[Observation], reference: Reference) -> None:
        """Every relation inside each subject, then each pair of subjects on the same formulation."""
        values = {one.bits: one.values for one in sound if one.values is not None}
        related = list(_related(OPERATIONS[group.case.operation], sound))
        paired = list(_paired(sound))
        sides = [(sound[left].bits, sound[right].bits) for _, left, right in related]
        sides += [(sound[left].bits, sound[right].bits) for left, right in paired]
        found = relations.distances(values, sides, reference)
        apart = [found[pair] for pair in sides]
        for (relation, left, right), distance in zip(related, apart, strict=False):
            self._relate(group, quantity, relation, (sound[left], sound[right]), distance)
            if distance.beyond and "frontier" in group.case.tags and quantity == "value":
                ways = sound[left].request.formulation, sound[right].request.formulation
                observed = [values[sound[place].bits] for place in (left, right)]
                ulps = relations.elementwise(observed[0], observed[1], reference)
                self.broken[group.index, sound[left].subject, *ways] = ulps > relations.granted(reference)
        for (left, right), distance in zip(paired, apart[len(related) :], strict=True):
            a, b = sound[left], sound[right]
            way = a.request.formulation
            self.tallies.setdefault(
                (group.case.operation, way, quantity, group.dtype, a.subject, b.subject),
                relations.EquivalenceTally(),
            ).add(distance, group.case.id)

    def _relate(
        self,
        group: Group,
        quantity: str,
        relation: Relation,
        sides: tuple[Observation, Observation],
        apart: relations.Distance,
    ) -> None:
        left, right = (one.request.formulation for one in sides)
        textbook = left in OPERATIONS[group.case.operation].textbook
        subject = sides[0].subject
        row = _relation_row(group, quantity, subject, relation.name, left, right, apart.judgement)
        row |= {"distance": apart.largest, "allowed": apart.allowed, "textbook": textbook}
        self.tables["relations"].add([row])

    def _compare_cases(
        self, group: Group, quantity: str, sound: list[Observation], reference: Reference
    ) -> None:
        observed = {
            (one.subject, one.request.formulation): one.values for one in sound if one.values is not None
        }
        for found in self.identities.note(group.case, group.dtype, quantity, observed, reference):
            apart, formulation = found["apart"], found["formulation"]
            row = _relation_row(
                group,
                quantity,
                found["subject"],
                found["relation"],
                formulation,
                formulation,
                apart.judgement,
            )
            textbook = formulation in OPERATIONS[group.case.operation].textbook
            row |= {"case": found["case"].id, "source": found["case"].source}
            row |= {"distance": apart.largest, "allowed": apart.allowed, "textbook": textbook}
            self.tables["relations"].add([row | {"message": f"with {found['other']}"}])

    def _sum_rows(self, group: Group, quantity: str, sound: list[Observation], reference: Reference) -> None:
        operation = OPERATIONS[group.case.operation]
        sums = row_sums(operation.name, group.arguments, quantity, reference)
        found: dict[str, relations.Distance] = {}
        for one in sound if sums is not None else ():
            assert sums is not None
            assert one.values is not None
            if one.bits not in found:
                found[one.bits] = sums.judge(one.values)
            apart, left = found[one.bits], one.request.formulation
            row = _relation_row(
                group, quantity, one.subject, sums.relation, left, f"{sums.right:g}", apart.judgement
            )
            row |= {"source": MATHEMATICS, "textbook": left in operation.textbook}
            self.tables["relations"].add([row | {"distance": apart.largest, "allowed": apart.allowed}])

    def _relate_errors(self, group: Group, quantity: str, found: list[Observation]) -> None:
        """A relation is broken where one side raises and the other answers."""
        operation = OPERATIONS[group.case.operation]
        by_subject: dict[str, dict[str, str]] = {}
        for one in found:
            if one.outcome["status"] in ("returned", "raised"):
                by_subject.setdefault(one.subject, {})[one.request.formulation] = one.outcome["status"]
        for subject, states in by_subject.items():
            for relation, left, right in relations.pairs(operation, tuple(states)):
                if states[left] == states[right] == "returned":
                    continue
                same = states[left] == states[right]
                row = _relation_row(
                    group, quantity, subject, relation.name, left, right, "identical" if same else "broken"
                )
                message = "" if same else f"{left} {states[left]}, {right} {states[right]}"
                textbook = left in operation.textbook
                row |= {"distance": None, "allowed": None, "textbook": textbook, "message": message}
                self.tables["relations"].add([row])

    def _confirm_printed(self, group: Group, sound: list[Observation]) -> None:
        if group.case.printed is None or group.dtype != printed.DTYPE:
            return
        for one in sound:
            assert one.values is not None
            figure, confirmed = printed.confirm(group.case, one.values)
            row = {
                "case": group.case.id,
                "source": group.case.source,
                "printed": figure,
                "exact": printed.show(self.references(group, "value").rounded, group.case),
                "subject": one.subject,
                "formulation": one.request.formulation,
                "observed": printed.show(one.values, group.case),
                "confirmed": confirmed,
            }
            self.tables["printed"].add([row])

    def _record_sweep(self, group: Group, sound: list[Observation], reference: Reference) -> None:
        gaps = sweep_axis(group)
        for one in sound:
            assert one.values is not None
            error = verdict.errors_in_ulps(one.values, reference).reshape(len(gaps), -1)
            worst = error.argmax(axis=1)
            rows = np.arange(len(gaps))
            bound = reference.bound.reshape(len(gaps), -1)[rows, worst]
            attainable = reference.attainable.reshape(len(gaps), -1)[rows, worst]
            about = {
                "case": group.case.id,
                "operation": group.case.operation,
                "formulation": one.request.formulation,
                "quantity": "value",
                "dtype": group.dtype,
                "subject": one.subject,
            }
            figures = zip(
                *(part.tolist() for part in (gaps, error[rows, worst], bound, attainable)), strict=True
            )
            self.tables["sweep"].add(about | dict(zip(_SWEPT, row, strict=True)) for row in figures)


def _related(operation: Operation, sound: Sequence[Observation]) -> Iterator[tuple[Relation, int, int]]:
    """The relations inside each subject, with the places of both sides in `sound`."""
    by_subject: dict[str, dict[str, int]] = {}
    for place, one in enumerate(sound):
        by_subject.setdefault(one.subject, {})[one.request.formulation] = place
    for places in by_subject.values():
        for relation, left, right in relations.pairs(operation, tuple(places)):
            yield relation, places[left], places[right]


def _paired(sound: Sequence[Observation]) -> Iterator[tuple[int, int]]:
    """The places in `sound` of each two subjects that answered by the same formulation, in their order."""
    by_formulation: dict[str, list[int]] = {}
    for place, one in enumerate(sound):
        by_formulation.setdefault(one.request.formulation, []).append(place)
    for places in by_formulation.values():
        yield from combinations(sorted(places, key=lambda place: sound[place].subject), 2)


def sweep_axis(group: Group) -> Floats:
    """The logit gap of each row of a sweep: the largest magnitude of the row of its first input."""
    first = np.asarray(group.arguments[OPERATIONS[group.case.operation].inputs[0].name], np.float64)
    gaps: Floats = np.abs(first.reshape(first.shape[0], -1)).max(axis=1)
    return gaps


def _about(case: Case) -> Row:
    """What every row of a case says of it."""
    return {
        "case": case.id,
        "operation": case.operation,
        "source": case.source,
        "file": case.file,
        "line": case.line,
        "tags": ";".join(case.tags),
        "why": case.why,
    }


def _without_warning(case: Case, quantity: str, one: Observation, judgement: Judgement) -> Judgement:
    """A case that expects a warning is not met by silence."""
    silent = case.warns and quantity == "value" and one.outcome["status"] == "returned"
    if silent and not one.outcome["warnings"]:
        return Judgement("wrong", "returned without the warning that is right")
    return judgement


def _relation_row(
    group: Group, quantity: str, subject: str, relation: str, left: str, right: str, judgement: str
) -> Row:
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
        "message": "",
        "source": group.case.source,
    }
