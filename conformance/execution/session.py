"""Session of a run: a worker group a subject, side by side, fed ahead; answers are judged as they come.

What is imported here comes before the workers start; the rest is imported while they import theirs.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.caches import cache_directory
from conformance.errors import RunError
from conformance.execution import memory_tuning
from conformance.execution.answer_record import AnswerRecord
from conformance.execution.participants import refusal, selected_subjects
from conformance.execution.process import Limits
from conformance.execution.progress import Progress, Silent
from conformance.execution.scheduling import POLL_SECONDS, WorkerSlots
from conformance.execution.signals import interruptible
from conformance.execution.worker_group import WorkerGroups
from conformance.plan import profiles
from conformance.plan.events import Answer, Ended, Refused
from conformance.plan.settings import Settings
from conformance.results import journal
from conformance.subjects.subject import Subject

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.judging.breakpoints import Searches
    from conformance.judging.collector import Collector
    from conformance.judging.references import References
    from conformance.plan.groups import Group
    from conformance.plan.requests import Plan, Request, Wanted
    from conformance.results.run import Run

#: Messages that are journalled in one write.
MESSAGES_A_WRITE = 256
#: Bytes of answers that wait for other subjects' from which on all but the last subject are held back.
MAX_WAITING_ANSWER_BYTES = 1 << 27
#: Seconds between two looks at the time limits of the workers.
WATCH_SECONDS = 0.2
#: Judged groups after which freed memory is given back, which lies between what is still held: 70 MB.
GROUPS_A_TRIM = 512


def run(
    paths: Sequence[str | Path] = (),
    *,
    subjects: Sequence[str] = (),
    operations: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    tags: Sequence[str] = (),
    output: str | Path | None = None,
    resume: bool = False,
    limit: float = 60.0,
    start_limit: float = 180.0,
    memory: int | None = None,
    python: str | None = None,
    subjects_file: str | Path | None = None,
    large: bool = False,
    profile: str = "default",
    repeat: int = 1,
    workers: int | None = None,
    known: Sequence[str | Path] = (),
    progress: Progress | None = None,
    wanted: Wanted | None = None,
    cases: Sequence[Case] | None = None,
    under_test: Sequence[Subject] | None = None,
    publish: Callable[[Run, Path], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    make_workers: Callable[[Limits, WorkerSlots], Any] | None = None,
) -> Run:
    """Runs cases through subjects and judges every check.

    Args:
        paths: Case files or folders; none: the suite's own corpus.
        subjects: What is under test, as ``torch`` or ``torch:compile``; none: every installed framework.
        operations: Only the cases of these operations; none: of all.
        dtypes: Only these dtypes; none: all.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        output: The directory that receives the run's files; None: nothing is written.
        resume: Go on with the run that was interrupted in `output`, with that run's settings.
        limit: Seconds that one check may take.
        start_limit: Seconds until a worker must have imported its framework.
        memory: Bytes of memory that a worker may use; None: no limit.
        python: The interpreter of the subjects that name none.
        subjects_file: A ``subjects.yaml``.
        large: Also the cases that run only on demand.
        profile: ``default``, ``full`` or ``kernels``: see `conformance.api.run`.
        repeat: How often each check is asked; where a subject's bits differ the worst verdict stands.
        workers: How many subjects run at a time; None: all.
        known: The user's own files of known deviations.
        progress: Is told how far the run is; None: nobody is.
        wanted: Which checks belong to the run; None: those of the profile.
        cases: Cases in place of those of `paths`.
        under_test: Subjects in place of those of `subjects`.
        publish: Draws further files of the run into its directory, before another run may write there.
        meanwhile: Called while the frameworks are imported.
        make_workers: Makes what answers the requests; None: processes of this machine.

    Returns:
        The run; interrupted (SIGINT, SIGTERM) it is what had been judged, marked incomplete.

    Raises:
        CaseError: A case file is at fault.
        SubjectError: A subject does not exist, is not installed, or cannot be started.
        RunError: `output` cannot be written or resumed, or no case is selected.
    """
    settings = Settings(
        paths=[str(path) for path in paths],
        subjects=list(subjects),
        operations=list(operations),
        dtypes=list(dtypes),
        tags=list(tags),
        limit=limit,
        memory=memory,
        python=python,
        subjects_file=None if subjects_file is None else str(subjects_file),
        large=large,
        profile=profile,
        start=start_limit,
        repeat=repeat,
        known=[str(path) for path in known],
    )
    slots, progress = WorkerSlots(workers), progress or Silent()
    session = _Session(settings, progress, slots, wanted, cases, under_test, meanwhile, make_workers)
    if output is None and resume:
        raise RunError("--resume needs the --output of the run that was interrupted")
    with memory_tuning.tuned():
        if output is None:
            return session.execute(AnswerRecord(None))
        return session.execute_into(Path(output), resume, publish)


@dataclass
class _Session:
    """One execution, from the start of its workers to its Run; the fields are arguments of `run`."""

    settings: Settings
    progress: Progress
    slots: WorkerSlots
    wanted: Wanted | None
    cases: Sequence[Case] | None
    under_test: Sequence[Subject] | None
    meanwhile: Callable[[], None] | None
    make_workers: Callable[[Limits, WorkerSlots], Any] | None

    def __post_init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.started = time.time()

    def execute(self, record: AnswerRecord, resume: bool = False) -> Run:
        """The whole run; `resume` goes on with the one in the record's directory."""
        if resume:
            self.settings = record.resume()
        else:
            record.begin(self.settings)
        note, under_test = self.progress.note, self.under_test
        subjects = selected_subjects(self.settings, note) if under_test is None else list(under_test)
        limits = Limits(self.settings.limit, self.settings.start, memory=self.settings.memory)
        workers: WorkerGroups = (self.make_workers or WorkerGroups)(limits, self.slots)
        try:
            if any(subject.pins for subject in subjects):
                self._pick_cases()  # A fault of the call is told before an environment is built.
                from conformance.subjects import environments  # late: start-up time without pins

                subjects = environments.provide(subjects, note)
            workers.start(subjects)
            plan = self._plan(subjects)
            # Only now: a call at fault must not cost an interrupted run's journal.
            record.open(self.settings, resume)
            return self._drive(plan, subjects, workers, record)
        finally:
            workers.stop()

    def execute_into(self, output: Path, resume: bool, publish: Callable[[Run, Path], None] | None) -> Run:
        """The whole run, written into a directory that no other run may write to meanwhile."""
        with journal.RunDirectory(output, self.id) as directory:
            result = self.execute(AnswerRecord(directory), resume)
            with directory.staged() as staging:
                result.write(staging)
                memory_tuning.release_free_memory()
                if publish is not None:
                    publish(result, staging)
            result.directory = directory.path
            if result.complete:
                directory.finish()
        return result

    def _pick_cases(self) -> list[Case]:
        from conformance.plan.requests import pick  # late: the workers start before

        if self.cases is None:
            from conformance.cases.loader import load_cases  # late: as above

            self.cases = load_cases([*map(Path, self.settings.paths)] or None, known=self.settings.known)
        return pick(self.cases, self.settings)

    def _plan(self, subjects: Sequence[Subject]) -> Plan:
        from conformance.plan import requests  # late: the workers start before

        wanted = self.wanted or profiles.wanted_by(self.settings.profile)
        names = [subject.name for subject in subjects]
        return requests.make(self._pick_cases(), names, self.settings.dtypes, wanted, self.settings.repeat)

    def _drive(
        self, plan: Plan, subjects: Sequence[Subject], workers: WorkerGroups, record: AnswerRecord
    ) -> Run:
        """Asks the workers everything and judges what they answer."""
        from conformance.judging.breakpoints import Searches  # late: the workers start before
        from conformance.judging.collector import Collector  # late: as above
        from conformance.judging.references import References  # late: as above

        references = References(cache_directory(), plan.groups)
        by_name = {subject.name: subject for subject in subjects}
        collector = Collector(plan, references.get, record.participants, by_name)
        searches = Searches(references.once, plan.next_index)
        loop = _AnswerLoop(plan, workers, record, collector, references, searches, self.progress)
        loop.on_refused = lambda refused: self._note_refusal(refused, by_name[refused.subject])
        with interruptible(loop.interrupt):
            loop.ask()
            if self.meanwhile is not None:
                self.meanwhile()
            loop.run()
        loop.finish()
        references.close()
        memory_tuning.release_free_memory()
        return self._result(subjects, loop)

    def _note_refusal(self, refused: Refused, subject: Subject) -> None:
        if line := refusal(refused, subject, self.settings):
            self.progress.note(line)

    def _result(self, subjects: Sequence[Subject], loop: _AnswerLoop) -> Run:
        from conformance.execution.run_description import description  # late: the workers start before
        from conformance.results.run import Run  # late: as above

        plan, collector = loop.plan, loop.collector
        frames = collector.frames([search.row() for search in loop.searches.finished])
        complete = len(frame := frames.pop("results")) == plan.checks and not loop.interrupted
        cases = {group.case.id: group.case for group in plan.groups}
        environment = {
            **description(self.id, self.started, frame, cases.values()),
            "complete": complete,
            "interrupted": loop.interrupted,
            "settings": vars(self.settings),
            "subjects": {subject.name: loop.record.participants.about(subject) for subject in subjects},
            "checks_planned": plan.checks,
            **collector.deviations.environment(list(cases.values()), complete),
            "unsteady": {name: count for name, count in sorted(collector.unsteady.items()) if count},
        }
        return Run(frame, environment, frames, arguments=lambda case, dtype: cases[case].with_upstream(dtype))


