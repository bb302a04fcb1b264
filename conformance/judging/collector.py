"""Answers -> rows: judges a group as soon as every subject has answered it, and then lets its arrays go."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

from conformance.cases import published_figures
from conformance.cases.case import Case
from conformance.cases.deviations import Check, Ledger
from conformance.judging import formulation_relations, repeatability, verdict
from conformance.judging.case_identities import Identities
from conformance.judging.observation import Observation, digits, judge_in_steps, observe, sound_ones
from conformance.judging.row_sums import row_sums
from conformance.judging.verdict import Judgement
from conformance.operations import OPERATIONS, Operation, Reference, Relation
from conformance.plan.events import Answer, message_bytes
from conformance.plan.requests import Group, Plan
from conformance.results import run
from conformance.results.row_buffers import Row, Table
from conformance.subjects.subject import Subject, parse

Floats = npt.NDArray[np.float64]
References = Callable[[Group, str], Reference]

#: A column beside those of a run's results: the request's place in the plan, by which they are ordered.
REQUEST = "_request"
_TABLES = (
    ("results", {**run.RESULTS, REQUEST: "Int64"}),
    ("relations", run.RELATIONS),
    ("sweep", run.SWEEP),
    ("printed", run.PRINTED),
)
#: The source of a relation that nobody need claim.
MATHEMATICS = "mathematics"


@dataclass
class Collector:
    """Takes answers in any order; holds what the frames of a run are made from."""

    plan: Plan
    references: References
    versions: dict[str, str]
    processors: dict[str, frozenset[str]] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)
    kernels: dict[str, frozenset[str]] = field(default_factory=dict)
    on_group: Callable[[Group, list[Row]], None] | None = None
    tables: dict[str, Table] = field(default_factory=lambda: {name: Table(kinds) for name, kinds in _TABLES})
    tallies: defaultdict[tuple[str, ...], formulation_relations.EquivalenceTally] = field(
        default_factory=lambda: defaultdict(formulation_relations.EquivalenceTally)
    )
    broken: dict[tuple[int, str, str, str], npt.NDArray[np.bool_]] = field(default_factory=dict)
    deviations: Ledger = field(default_factory=Ledger)
    unsteady: Counter[str] = field(default_factory=Counter)
    held: int = 0  # bytes of answers that wait for other subjects' on their groups
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
        self.held += message_bytes(answer)
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
        self.held -= sum(map(message_bytes, answers))
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
            one.judgement = verdict.judge_outcome(one.outcome, expects_error, one.values)
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
        for one in first:
            one.judgement = _without_warning(group.case, quantity, one)
        judgements = {id(one.judgement): one.judgement for one in first}
        told = {own: _told(judgement, group.dtype) for own, judgement in judgements.items()}
        about = {**_about(group.case), "quantity": quantity, "dtype": group.dtype}
        return [{**about, **told[id(one.judgement)], **self._row(group, quantity, one)} for one in first]

    def _worst(self, one: Observation, found: Sequence[Observation]) -> Observation:
        """The observation that stands for all repeats of a check."""
        mine = (one.subject, one.request.formulation)
        again = [other for other in found if (other.subject, other.request.formulation) == mine]
        worst, unsteady = repeatability.worst(one, [other for other in again if other is not one])
        self.unsteady[one.subject] += unsteady
        return worst

    def _row(self, group: Group, quantity: str, one: Observation) -> Row:
        """What a row says of an observation, beside what it says of the case and of the judgement."""
        assert one.judgement is not None
        conforms = verdict.conforms(one.judgement.verdict)
        returned = one.values is not None
        return {
            "formulation": one.request.formulation,
            "subject": one.subject,
            "framework_version": self.versions.get(one.subject, ""),
            "known": "" if conforms is None else self._known(group, quantity, one, conforms),
            "framework": self._subject(one.subject).framework,
            "textbook": one.request.formulation in OPERATIONS[group.case.operation].textbook,
            "elements": math.prod(one.shape) if returned else 0,
            "shape": str(list(one.shape)) if returned else "",
            "bits": one.bits,
            REQUEST: one.request.index,
        }

    def _known(self, group: Group, quantity: str, one: Observation, conforms: bool) -> str:
        if not group.case.known:
            return ""
        assert one.judgement is not None
        check = Check(
            self._subject(one.subject).names,
            group.dtype,
            one.request.formulation,
            quantity,
            self.versions.get(one.subject, ""),
            self.processors.get(one.subject, frozenset()),
            self.kernels.get(one.subject, frozenset()),
        )
        return self.deviations.excuse(group.case, check, one.judgement, conforms)

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
        found = formulation_relations.distances(values, sides, reference)
        apart = [found[pair] for pair in sides]
        for (relation, left, right), distance in zip(related, apart, strict=False):
            self._relate(group, quantity, relation, (sound[left], sound[right]), distance)
            if distance.beyond and "frontier" in group.case.tags and quantity == "value":
                ways = sound[left].request.formulation, sound[right].request.formulation
                observed = [values[sound[place].bits] for place in (left, right)]
                ulps = formulation_relations.elementwise(observed[0], observed[1], reference)
                self.broken[group.index, sound[left].subject, *ways] = ulps > formulation_relations.granted(
                    reference
                )
        for (left, right), distance in zip(paired, apart[len(related) :], strict=True):
            a, b = sound[left], sound[right]
            way = a.request.formulation
            pair = group.case.operation, way, quantity, group.dtype, a.subject, b.subject
            self.tallies[pair].add(distance, group.case.id)

    def _relate(
        self,
        group: Group,
        quantity: str,
        relation: Relation,
        sides: tuple[Observation, Observation],
        apart: formulation_relations.Distance,
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
        values = {one.bits: one.values for one in sound if one.values is not None}
        if sums is None or not values:
            return
        found = dict(zip(values, sums.judge(list(values.values())), strict=True))
        for one in sound:
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
            for relation, left, right in formulation_relations.pairs(operation, tuple(states)):
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
        if group.case.printed is None or group.dtype != published_figures.CONFIRMED_DTYPE:
            return
        exact = published_figures.show(self.references(group, "value").rounded, group.case)
        values = {one.bits: one.values for one in sound if one.values is not None}
        found = {bits: published_figures.confirm(group.case, own) for bits, own in values.items()}
        shown = {bits: published_figures.show(own, group.case) for bits, own in values.items()}
        for one in sound:
            figure, confirmed = found[one.bits]
            row = {
                "case": group.case.id,
                "source": group.case.source,
                "printed": figure,
                "exact": exact,
                "subject": one.subject,
                "formulation": one.request.formulation,
                "observed": shown[one.bits],
                "confirmed": confirmed,
            }
            self.tables["printed"].add([row])

    def _record_sweep(self, group: Group, sound: list[Observation], reference: Reference) -> None:
        if not sound:
            return
        gaps = sweep_axis(group)
        values = np.stack([one.values for one in sound if one.values is not None])
        error = verdict.errors_in_ulps(values, reference).reshape(len(sound), len(gaps), -1)
        worst = error.argmax(axis=2)
        places = (worst + np.arange(len(gaps)) * error.shape[2]).reshape(-1)
        rows = len(places)
        self.tables["sweep"].add_columns(
            {
                "case": [group.case.id] * rows,
                "operation": [group.case.operation] * rows,
                "formulation": [one.request.formulation for one in sound for _ in gaps],
                "quantity": ["value"] * rows,
                "dtype": [group.dtype] * rows,
                "subject": [one.subject for one in sound for _ in gaps],
                "gap": np.tile(gaps, len(sound)),
                "ulp_error": np.take_along_axis(error, worst[..., np.newaxis], axis=2).reshape(-1),
                "ulp_bound": reference.bound.reshape(-1)[places],
                "ulp_attainable": reference.attainable.reshape(-1)[places],
            }
        )


def _related(operation: Operation, sound: Sequence[Observation]) -> Iterator[tuple[Relation, int, int]]:
    """The relations inside each subject, with the places of both sides in `sound`."""
    by_subject: dict[str, dict[str, int]] = {}
    for place, one in enumerate(sound):
        by_subject.setdefault(one.subject, {})[one.request.formulation] = place
    for places in by_subject.values():
        for relation, left, right in formulation_relations.pairs(operation, tuple(places)):
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


def _told(judgement: Judgement | None, dtype: str) -> Row:
    """What a row says of a judgement, which all observations of the same bits share."""
    assert judgement is not None
    return {
        "verdict": judgement.verdict,
        "conforms": verdict.conforms(judgement.verdict),
        "ulp_error": judgement.ulp_error,
        "ulp_bound": judgement.ulp_bound,
        "ulp_attainable": judgement.ulp_attainable,
        "observed": "" if judgement.observed is None else digits(judgement.observed, dtype),
        "exact": judgement.exact,
        "worst_index": "" if judgement.worst_index is None else str(list(judgement.worst_index)),
        "message": judgement.message,
        "ratio": judgement.ratio,
    }


def _without_warning(case: Case, quantity: str, one: Observation) -> Judgement | None:
    """The judgement on an observation: a case that expects a warning is not met by silence."""
    silent = case.warns and quantity == "value" and one.outcome["status"] == "returned"
    if silent and not one.outcome["warnings"]:
        return Judgement("wrong", "returned without the warning that is right")
    return one.judgement


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
