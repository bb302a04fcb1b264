"""Worker groups of a run in which a subject's answers are kept: its process starts for new requests alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conformance.execution.kept_answers import KeptAnswers, can_be_kept
from conformance.execution.process import Limits
from conformance.execution.scheduling import WorkerSlots
from conformance.execution.worker_group import WorkerGroups
from conformance.plan.events import Answer, Ended, Hello, Message, MessageQueue
from conformance.subjects.subject import Subject

if TYPE_CHECKING:
    from conformance.plan.requests import Request


class _Recorder(MessageQueue):
    """The run's queue, which notes what one subject says.

    Attributes:
        hello: The subject's first message.
        answers: Its answers.
    """

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.hello: Hello | None = None
        self.answers: list[Answer] = []
        self._subject = subject

    def _put(self, item: Message) -> None:
        super()._put(item)
        if isinstance(item, Hello) and item.subject == self._subject:
            self.hello = item
        elif isinstance(item, Answer) and item.subject == self._subject:
            self.answers.append(item)


class KeptWorkers(WorkerGroups):
    """Worker groups, of which that of `kept` starts once it is asked what it has not answered before.

    Args:
        limits: What each process may use.
        slots: How many workers live at a time.
        kept: The subject whose answers are kept: a framework's own function, never a user's.
        operation: The operation of all requests.
    """

    def __init__(self, limits: Limits, slots: WorkerSlots, kept: Subject, operation: str) -> None:
        super().__init__(limits, slots)
        self.messages = self._recorder = _Recorder(kept.name)
        self._kept, self._operation = kept, operation
        self._answers: KeptAnswers | None = None
        self._started, self._closed = True, False
        self._new = False

    def start(self, subjects: Sequence[Subject]) -> None:
        """Starts a process of each subject, but for the one whose answers are kept."""
        others = [subject for subject in subjects if subject.name != self._kept.name]
        super().start(others)  # before what is kept is read
        if len(others) == len(subjects):
            return
        if can_be_kept(self._kept):
            self._answers = KeptAnswers(self._kept, self._operation)
        if self._answers is not None and self._answers.hello:
            self._started = False
            self.messages.put(Hello(self._kept.name, self._answers.hello))
        else:
            super().start([self._kept])

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the subjects."""
        return super().subjects if self._started else (*super().subjects, self._kept.name)

    @property
    def processes(self) -> int:
        """How many `Ended` come: one of each process, and one of the answers that need none."""
        return super().processes + (not self._started)

    def submit(self, subject: str, requests: Sequence[Request]) -> None:
        """Answers what is kept; the subject's process gets the rest."""
        if subject != self._kept.name or self._answers is None:
            super().submit(subject, requests)
            return
        fresh = []
        for request in requests:
            answer = self._answers.answer(request)
            if answer is None:
                fresh.append(request)
            else:
                self.messages.put(answer)
        self._new = self._new or bool(fresh)
        if fresh and not self._started:
            super().start([self._kept])
            self._started = True
        if self._started:
            super().submit(subject, fresh)

    def worker_of(self, subject: str, request: Request) -> int:
        """The number of the subject's worker that answers a request; 0 of what is kept."""
        return super().worker_of(subject, request) if subject in super().subjects else 0

    def close(self) -> None:
        """No more requests will come, for anyone."""
        super().close()
        if not self._started and not self._closed:
            self.messages.put(Ended(self._kept.name))
        self._closed = True

    def stop(self) -> None:
        """Ends all processes now, and keeps what is new."""
        super().stop()
        if self._answers is not None and self._new and self._recorder.hello is not None:
            self._answers.add(self._recorder.hello, self._recorder.answers)
