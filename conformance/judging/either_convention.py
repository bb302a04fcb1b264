"""Cases that leave a convention open: an answer is judged by the decision that it conforms to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from conformance.judging import verdict
from conformance.judging.observation import Observation, judge_in_steps
from conformance.operations import OPERATIONS, Reference
from conformance.operations.conventions import CONVENTIONS, deciding
from conformance.plan.groups import Group

References = Callable[[Group, str, str], Reference]


def judged_by_convention(
    group: Group,
    quantity: str,
    dtype: str,
    observations: list[Observation],
    own: Reference,
    references: References,
) -> Iterator[tuple[Reference, list[Observation]]]:
    """Judges observations, and yields those of the same decision together with their exact value.

    Only those of the same decision are compared with each other: the others differ on purpose.

    Args:
        group: The group; its case may leave a convention open.
        quantity: The quantity.
        dtype: The dtype that is judged in.
        observations: Of the exact value's shape and dtype.
        own: The exact value and bounds by the suite's own decision.
        references: Those of a quantity of a group in a dtype.
    """
    judge_in_steps(observations, own)
    remaining = observations
    for decision in _others(group):
        deviating = [each for each in remaining if not _conforms(each)]
        if not deviating:
            break
        other = Group(-1, replace(group.case, convention="", conventions=decision), group.dtype)
        reference = references(other, quantity, dtype)
        judge_in_steps(deviating, reference)
        decided = [each for each in deviating if _conforms(each)]
        if decided:
            yield reference, decided
        left = {id(each) for each in decided}
        remaining = [each for each in remaining if id(each) not in left]
        judge_in_steps(remaining, own)
    yield own, remaining


def _others(group: Group) -> Iterator[dict[str, object]]:
    """The decisions beside the suite's own."""
    name = group.case.convention
    for value in CONVENTIONS[name].values[1:] if name else ():
        decision = deciding(OPERATIONS[group.case.operation], group.arguments, {name: value})
        if decision:
            yield decision


def _conforms(observation: Observation) -> bool:
    assert observation.judgement is not None
    return verdict.conforms(observation.judgement.verdict) is True
