"""`cases/known.yaml`: each entry states what is observed, names its subjects, and has a source."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.cases.case import Case
from conformance.cases.deviations import Check, Ledger, holds, kernel_words, matches, speaks_of
from conformance.cases.loader import load_cases
from conformance.cases.models import Deviation, Observed
from conformance.judging import verdict
from conformance.judging.verdict import Judgement
from conformance.operations import OPERATIONS, reference

KERNELS = kernel_words({"onednn": True, "isa": "AVX512", "features": ["avx512f"]})
#: What is returned everywhere by an adapter that knows one answer.
ANSWER = 42.0


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """The corpus by id."""
    return {case.id: case for case in load_cases()}


@pytest.fixture(scope="module")
def entries(cases: dict[str, Case]) -> dict[str, Deviation]:
    """The entries by id."""
    found = (known for case in cases.values() for known in case.known)
    return {known.id: known for known in found if isinstance(known, Deviation)}


def test_each_states_what_is_observed(entries: dict[str, Deviation]) -> None:
    assert len(entries) >= 70
    assert [name for name, entry in entries.items() if not entry.observed] == []


def test_each_names_its_subjects(entries: dict[str, Deviation]) -> None:
    assert [name for name, entry in entries.items() if re.search(r"[*?\[]", entry.subject)] == []


def test_each_has_a_link_or_says_when_none_was_found(entries: dict[str, Deviation]) -> None:
    source = re.compile(r"https://\S+|no issue found on \d{4}-\d\d-\d\d")
    assert [name for name, entry in entries.items() if not source.search(entry.source)] == []


def test_each_reason_has_a_figure(entries: dict[str, Deviation]) -> None:
    """What is observed and what would be right, so that a stranger can see for himself."""
    figure = re.compile(r"\d|\bnan\b|\binf|Error\b|\babort")
    assert [name for name, entry in entries.items() if not figure.search(entry.reason)] == []


def checks_of(entry: Deviation, case: Case) -> list[Check]:
    """The checks of a case that an entry speaks of, by each of its subjects."""
    quantities = ("value",) if case.expect == "error" else case.quantity_names()
    every = itertools.product(entry.subject.split(", "), case.dtypes, case.formulations, quantities)
    checks = [Check((subject,), *names, "", frozenset(), KERNELS) for subject, *names in every]
    return [check for check in checks if matches(entry, check)]


def admits(observed: Observed, value: float) -> bool:
    """Whether an observation may be this value, whatever its error."""
    if observed.between:
        return observed.between[0] <= value <= observed.between[1]
    judged = Judgement(
        observed.verdicts[0] if observed.verdicts else "wrong", observed.message, observed=value
    )
    return holds(observed.model_copy(update={"ulps": None}), judged)


def judged_everywhere(case: Case, check: Check, value: float) -> Judgement:
    """The judgement on a subject that returns one value at every place."""
    if case.expect == "error":
        judgement = verdict.judge_outcome({"status": "returned"}, True, np.array([value]))
        assert judgement is not None
        return judgement
    arguments = case.arguments(check.dtype)
    upstream: Any = None
    if check.quantity != "value":
        upstream = case.flow(check.dtype, OPERATIONS[case.operation].result_shape(arguments))
    exact = reference(case.operation, arguments, check.quantity, check.dtype, upstream)
    (judgement,) = verdict.judge(np.full((1, *exact.rounded.shape), value), exact)
    return judgement


def test_an_adapter_that_returns_42_is_excused_nowhere(
    cases: dict[str, Case], entries: dict[str, Deviation]
) -> None:
    """Neither where a number is right nor where an error is."""
    excused, met = [], 0
    for case in cases.values():
        for entry in (known for known in case.known if isinstance(known, Deviation)):
            for check in checks_of(entry, case):
                spoken = [each for each in entry.observed if speaks_of(each, case.id, check)]
                met += bool(spoken)
                if any(admits(each, ANSWER) for each in spoken):
                    judged = judged_everywhere(case, check, ANSWER)
                    conforms = bool(verdict.conforms(judged.verdict))
                    if Ledger().excuse(replace(case, known=(entry,)), check, judged, conforms):
                        excused.append(f"{entry.id}: {case.id} {check}")
    assert met > 1000
    assert excused == []


def stated(observed: Observed) -> Judgement:
    """A judgement in the midst of what an observation states."""
    ulps = None if observed.ulps is None else float(np.sqrt(observed.ulps[0]) * np.sqrt(observed.ulps[1]))
    value = float(observed.values[0]) if observed.values else None
    value = float(np.mean(observed.between)) if observed.between else value
    return Judgement(observed.verdicts[0], observed.message, ulps, observed=value)


@pytest.mark.parametrize(
    "name",
    [
        "torch-bce-with-logits-target-0",
        "sigmoid-gradient-upper-tail",
        "keras-bce-clips-by-epsilon",
        "torch-logsumexp-gradient-offset",
        "jax-log-sigmoid-gradient-float64",
    ],
)
def test_larger_smaller_gone_another_value_or_error(
    cases: dict[str, Case], entries: dict[str, Deviation], name: str
) -> None:
    """A discrepancy that is named, or, where nothing deviates any more, a stale entry that is named."""
    entry = entries[name]
    case, check, observed = next(
        (case, check, each)
        for case in cases.values()
        if entry in case.known
        for check in checks_of(entry, case)
        for each in entry.observed
        if each.ulps and np.isfinite(each.ulps).all() and speaks_of(each, case.id, check)
    )
    case = replace(case, known=(entry,))
    known = stated(observed)
    assert known.ulp_error is not None
    assert known.observed is not None

    def excuse(judged: Judgement, conforms: bool = False) -> tuple[str, list[str], list[str]]:
        ledger = Ledger()
        return ledger.excuse(case, check, judged, conforms), ledger.stale([case]), ledger.otherwise([case])

    assert excuse(known) == (f"{entry.reason} ({entry.source})", [], [])
    for judged in (
        replace(known, ulp_error=known.ulp_error * 1e6),
        replace(known, ulp_error=known.ulp_error / 1e6),
        replace(known, observed=-known.observed - 1e9),
        replace(known, observed=float("nan"), ulp_error=float("inf"), verdict="wrong"),
        Judgement("raised", "ValueError: no such thing"),
    ):
        reason, stale, otherwise = excuse(judged)
        assert (reason, stale) == ("", [])
        (line,) = otherwise
        assert line.startswith(f"known {name} states otherwise: {case.id} {check}: {judged.verdict}")
    assert excuse(replace(known, verdict="exact", ulp_error=0.0), True) == (
        "",
        [f"known for {entry.subject} deviates no longer: {name}"],
        [],
    )


def test_one_operation_s_cases_are_those_of_the_whole_corpus(cases: dict[str, Case]) -> None:
    """Read alone they are the same, with the same deviations, in the same order."""
    alone = load_cases(operations=("sigmoid", "nll_loss"))
    whole = [case for case in cases.values() if case.operation in ("sigmoid", "nll_loss")]
    assert [(case.id, case.line, case.known) for case in alone] == [
        (case.id, case.line, case.known) for case in whole
    ]
