"""Record of a run's answers in its journal, and the replay of those that an interrupted run has already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conformance.errors import RunError
from conformance.execution.participants import Participants
from conformance.plan.events import Answer, Hello, Message
from conformance.plan.settings import Settings
from conformance.results import journal

if TYPE_CHECKING:
    from conformance.plan.requests import Request


class AnswerRecord:
    """The answers of a run as they are journalled; without a directory nothing is written.

    Args:
        directory: The run's directory; None: the run has none.

    Attributes:
        participants: What the subjects say of themselves, in the interrupted run too.
    """

    def __init__(self, directory: journal.RunDirectory | None) -> None:
        self.participants = Participants()
        self._directory = directory
        self._recorded: journal.Recorded = {}

    def begin(self, settings: Settings) -> None:
        """Starts the journal early, so that a kill at any moment can be resumed."""
        if self._directory is not None:
            self._directory.begin({"settings": vars(settings)})

    def resume(self) -> Settings:
        """Reads what the interrupted run left in the directory: its settings.

        Raises:
            RunError: There is none, or one that another version began.
        """
        assert self._directory is not None
        header, hellos, self._recorded = self._directory.recorded()
        if header is None:
            raise RunError(f"{self._directory.path}: there is no interrupted run to resume here")
        try:
            settings = Settings(**header["settings"])
        except (KeyError, TypeError):
            raise RunError(f"{self._directory.path}: another version began this run; run it anew") from None
        for hello in hellos:
            self.participants.expect(hello)
        return settings

    def open(self, settings: Settings, resume: bool) -> None:
        """Opens the journal: behind what it holds (`resume`), or in place of it."""
        if self._directory is not None:
            self._directory.open_journal({"settings": vars(settings)}, resume)

    def replay(self, subject: str, request: Request) -> Answer | None:
        """The answer of the interrupted run to a request; None where it has none."""
        frame = self._recorded.get((subject, request.key)) if self._recorded else None
        return None if frame is None else journal.replay(frame, request)

    def add(self, messages: Sequence[Message]) -> None:
        """Journals hellos, and in one write the answers, before any of them is judged.

        Raises:
            RunError: The journal cannot be written, or a subject is not what it was before.
        """
        answers = []
        for message in messages:
            if isinstance(message, Hello):
                if self.participants.meet(message) and self._directory is not None:
                    self._directory.record_hello(message)
            elif isinstance(message, Answer) and not self._is_recorded(message):
                answers.append((message, self.participants.versions.get(message.subject, "")))
        if self._directory is not None:
            self._directory.record(answers)

    def _is_recorded(self, answer: Answer) -> bool:
        return bool(self._recorded) and (answer.subject, answer.request.key) in self._recorded
