"""Collector: answers -> rows; a group is judged once every subject has answered it, and its arrays let go."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from conformance.cases import published_figures
from conformance.cases.case import Case
from conformance.cases.deviations import Check, Ledger
from conformance.judging import verdict
from conformance.judging.breakpoints import is_sweep, sweep_columns
from conformance.judging.either_convention import judged_by_convention
from conformance.judging.mixed_dtypes import by_dtype
from conformance.judging.observation import (
    Observation,
    comparable,
    digits,
    distinct_values,
    observe,
    worst_repeat,
)
from conformance.judging.relation_table import RelationTable
from conformance.judging.verdict import Judgement
from conformance.operations import OPERATIONS, Reference
from conformance.plan.events import Answer, message_bytes
from conformance.plan.groups import Group
from conformance.plan.requests import Plan
from conformance.results import run
from conformance.results.row_buffers import Row, Table
from conformance.subjects.subject import Subject, parse

#: A column beside those of a run's results: the request's index in the plan, by which they are ordered.
REQUEST = "_request"
#: Dtypes whose results a mode may widen to float32: the bound stays theirs.
HALF_DTYPES = ("float16", "bfloat16")
#: Kinds of quantities that have the dtype of the result.
RESULTS = ("value", "jvp")
#: The columns by which each frame is ordered: together they name a row.
_ORDER = {
    "results": ("file", "line", "dtype", REQUEST, "quantity", "subject"),
    "equivalence": ("operation", "formulation", "quantity", "dtype", "subject_a", "subject_b"),
    "relations": ("case", "dtype", "relation", "quantity", "subject", "left", "right"),
    "invariance": ("operation", "formulation", "quantity", "dtype", "subject", "kind"),
    "breaks": ("case", "relation", "dtype", "subject", "left", "right"),
    "sweep": ("case", "dtype", "formulation", "quantity", "subject", "gap"),
    "printed": ("source", "case", "formulation", "subject"),
}


class Participants(Protocol):
    """What is known of the subjects of a run, each from its first answer on.

    Attributes:
        versions: By subject: its framework's version.
        processors: By subject: the instruction sets of its processor.
        kernels: By subject: what its framework reports of its kernels.
    """

    versions: dict[str, str]
    processors: dict[str, frozenset[str]]
    kernels: dict[str, frozenset[str]]


class Collector:
    """Answers in any order -> the rows that the frames of a run are made from.

    Args:
        plan: What is asked.
        references: The exact value and bounds of a quantity of a group in a result's dtype.
        participants: What is known of the subjects.
        subjects: By name, those that their names alone do not describe.

    Attributes:
        relations: The relations and equivalences.
        deviations: What the run shows of the known deviations of its cases.
        unsteady: By subject: its checks whose repeats differ.
        bytes_waiting: Bytes of answers that wait for other subjects' on their groups.
    """

    def __init__(
        self,
        plan: Plan,
        references: Callable[[Group, str, str], Reference],
        participants: Participants,
        subjects: Mapping[str, Subject],
    ) -> None:
        self.relations = RelationTable(group.case for group in plan.groups)
        self.deviations = Ledger()
        self.unsteady: Counter[str] = Counter()
        self.bytes_waiting = 0
        self._plan = plan
        self._references = references
        self._participants = participants
        self._subjects = dict(subjects)
        self._results = Table({**run.RESULTS, REQUEST: "Int64"})
        self._sweep, self._printed = Table(run.SWEEP), Table(run.PRINTED)
        self._answers: dict[int, dict[tuple[str, int], Answer]] = {}  # by group, of those that are open

    def add(self, answer: Answer) -> list[Row] | None:
        """Takes one answer: the rows of its group where that is complete now, and judged."""
        group = answer.request.group
        answers = self._answers.setdefault(group.index, {})
        answers[answer.subject, answer.request.index] = answer
        self.bytes_waiting += message_bytes(answer)
        return None if len(answers) < len(self._plan.expected(group)) else self.finish(group)

    def finish_all(self) -> Iterator[tuple[Group, list[Row]]]:
        """Judges what there is of the groups that never became complete (an interrupted run)."""
        for group in self._plan.groups:
            if group.index in self._answers:
                yield group, self.finish(group)

    def finish(self, group: Group) -> list[Row]:
        """Judges a group's answers and drops their arrays: its rows."""
        answers = sorted(
            self._answers.pop(group.index).values(), key=lambda answer: (answer.request.index, answer.subject)
        )
        self.bytes_waiting -= sum(map(message_bytes, answers))
        rows: list[Row] = []
        for quantity in group.case.quantity_names():
            asked = [answer for answer in answers if quantity in answer.request.quantities]
            if asked:
                rows += self._judge(group, quantity, [observe(answer, quantity) for answer in asked])
        self._results.add(rows)
        return rows

    def frames(self, breaks: list[Row]) -> dict[str, pd.DataFrame]:
        """Every frame of the run by name, each in one order whatever came first; empties the collector.

        Args:
            breaks: The rows of the searches for breakpoints.
        """
        tables = {
            "results": self._results,
            "relations": self.relations.rows,
            "equivalence": Table(run.EQUIVALENCE),
            "invariance": Table(run.INVARIANCE),
            "breaks": Table(run.BREAKS),
            "sweep": self._sweep,
            "printed": self._printed,
        }
        tables["breaks"].add(breaks)
        equivalences = self.relations.equivalences()
        tables["equivalence"].add(equivalences)
        tables["invariance"].add(self.relations.invariance.rows(equivalences))
        frames = {name: tables[name].frame(_ORDER[name]) for name in run.FRAMES}
        return frames | {"results": frames["results"].drop(columns=REQUEST)}

    def _judge(self, group: Group, quantity: str, observations: list[Observation]) -> list[Row]:
        """The rows of a quantity: one for each observation, repeats aside."""
        expects_error = group.case.expect == "error"
        for each in observations:
            each.judgement = verdict.judge_outcome(each.outcome, expects_error, each.values)
        returned = [each for each in observations if each.judgement is None]
        if returned:
            self._judge_values(group, quantity, returned)
        checks = [each for each in observations if not each.request.repetition]
        self.relations.add_errors(group, quantity, checks)
        if len(checks) < len(observations):
            checks = [self._worst(each, observations) for each in checks]
        for each in checks:
            each.judgement = _without_warning(group.case, quantity, each)
        judgements = {id(each.judgement): each for each in checks}
        judged = {
            key: _judged_columns(each.judgement, each.dtype or group.dtype)
            for key, each in judgements.items()
        }
        case = {**_case_columns(group.case), "quantity": quantity, "dtype": group.dtype}
        return [
            {**case, **judged[id(each.judgement)], **self._own_columns(group, quantity, each)}
            for each in checks
        ]

    def _judge_values(self, group: Group, quantity: str, returned: list[Observation]) -> None:
        """Judges arrays against the exact value, and everything that rests on them."""
        for dtype, members in by_dtype(group, quantity, returned):
            self._judge_in_dtype(group, quantity, dtype, members)

    def _judge_in_dtype(self, group: Group, quantity: str, dtype: str, returned: list[Observation]) -> None:
        """The same of results that are judged in one dtype."""
        reference = self._references(group, quantity, dtype)
        if quantity.partition(":")[0] in RESULTS and group.dtype in HALF_DTYPES:
            for each in returned:
                if each.dtype == "float32" and self._subject(each.subject).widens(group.case.operation):
                    each.dtype = reference.dtype
        matching = comparable(returned, reference)
        for settled, decided in judged_by_convention(
            group, quantity, dtype, matching, reference, self._references
        ):
            checks = [each for each in decided if not each.request.repetition]
            self._relate(group, quantity, settled, checks)
            if quantity == "value" and group.case.printed is not None and settled is reference:
                self._printed.add(_printed_rows(group, checks, reference))

    def _relate(self, group: Group, quantity: str, reference: Reference, matching: list[Observation]) -> None:
        """What rests on judged observations: relations, and the points of a sweep."""
        self.relations.add(group, quantity, matching, reference)
        if matching and is_sweep(group, quantity):
            self._sweep.add_columns(sweep_columns(group, matching, reference))

    def _worst(self, check: Observation, observations: Sequence[Observation]) -> Observation:
        """The observation that stands for all repeats of a check."""
        name = check.subject, check.request.formulation
        repeats = [each for each in observations if (each.subject, each.request.formulation) == name]
        worst, unsteady = worst_repeat(check, [each for each in repeats if each is not check])
        self.unsteady[check.subject] += unsteady
        return worst

    def _own_columns(self, group: Group, quantity: str, check: Observation) -> Row:
        """What a row says of an observation, beside what it says of the case and of the judgement."""
        assert check.judgement is not None
        conforms = verdict.conforms(check.judgement.verdict)
        returned = check.values is not None
        subject, formulation = self._subject(check.subject), check.request.formulation
        known = "" if conforms is None else self._excuse(group, quantity, check, conforms)
        return {
            "formulation": formulation,
            "subject": check.subject,
            "framework_version": self._participants.versions.get(check.subject, ""),
            "known": known,
            "framework": subject.framework,
            "textbook": formulation in OPERATIONS[group.case.operation].textbook,
            "elements": math.prod(check.shape) if returned else 0,
            "shape": str(list(check.shape)) if returned else "",
            "bits": check.bits,
            REQUEST: check.request.index,
        }

    def _excuse(self, group: Group, quantity: str, check: Observation, conforms: bool) -> str:
        """The reason and source of the known deviation that excuses a check; empty where none does."""
        if not group.case.known:
            return ""
        assert check.judgement is not None
        name, about = check.subject, self._participants
        asked = Check(
            self._subject(name).names,
            group.dtype,
            check.request.formulation,
            quantity,
            about.versions.get(name, ""),
            about.processors.get(name, frozenset()),
            about.kernels.get(name, frozenset()),
            self._subject(name).like,
        )
        return self.deviations.excuse(group.case, asked, check.judgement, conforms)

    def _subject(self, name: str) -> Subject:
        if name not in self._subjects:
            self._subjects[name] = parse(name)
        return self._subjects[name]