@dataclass
class _AnswerLoop:
    """Loop over the workers' messages: answers are journalled, judged, and may lead to further requests.

    Attributes:
        plan: What is asked.
        workers: Who answers it.
        record: Takes every answer before it is judged.
        collector: Judges a group once its last answer is there.
        references: The exact values, computed while no message waits.
        searches: The searches for breakpoints in sweeps that have been judged.
        progress: Is told how far the run is.
        on_refused: Gets what a worker says that is not to be had on its machine.
        interrupted: The signal that ended the loop early.
    """

    plan: Plan
    workers: WorkerGroups
    record: AnswerRecord
    collector: Collector
    references: References
    searches: Searches
    progress: Progress
    on_refused: Callable[[Refused], object] | None = None
    interrupted: str = ""

    def __post_init__(self) -> None:
        self._unanswered = {name: len(requests) for name, requests in self.plan.requests.items()}
        self._judged_groups = 0
        self._watched = 0.0

    def interrupt(self, signal: str) -> None:
        """Notes the signal that ends the loop."""
        self.interrupted = signal

    def ask(self) -> None:
        """Sends every request of the plan to its worker."""
        asked = self.plan.requests
        self.progress.planned({name: sum(len(each.quantities) for each in asked[name]) for name in asked})
        for subject, requests in asked.items():
            self._submit(subject, requests)
        self._close_if_answered()

    def run(self) -> None:
        """Handles answers until none can come."""
        for answer in self._answers():
            self._handle(answer)

    def finish(self) -> None:
        """Judges what an interrupted run has of groups that never became complete."""
        for group, rows in self.collector.finish_all():
            self._after_judging(group, rows)

    def _submit(self, subject: str, requests: Sequence[Request]) -> None:
        """Sends requests to their worker, but for those that an interrupted run has answered already."""
        fresh = []
        for request in requests:
            answer = self.record.replay(subject, request)
            if answer is None:
                fresh.append(request)
            else:
                self.workers.messages.put(answer)
        self.workers.submit(subject, fresh)

    def _answers(self) -> Iterator[Answer]:
        """Answers as they come, until none can come; exact values are computed in the meantime."""
        messages, ahead = self.workers.messages, self.references.ahead()
        ended: Counter[str] = Counter()
        while not self._is_over(ended):
            try:
                message = messages.get_nowait()
            except queue.Empty:
                self._watch()
                if next(ahead, False):
                    continue
                try:
                    message = messages.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    continue
            batch = [message, *messages.take_available(MESSAGES_A_WRITE)]
            self.record.add(batch)
            for message in batch:
                if isinstance(message, Ended):
                    ended[message.subject] += 1
                elif isinstance(message, Refused) and self.on_refused is not None:
                    self.on_refused(message)
                elif isinstance(message, Answer):
                    yield message
            self._watch()

    def _is_over(self, ended: Counter[str]) -> bool:
        """Whether all is answered, and every subject has said what it is; or every process has ended."""
        met = {*self.record.participants.met, *ended} >= set(self.workers.subjects)
        return (met and self._all_answered) or ended.total() == self.workers.processes

    @property
    def _all_answered(self) -> bool:
        # A group is judged when its last subject answers, so a search may start in any worker until then.
        return not any(self._unanswered.values()) and not self.searches.running

    def _close_if_answered(self) -> None:
        if self._all_answered:
            self.workers.close()

    def _watch(self) -> None:
        """Looks after the workers' time limits, and holds those back that are far ahead of the last."""
        now = time.monotonic()
        if now - self._watched < WATCH_SECONDS:
            return
        self._watched = now
        last = max(self._unanswered, key=self._unanswered.__getitem__, default="")
        far_ahead = self.collector.bytes_waiting > MAX_WAITING_ANSWER_BYTES
        self.workers.watch(now, last if far_ahead else None)

    def _handle(self, answer: Answer) -> None:
        worker = self.workers.worker_of(answer.subject, answer.request)
        self.record.participants.charge(answer, worker)
        further = self.searches.take(answer)
        if further:
            self._submit(answer.subject, further)
        elif further is None:
            self._unanswered[answer.subject] -= 1
            self.progress.answered(answer.subject, len(answer.request.quantities))
            rows = self.collector.add(answer)
            if rows is not None:
                self._after_judging(answer.request.group, rows)
        self._close_if_answered()

    def _after_judging(self, group: Group, rows: list[dict[str, Any]]) -> None:
        """Lets go of what belongs to a group that has been judged, and searches where its relations broke."""
        self.references.drop(group)
        group.release()
        self._judged_groups += 1
        if self._judged_groups % GROUPS_A_TRIM == 0:
            memory_tuning.release_free_memory()
        self.progress.judged(rows)
        broken = self.collector.relations.broken
        if broken and not self.interrupted:
            for subject, requests in self.searches.begin(group, self.workers.subjects, broken):
                self._submit(subject, requests)
