"""Participants of a run: which subjects take part, what each says that it is, and what its calls cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from conformance.errors import RunError, SubjectError
from conformance.plan import profiles
from conformance.plan.events import Answer, Hello, Refused
from conformance.plan.settings import Settings
from conformance.subjects.selection import select
from conformance.subjects.subject import Subject


def selected_subjects(settings: Settings, note: Callable[[str], object]) -> list[Subject]:
    """The subjects that the settings name, with those that the profile adds.

    Args:
        settings: The run's settings.
        note: Gets a line for each subject that was left out.

    Raises:
        SubjectError: A subject does not exist, or is not installed.
    """
    subjects, notes = select(settings.subjects, settings.python, settings.subjects_file)
    if settings.profile == "full" and not settings.subjects:
        subjects = profiles.expanded(subjects)
    elif settings.profile == "kernels":
        subjects, lacking = profiles.with_variants(subjects)
        notes = [*notes, *lacking]
    for line in notes:
        note(line)
    return subjects


def refusal(refused: Refused, subject: Subject, settings: Settings) -> str:
    """The line on a variant or device that is not to be had; empty: its checks alone say so.

    Raises:
        SubjectError: It was asked for by name.
    """
    if not (subject.variant or subject.device):
        return ""
    if subject.name in settings.subjects or settings.subjects_file is not None:
        raise SubjectError(f"subject {subject.name!r}: {refused.reason}")
    return f"{subject.name} was left out: {refused.reason}"


class Participants:
    """The subjects of a run as they introduced themselves, in a run that is resumed too.

    Attributes:
        versions: By subject: the framework's version.
        processors: By subject: the instruction sets of its processor.
        kernels: By subject: what its framework reports of its kernels.
    """

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.processors: dict[str, frozenset[str]] = {}
        self.kernels: dict[str, frozenset[str]] = {}
        self._hellos: dict[str, dict[str, Any]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)  # the processor's, in calls
        self._compilations: dict[tuple[str, int], int] = {}  # by subject and worker

    @property
    def met(self) -> set[str]:
        """The subjects that have said what they are."""
        return set(self._hellos)

    def expect(self, hello: Hello) -> None:
        """Notes what a subject was in the run that is resumed."""
        self.versions[hello.subject] = str(hello.header.get("version", ""))
        self.processors[hello.subject] = frozenset(hello.header.get("hardware", {}).get("flags", ()))
        report = hello.header.get("kernels")
        if isinstance(report, dict):
            from conformance.cases.deviations import kernel_words  # late: the workers start before

            self.kernels[hello.subject] = kernel_words(report)

    def meet(self, hello: Hello) -> bool:
        """Notes a subject's hello; whether it is the run's first one of that subject.

        Raises:
            RunError: A resumed run's subject is no longer what it was: two versions make no run.
        """
        self._hellos[hello.subject] = hello.header
        if hello.subject not in self.versions:
            self.expect(hello)
            return True
        version = str(hello.header.get("version", ""))
        before = self.versions[hello.subject]
        if before != version:
            changed = f"{hello.subject} is {version} now, and was {before}"
            raise RunError(f"{changed} when the run was interrupted: run it anew")
        return False

    def charge(self, answer: Answer, worker: int) -> None:
        """Adds what an answer of a subject's worker cost; it counts its programs from the process's start."""
        self._seconds[answer.subject] += answer.seconds
        self._compilations[answer.subject, worker] = answer.compilations

    def about(self, subject: Subject) -> dict[str, Any]:
        """What run.json says of a subject: its hello, the seconds in its calls, and what it compiled."""
        compilations = sum(count for (name, _), count in self._compilations.items() if name == subject.name)
        costs = {"seconds": round(self._seconds[subject.name], 3), "compilations": compilations}
        return {"framework": subject.framework, **self._hellos.get(subject.name, {}), **costs}