def _case_columns(case: Case) -> Row:
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


def _judged_columns(judgement: Judgement | None, dtype: str) -> Row:
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


def _printed_rows(
    group: Group, observations: Sequence[Observation], reference: Reference
) -> Iterator[dict[str, Any]]:
    """Rows of printed.csv: whether each value shows the figures that the case's source prints."""
    case = group.case
    if case.printed is None or group.dtype != published_figures.CONFIRMED_DTYPE:
        return
    exact = published_figures.show(reference.rounded, case)
    shown = {
        bits: (*published_figures.confirm(case, values), published_figures.show(values, case))
        for bits, values in distinct_values(observations).items()
    }
    for each in observations:
        figure, confirmed, observed = shown[each.bits]
        yield {
            "case": case.id,
            "source": case.source,
            "printed": figure,
            "exact": exact,
            "subject": each.subject,
            "formulation": each.request.formulation,
            "observed": observed,
            "confirmed": confirmed,
        }


def _without_warning(case: Case, quantity: str, observation: Observation) -> Judgement | None:
    """The judgement on an observation: a case that expects a warning is not met by silence."""
    silent = case.warns and quantity == "value" and observation.outcome["status"] == "returned"
    if silent and not observation.outcome["warnings"]:
        return Judgement("wrong", "returned without the warning that is right")
    return observation.judgement
