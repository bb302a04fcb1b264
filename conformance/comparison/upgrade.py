"""Upgrade: two versions of a framework side by side on the same bits, and what changed between them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance import report
from conformance.adapters.registry import FRAMEWORKS
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.comparison.difference import Difference, diff
from conformance.errors import RunError, SubjectError
from conformance.execution import session
from conformance.results import observation_store
from conformance.results.journal import OBSERVATIONS
from conformance.results.run import Run
from conformance.subjects.subject import MODES, Subject, parse, with_pins


def upgrade(
    old: str,
    new: str,
    *,
    subjects: Sequence[str] = (),
    output: str | Path,
    cases: Sequence[str] = (),
    paths: Sequence[str | Path] = (),
    python: str | None = None,
    factor: float = 2.0,
    known: Sequence[str | Path] = (),
    **options: Any,
) -> tuple[Run, Difference | None]:
    """Runs two sets of pins (``torch==1.10.0`` or ``torch==2.12.1,numpy==2.1.0``) and compares them.

    Args:
        old: The pins of the earlier side, a framework among them.
        new: The pins of the later side, of the same frameworks.
        subjects: Further subjects, as ``torch:compile``, beside each framework's default mode.
        output: Receives the run of both side by side, in `old/` and `new/` a run of each, and the difference.
        cases: Ids of cases; none: all.
        paths: Case files or folders; none: the suite's own corpus.
        python: The Python to build both environments on; None: the newest that fits both.
        factor: How many times larger an error counts as changed.
        known: Files of deviations that the caller accepts; what they accept regresses nothing.
        **options: Further arguments of `conformance.run`.

    Returns:
        The run of both, and the difference; None in its place where the run was interrupted.

    Raises:
        SubjectError: The pins are none, do not fit together, or a side cannot be started.
        RunError: There is no such case, or `output` cannot be written.
    """
    sides = _subjects(old, subjects), _subjects(new, subjects)
    if len(sides[0]) != len(sides[1]) or {s.unpinned for s in sides[0]} != {s.unpinned for s in sides[1]}:
        raise SubjectError(f"{old} and {new} pin different frameworks: an upgrade compares one with itself")
    names = [[subject.name for subject in side] for side in sides]
    if set(names[0]) & set(names[1]):
        raise SubjectError(f"{old} and {new} are the same pins")
    under_test = [_on(subject, python) for subject in (*sides[0], *sides[1])]
    chosen = _chosen(paths, cases, known) if cases else None
    run = session.run(paths, under_test=under_test, output=output, cases=chosen, known=known, **options)
    folder = Path(output)
    if run.environment.get("interrupted"):
        report.write(run, folder)
        return run, None
    _refuse_what_never_started(run)
    parts = [_part(run, side, folder / name) for side, name in zip(names, ("old", "new"), strict=True)]
    difference = diff(*parts, factor=factor)
    difference.save(folder)
    report.write(run, folder)
    report.write(parts[0], folder / "old")
    report.write(parts[1], folder / "new", difference=difference)
    return run, difference


def _refuse_what_never_started(run: Run) -> None:
    for name, about in run.environment["subjects"].items():
        if "version" not in about:
            messages = run.frame.loc[run.frame["subject"] == name, "message"]
            raise SubjectError(f"subject {name!r} did not start: {next(iter(messages), 'no word of it')}")


def _chosen(paths: Sequence[str | Path], names: Sequence[str], known: Sequence[str | Path]) -> list[Case]:
    """The cases of these ids; RunError for an id that there is not."""
    by_id = {case.id: case for case in load_cases([Path(path) for path in paths] or None, known=known)}
    for name in names:
        if name not in by_id:
            near = difflib.get_close_matches(name, by_id, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `conformance list cases` shows them all"
            raise RunError(f"--case {name}: no such case{hint}")
    return [by_id[name] for name in dict.fromkeys(names)]


def _on(subject: Subject, python: str | None) -> Subject:
    return subject if python is None else dataclasses.replace(subject, python=python)


def _subjects(pins: str, modes: Sequence[str]) -> list[Subject]:
    """One side's subjects: each pinned framework in its default mode and in those that were asked for."""
    texts = [text.strip() for text in pins.split(",") if text.strip()]
    for text in texts:
        if text.count("==") != 1 or not all(text.split("==")):
            raise SubjectError(f"{text!r} is no pin: write package==version, as torch==1.10.0")
    frameworks = [text.split("==")[0] for text in texts if text.split("==")[0] in FRAMEWORKS]
    # NumPy is a framework of its own, and every other one's companion.
    frameworks = [name for name in frameworks if name != "numpy"] or frameworks
    if not frameworks:
        raise SubjectError(f"{pins}: no framework is pinned; one of {', '.join(FRAMEWORKS)} must be")
    further = [parse(text) for text in modes]
    for subject in further:
        if subject.framework not in frameworks:
            raise SubjectError(f"--subject {subject.name}: {subject.framework} is not pinned by {pins}")
    subjects = []
    for framework in frameworks:
        companions = [text for text in texts if text.split("==")[0] == framework or _is_companion(text)]
        under_test = [subject for subject in further if subject.framework == framework]
        if not any(_is_plain(subject) for subject in under_test):
            under_test.insert(0, parse(framework))
        subjects += [with_pins(subject, companions) for subject in under_test]
    return subjects


def _is_plain(subject: Subject) -> bool:
    """Whether a subject is its framework as it runs by itself."""
    return subject.mode in (None, MODES[subject.framework][0]) and not (subject.variant or subject.device)


def _is_companion(pin: str) -> bool:
    name = pin.split("==")[0]
    return name == "numpy" or name not in FRAMEWORKS


def _part(run: Run, names: Sequence[str], folder: Path) -> Run:
    """The part of a run that these subjects make up, saved in `folder` as a run of its own."""
    frames = {}
    for name, frame in run.frames.items():
        columns = [column for column in ("subject", "subject_a", "subject_b") if column in frame]
        inside = frame[columns].isin(list(names)).all(axis=1)
        frames[name] = frame[inside].reset_index(drop=True)
    results = run.frame[run.frame["subject"].isin(list(names))].reset_index(drop=True)
    counts = results["verdict"].value_counts().to_dict()
    environment = {
        **run.environment,
        "subjects": {name: about for name, about in run.environment["subjects"].items() if name in names},
        "settings": {**run.environment["settings"], "subjects": list(names)},
        "counts": {str(name): int(counts[name]) for name in sorted(map(str, counts))},
        "checks_planned": len(results),
    }
    part = Run(results, environment, frames, arguments=run.arguments)
    try:
        part.save(folder)
        record = (run.directory or folder) / OBSERVATIONS
        if record.is_file():
            observation_store.split(record, dict.fromkeys(names, folder / OBSERVATIONS))
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return part
