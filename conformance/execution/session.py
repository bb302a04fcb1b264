"""Runs a plan: one worker a subject, side by side, fed ahead; exact values are computed while they work.

What is imported here comes before the workers start; the rest is imported while they import theirs.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.caches import cache_directory
from conformance.errors import RunError, SubjectError
from conformance.execution import memory_tuning, scheduling
from conformance.execution.participants import Roster
from conformance.execution.progress import Progress, Silent
from conformance.execution.signals import interruptible
from conformance.execution.worker import Limits, Worker
from conformance.execution.worker_group import Crew, compiles
from conformance.execution.worker_slots import GLANCE, Turns
from conformance.plan import profiles
from conformance.plan.events import Answer, Ended, Hello, Message, MessageQueue, Refused
from conformance.plan.selection import Settings, pick
from conformance.results import journal
from conformance.subjects.subject import Subject, select

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.judging.breakpoints import Search
    from conformance.judging.collector import Collector
    from conformance.judging.references import References
    from conformance.plan.requests import Group, Plan, Request, Wanted
    from conformance.results.run import Run

#: Messages that are journalled in one write.
MESSAGES_A_WRITE = 256
#: Bytes of answers that wait for other subjects' from which on all but the last subject are held back.
MAX_WAITING_ANSWER_BYTES = 1 << 27
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
) -> Run:
    """Runs cases through subjects and judges every check.

    `paths`: case files or folders (default: the suite's corpus). `subjects`: as ``torch`` or
    ``torch:compile`` (default: every installed framework). `operations`, `dtypes`, `tags` select cases;
    `large` adds those that run only on demand; `profile` ``full`` does so too and, where no subjects are
    named, adds every mode and device of each framework.
    `output`: the directory that receives the run's files (None: nothing is written). `resume` goes on with
    the run that was interrupted there. `limit`: seconds a check; `start_limit`: seconds until a worker has
    imported its framework; `memory`: bytes a worker; `workers`: how many subjects run at a time (None: all).
    `repeat`: how often each check is asked; where a subject's bits differ, the worst verdict stands, and its
    message says so. `python`: the interpreter of the subjects that state none; `subjects_file`: a
    `subjects.yaml`. `known`: the user's own files of known deviations. `cases` and `under_test` replace what
    would be loaded by `paths` and `subjects`; `wanted` narrows the checks; `publish` draws further files into
    a directory that takes its place in `output` before another run may write there; `meanwhile` is called
    while the frameworks are imported.

    Returns the Run; interrupted (SIGINT, SIGTERM), it is what had been judged, marked incomplete. Raises
    CaseError, SubjectError or RunError, each one clear line.
    """
    settings = Settings(
        [str(path) for path in paths],
        list(subjects),
        list(operations),
        list(dtypes),
        list(tags),
        limit,
        memory,
        python,
        None if subjects_file is None else str(subjects_file),
        large,
        profile,
        start_limit,
        repeat,
        [str(path) for path in known],
    )
    session = _Session(settings, progress or Silent(), wanted, Turns(workers))
    session.meanwhile = meanwhile
    if output is None:
        if resume:
            raise RunError("--resume needs the --output of the run that was interrupted")
        with memory_tuning.of_a_run():
            return session.execute(cases, under_test, None)
    with memory_tuning.of_a_run(), journal.RunDirectory(Path(output), session.id) as directory:
        result = session.execute(cases, under_test, directory, resume)
        with directory.staged() as beside:
            result.write(beside)
            memory_tuning.let_go()
            if publish is not None:
                publish(result, beside)
        result.directory = directory.path
        if result.complete:
            directory.finish()
    return result


class _Session:
    """One execution, from the start of its workers to its Run."""

    def __init__(self, settings: Settings, progress: Progress, wanted: Wanted | None, turns: Turns) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.settings = settings
        self.progress = progress
        self.wanted = wanted
        self.turns = turns
        self.inbox = MessageQueue()
        self.judged_groups = 0
        self.crews: dict[str, Crew] = {}
        self.under_test: dict[str, Subject] = {}
        self.roster = Roster()
        self.searches: dict[tuple[str, int], Search] = {}
        self.active: dict[str, int] = {}
        self.left: dict[str, int] = {}
        self.finished_searches: list[Search] = []
        self.recorded: journal.Recorded = {}
        self.directory: journal.RunDirectory | None = None
        self.interrupted = ""
        self.meanwhile: Callable[[], None] | None = None
        self.next_index = 0
        self.watched = 0.0
        self.started = time.time()

    def execute(
        self,
        cases: Sequence[Case] | None,
        under_test: Sequence[Subject] | None,
        directory: journal.RunDirectory | None,
        resume: bool = False,
    ) -> Run:
        """The whole run."""
        self.directory = directory
        if directory is not None and resume:
            self._take_over(directory)
        elif directory is not None:
            directory.begin({"settings": vars(self.settings)})
        subjects = list(under_test) if under_test is not None else self._select()
        try:
            # A fault of the call is told before an environment is built.
            if any(one.pins for one in subjects):
                pick(cases := self._load(cases), self.settings)
                from conformance.subjects import environments

                subjects = environments.provide(subjects, self.progress.note)
            self._start(subjects)
            from conformance.plan import requests as plan

            cases = self._load(cases)
            chosen = pick(cases, self.settings)
            wanted = self.wanted or profiles.wanted_by(self.settings.profile)
            names = [one.name for one in subjects]
            the_plan = plan.make(chosen, names, self.settings.dtypes, wanted, self.settings.repeat)
            if directory is not None:  # Only now: a call at fault must not cost an interrupted run's journal.
                directory.open_journal({"settings": vars(self.settings)}, resume)
            return self._drive(the_plan, subjects)
        finally:
            for crew in self.crews.values():
                crew.stop()
            while self.crews:  # They are let go, with every request that they know.
                self.crews.popitem()[1].join(5.0)

    def _select(self) -> list[Subject]:
        subjects, notes = select(self.settings.subjects, self.settings.python, self.settings.subjects_file)
        for note in notes:
            self.progress.note(note)
        if self.settings.profile == "full" and not self.settings.subjects:
            return profiles.expanded(subjects)
        if self.settings.profile == "kernels":
            subjects, notes = profiles.with_variants(subjects)
            for note in notes:
                self.progress.note(note)
        return subjects

    def _load(self, cases: Sequence[Case] | None) -> Sequence[Case]:
        from conformance.cases.loader import load_cases

        if cases is not None:
            return cases
        return load_cases([Path(path) for path in self.settings.paths] or None, known=self.settings.known)

    def _take_over(self, directory: journal.RunDirectory) -> None:
        header, hellos, self.recorded = directory.recorded()
        if header is None:
            raise RunError(f"{directory.path}: there is no interrupted run to resume here")
        try:
            self.settings = Settings(**header["settings"])
        except (KeyError, TypeError):
            raise RunError(f"{directory.path}: another version began this run; run it anew") from None
        for hello in hellos:
            self.roster.expect(hello)

    def _start(self, subjects: Sequence[Subject]) -> None:
        limits = Limits(self.settings.limit, self.settings.start, memory=self.settings.memory)
        environment = {"CONFORMANCE_CACHE": str(cache_directory())}
        self.under_test = {subject.name: subject for subject in subjects}
        for subject in subjects:
            nice = scheduling.niceness(subject, subjects)
            make = partial(Worker, subject, self.inbox, limits, environment, self.turns, nice)
            self.crews[subject.name] = Crew(make, may_share=self.turns.unlimited and compiles(subject))
            self.crews[subject.name].start()

    def _drive(self, the_plan: Plan, subjects: Sequence[Subject]) -> Run:
        from conformance.judging.collector import Collector
        from conformance.judging.references import References

        references = References(cache_directory(), the_plan.groups)
        told = self.roster.versions, self.roster.processors
        collector = Collector(the_plan, references.get, *told, {one.name: one for one in subjects})
        collector.kernels = self.roster.kernels
        collector.on_group = self._on_group(collector, references)
        self.next_index = 1 + max((r.index for rs in the_plan.requests.values() for r in rs), default=0)
        self.progress.planned(
            {name: sum(len(r.quantities) for r in rs) for name, rs in the_plan.requests.items()}
        )
        self.left = {name: len(requests) for name, requests in the_plan.requests.items()}
        self.active = dict.fromkeys(the_plan.requests, 0)
        with interruptible(self._interrupt):
            for name, requests in the_plan.requests.items():
                self._ask(name, requests)
            self._close_if_done()
            if self.meanwhile is not None:
                self.meanwhile()
            for message in self._messages(references.ahead(), collector):
                self._handle(message, collector)
        collector.finish_all()
        references.close()
        memory_tuning.let_go()
        return self._run(the_plan, subjects, collector)

    def _ask(self, subject: str, requests: Sequence[Request]) -> None:
        """Sends requests to their worker, but for those that an interrupted run has answered already."""
        fresh = []
        for request in requests:
            frame = self.recorded.get((subject, request.key)) if self.recorded else None
            if frame is None:
                fresh.append(request)
            else:
                self.inbox.put(journal.replay(frame, request))
        self.crews[subject].submit(fresh)

    def _messages(self, ahead: Iterator[bool], collector: Collector) -> Iterator[Message]:
        """Messages as they come, until none is left to come; exact values are computed in the meantime."""
        ended: Counter[str] = Counter()
        while not self._all_told(ended):
            try:
                message = self.inbox.get_nowait()
            except queue.Empty:
                self._watch(collector)
                if next(ahead, False):
                    continue
                try:
                    message = self.inbox.get(timeout=0.2)
                except queue.Empty:
                    continue
            batch = [message, *self.inbox.take_available(MESSAGES_A_WRITE)]
            self._record(batch)
            for one in batch:
                if isinstance(one, Ended):
                    ended[one.subject] += 1
                else:
                    yield one
            self._watch(collector)

    def _all_told(self, ended: Counter[str]) -> bool:
        """Whether all is answered, and every subject has said what it is; or every process has ended."""
        met = {*self.roster.met, *ended} >= self.crews.keys()
        return (met and self._all_answered) or ended.total() == sum(map(len, self.crews.values()))

    def _watch(self, collector: Collector) -> None:
        now = time.monotonic()
        if now - self.watched < GLANCE:
            return
        self.watched = now
        last = max(self.left, key=self.left.__getitem__, default="")
        far = (
            self.turns.unlimited and collector.held > MAX_WAITING_ANSWER_BYTES
        )  # who is held has no turn to give to the last
        for name, crew in self.crews.items():
            crew.hold(far and name != last)
            crew.watch(now)

    def _handle(self, message: Message, collector: Collector) -> None:
        if isinstance(message, Refused):
            self._refused(message)
        if not isinstance(message, Answer):
            return
        self.roster.charge(message, self.crews[message.subject].place(message.request))
        search = self.searches.pop((message.subject, message.request.index), None)
        if search is not None:
            if search.take(message):
                self._search_on(search)
        else:
            self.left[message.subject] -= 1
            self.progress.answered(message.subject, len(message.request.quantities))
            collector.add(message)
        self._close_if_done()

    def _refused(self, message: Refused) -> None:
        """SubjectError where a variant or device that was asked for by name is not to be had."""
        subject = self.under_test[message.subject]
        if not (subject.variant or subject.device):
            return
        if subject.name in self.settings.subjects or self.settings.subjects_file is not None:
            raise SubjectError(f"subject {subject.name!r}: {message.reason}")
        self.progress.note(f"{subject.name} was left out: {message.reason}")

    def _record(self, messages: Sequence[Message]) -> None:
        """Journals the answers among the messages before any of them is judged."""
        fresh = []
        for message in messages:
            if isinstance(message, Hello):
                if self.roster.meet(message) and self.directory is not None:
                    self.directory.record_hello(message)
            elif isinstance(message, Answer) and not self._is_recorded(message):
                fresh.append((message, self.roster.versions.get(message.subject, "")))
        if self.directory is not None:
            self.directory.record(fresh)

    def _is_recorded(self, answer: Answer) -> bool:
        return bool(self.recorded) and (answer.subject, answer.request.key) in self.recorded

    def _on_group(
        self, collector: Collector, references: References
    ) -> Callable[[Group, list[dict[str, Any]]], None]:
        def judged(group: Group, rows: list[dict[str, Any]]) -> None:
            references.drop(group)
            self.judged_groups += 1
            if self.judged_groups % GROUPS_A_TRIM == 0:
                memory_tuning.let_go()
            group.release()
            self.progress.judged(rows)
            if "frontier" in group.case.tags and not self.interrupted:
                self._search(group, collector, references)

        return judged

    def _search(self, group: Group, collector: Collector, references: References) -> None:
        from conformance.judging.breakpoints import Search
        from conformance.operations import OPERATIONS

        operation = OPERATIONS[group.case.operation]
        for relation in operation.relations:
            for subject in self.crews:
                for right in (relation.right, "composed"):
                    beyond = collector.broken.pop((group.index, subject, relation.left, right), None)
                    if beyond is not None:
                        self._search_on(
                            Search(
                                group, subject, relation.name, relation.left, right, beyond, references.once
                            ),
                            new=True,
                        )

    def _search_on(self, search: Search, new: bool = False) -> None:
        requests = search.next_requests(self.next_index)
        self.next_index += len(requests)
        if requests:
            self.active[search.subject] += new
            for request in requests:
                self.searches[search.subject, request.index] = search
            self._ask(search.subject, requests)
        else:
            self.active[search.subject] -= not new
            self.finished_searches.append(search)

    @property
    def _all_answered(self) -> bool:
        # A group is judged when its last subject answers, so a search may start in any worker until then.
        return not any(self.left.values()) and not any(self.active.values())

    def _close_if_done(self) -> None:
        if self._all_answered:
            for crew in self.crews.values():
                crew.close()

    def _interrupt(self, name: str) -> None:
        self.interrupted = name

    def _run(self, the_plan: Plan, subjects: Sequence[Subject], collector: Collector) -> Run:
        from conformance.judging import frames as assembly
        from conformance.results.run import Run

        frames = assembly.frames(collector, [search.row() for search in self.finished_searches])
        frame = frames.pop("results")
        complete = not self.interrupted and len(frame) == the_plan.checks
        chosen = list({group.case.id: group.case for group in the_plan.groups}.values())
        environment = {
            **assembly.environment(self.id, self.started, frame),
            "complete": complete,
            "interrupted": self.interrupted,
            "settings": vars(self.settings),
            "subjects": {one.name: self.roster.about(one) for one in subjects},
            "checks_planned": the_plan.checks,
            **collector.deviations.environment(chosen, complete),
            "unsteady": {name: count for name, count in sorted(collector.unsteady.items()) if count},
        }
        by_id = {case.id: case for case in chosen}
        return Run(frame, environment, frames, arguments=lambda case, dtype: by_id[case].with_upstream(dtype))
