"""Run on a Dask cluster: each subject's answers are a task; all are judged here, as a resumed run's are."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.adapters import protocol
from conformance.errors import RunError
from conformance.execution import session
from conformance.execution.cluster import (
    KilledWorker,
    carried_out,
    connected,
    requirements,
    threads,
    with_threads,
)
from conformance.execution.participants import selected_subjects
from conformance.execution.progress import Progress, Silent
from conformance.plan.events import Answer, Ended, Hello, MessageQueue
from conformance.plan.settings import Settings
from conformance.results import journal
from conformance.subjects.subject import Subject, parse

if TYPE_CHECKING:
    from distributed import Client

    from conformance.plan.requests import Request
    from conformance.results.run import Run

#: Arguments of a run that say how its result is used: they stay where it was asked for.
_LOCAL = ("meanwhile", "publish", "progress")
_COSTS = ("framework", "seconds", "compilations")


def run(
    paths: Sequence[str | Path] = (),
    *,
    scheduler: str | None,
    output: str | Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    client: Client | None = None,
    **options: Any,
) -> Run:
    """Runs cases through subjects on a Dask cluster, a task a subject, and judges every check here.

    Args:
        paths: Case files or folders, where the cluster's workers can read them too; none: the corpus.
        scheduler: The address of the scheduler; None: a cluster on this machine.
        output: The directory that receives the run's files; None: nothing is written.
        resume: Refused: what a cluster began, it does again.
        workers: The processes of a cluster on this machine; None: one for each core.
        progress: Gets a line for each subject that has answered.
        client: A client to use in the place of `scheduler`.
        **options: Further arguments of `conformance.execution.session.run`.

    Returns:
        The run: the same verdicts and tables as on one machine.

    Raises:
        CaseError: A case file is at fault.
        SubjectError: A subject does not exist, or its worker cannot be what it says.
        RunError: No scheduler answers, every worker that had a subject died, or `output` cannot be written.
    """
    if resume:
        raise RunError("--resume goes on with a run of this machine: leave out --scheduler, or run it anew")
    shown = progress or Silent()
    subjects = _subjects(options, shown)
    settings = {name: value for name, value in options.items() if name not in _LOCAL}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()) if output is None else output)
        with journal.RunDirectory(folder, uuid.uuid4().hex[:12]):
            pass  # Before anything is computed: it can be written, and no other run does.
        cluster = stack.enter_context(connected(scheduler, workers)) if client is None else client
        shared = (list(map(str, paths)), settings)
        tasks = [
            (requirements(subject.device), (*shared, subject, sys.executable, threads()))
            for subject in subjects
        ]
        answers: dict[int, Answered] = {}
        for index, answered in carried_out(cluster, answers_of, tasks):
            if isinstance(answered, KilledWorker):
                raise RunError(f"{subjects[index].name}: every worker that ran it died")
            answers[index] = answered
            shown.note(f"{subjects[index].name} has answered")
        _store(folder, [answers[index] for index in range(len(subjects))], options.get("subjects", ()))
        hellos = {
            subject.name: answers[index][2] for index, subject in enumerate(subjects) if answers[index][2]
        }
        return session.run(
            output=folder,
            resume=True,
            under_test=[replace(subject, version=None, companions=()) for subject in subjects],
            make_workers=lambda limits, slots: CollectedAnswers(hellos),
            progress=progress,
            **{name: options[name] for name in ("meanwhile", "publish") if name in options},
        )


#: A subject's journal; the settings of its run; what it said that it is, nothing where it never started.
Answered = tuple[bytes, dict[str, Any], dict[str, Any]]


def answers_of(
    paths: list[str],
    options: dict[str, Any],
    subject: Subject,
    python: str,
    threads: dict[str, str | None],
) -> Answered:
    """What one subject answers: the task that a worker of the cluster carries out.

    Args:
        paths: The case files.
        options: Arguments of `session.run`.
        subject: The subject.
        python: The caller's interpreter: a subject of that one has this worker's here.
        threads: The caller's `cluster.threads()`: results depend on their number.
    """
    if subject.python == python:
        subject = replace(subject, python=sys.executable)
    with tempfile.TemporaryDirectory() as folder, with_threads(threads):
        given = {**options, "subjects": [subject.name], "under_test": [subject]}
        result = session.run(paths, output=folder, **given)
        about = result.environment["subjects"][subject.name]
        hello = {name: value for name, value in about.items() if name not in _COSTS}
        return (Path(folder) / journal.OBSERVATIONS).read_bytes(), result.environment["settings"], hello


def _subjects(options: dict[str, Any], progress: Progress) -> list[Subject]:
    """The subjects; those that are named need not be installed on this machine."""
    names = ("subjects", "python", "subjects_file", "profile")
    settings = Settings(**{name: options[name] for name in names if name in options})
    if not settings.subjects or settings.subjects_file or settings.profile == "kernels":
        return selected_subjects(settings, progress.note)
    return [parse(name) for name in dict.fromkeys(settings.subjects)]


def _store(folder: Path, answers: Sequence[Answered], names: Sequence[str]) -> None:
    """Writes the subjects' journals as one, as a run of all of them would have left it."""
    with journal.RunDirectory(folder, uuid.uuid4().hex[:12]) as directory:
        directory.open_journal({"settings": {**answers[0][1], "subjects": list(names)}}, resume=False)
        for frames, _, _ in answers:
            stream = io.BytesIO(frames)
            protocol.read_frame(stream)  # the subject's own header
            directory.append(frames[stream.tell() :])


class CollectedAnswers:
    """Answers from a cluster in the place of worker groups: no process is started.

    Args:
        hellos: By subject: what it said that it is.

    Attributes:
        messages: The queue of the subjects' hellos, and of answers to what none was asked.
    """

    def __init__(self, hellos: dict[str, dict[str, Any]]) -> None:
        self.messages = MessageQueue()
        self.subjects: tuple[str, ...] = ()
        self._hellos = hellos

    def start(self, subjects: Sequence[Subject]) -> None:
        """Passes on the hellos."""
        self.subjects = tuple(subject.name for subject in subjects)
        for name, hello in self._hellos.items():
            self.messages.put(Hello(name, hello))

    @property
    def processes(self) -> int:
        """How many `Ended` come."""
        return len(self.subjects)

    def submit(self, subject: str, requests: Sequence[Request]) -> None:
        """Answers what the cluster's worker was not asked: its package is of another version."""
        outcome = {"status": "not run", "message": "the cluster's worker has another version of the suite"}
        for request in requests:
            self.messages.put(Answer(subject, request, dict.fromkeys(request.quantities, outcome), {}, {}))

    def worker_of(self, subject: str, request: Request) -> int:
        """The number of a subject's worker."""
        return 0

    def watch(self, now: float, held_but: str | None) -> None:
        """Nothing runs that has a limit."""

    def close(self) -> None:
        """No more requests will come."""
        for name in self.subjects:
            self.messages.put(Ended(name))

    def stop(self) -> None:
        """Nothing is left to stop."""
