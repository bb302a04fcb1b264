"""Subjects of a sweep, as they are named: of the grammar, or a user's function FILE:FUNCTION."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.checking.user_module import subjects as of_function
from conformance.subjects.selection import select
from conformance.subjects.subject import Subject


def swept_subjects(names: Sequence[str], operation: str) -> list[Subject]:
    """The subjects of these names; none: every installed framework.

    Args:
        names: As `torch`, `tensorflow:xla`, `torch@cuda`, or `loss.py:sigmoid`.
        operation: The operation that a user's function carries out.

    Raises:
        SubjectError: There is no such subject, or it is not installed here.
    """
    if not names:
        return select(())[0]
    chosen: list[Subject] = []
    for name in dict.fromkeys(names):
        if ".py:" in name:
            chosen.append(of_function(name, operation, None, None)[0])
        else:
            chosen += select([name])[0]
    return chosen
