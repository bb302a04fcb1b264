"""Who takes part in a run: what each subject says that it is, and what its calls have cost."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from conformance.errors import RunError
from conformance.plan.events import Answer, Hello
from conformance.subjects.subject import Subject


class Roster:
    """The subjects of a run as they told of themselves.

    By subject, a journal's too: `versions`, `processors`, the instruction sets of theirs, and `kernels`, what
    the frameworks report of theirs.
    """

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.processors: dict[str, frozenset[str]] = {}
        self.kernels: dict[str, frozenset[str]] = {}
        self._hellos: dict[str, dict[str, Any]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)  # the processor's, in calls
        self._compiled: dict[tuple[str, int], int] = {}  # by subject and process

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
            from conformance.cases.deviations import kernel_words  # late: a run starts its workers first

            self.kernels[hello.subject] = kernel_words(report)

    def meet(self, hello: Hello) -> bool:
        """Notes a subject's hello; whether it is the run's first one of that subject.

        RunError where a resumed run's subject is no longer what it was: two versions make no run.
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

    def charge(self, answer: Answer, process: int) -> None:
        """Adds what an answer of a subject's process cost; it tells its programs from the first on."""
        self._seconds[answer.subject] += answer.seconds
        self._compiled[answer.subject, process] = answer.compilations

    def about(self, subject: Subject) -> dict[str, Any]:
        """What run.json says of a subject: its hello, the seconds in its calls, and what it compiled."""
        spent = {
            "seconds": round(self._seconds[subject.name], 3),
            "compilations": sum(count for (name, _), count in self._compiled.items() if name == subject.name),
        }
        return {"framework": subject.framework, **self._hellos.get(subject.name, {}), **spent}
