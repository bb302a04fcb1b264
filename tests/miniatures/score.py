"""The mutation score: every miniature as `conformance check` judges it, written to docs/mutation-score.md.

    python tests/miniatures/score.py [--framework torch ...] [--operation softmax ...] [--name fused ...]
                                     [--jobs N] [--resume FILE] [--answers DIRECTORY]

One worker answers for a dozen miniatures at a time: what comes out is what `check --invalid fail` says of
each, its exit code (1: it fails, 0: it conforms) included. Checks are asked again of those alone that are
marked as unsteady.
Two dozens at a time by default. With --resume, complete results are kept in a file as they come, and those
that are in it already are taken from it while the miniature's file has the same text; begin a new file when
cases or the package change. With --answers, the answers themselves are kept, by all that they rest on: when
words of the verdict alone have changed, the whole score takes minutes. Where a dozen's process dies, each of
the dozen is judged by itself, and the one that it dies of has no result. Exit 1 where a wrong one survives or
a right one is failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import table
from kept_answers import Answers
from kept_results import FIELDS, Kept, Result

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking import check, judgement, report, unsteady
from conformance.checking.check_run import records
from conformance.checking.conventions import decided
from conformance.execution import session
from conformance.results.run import Run
from conformance.subjects.subject import Subject

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FRAMEWORKS = ("torch", "numpy", "jax", "tensorflow")
#: A wrong miniature that fewer cases than this catch shows where the corpus is thin.
THIN = 3
#: Miniatures that one run holds: the frames of all together would not fit into the memory of a small machine.
TOGETHER = 12


def run_framework(
    framework: str,
    miniatures: Sequence[table.Miniature],
    cases: Sequence[Case],
    answers: Answers | None = None,
) -> list[Result]:
    """The results of a framework's miniatures, all from one run."""
    names: dict[str, list[str]] = {}
    for one in miniatures:
        names.setdefault(one.operation, []).append(one.name)
    declared = conventions_of(miniatures[0])
    chosen = {
        operation: decided(check.pick(cases, operation, framework, ()), declared) for operation in names
    }
    asked = [  # where a convention decides there is no control
        dataclasses.replace(case, formulations=(*(() if case.conventions else case.formulations), *own))
        for operation, some in chosen.items()
        for case in some
        for own in [names[operation]]
    ]
    command = (sys.executable, "-u", str(HERE / "serve_many.py"))
    subject = Subject(framework, framework, command=command, environment={"OMP_NUM_THREADS": "2"})
    run = (answers or Answers(None)).get(
        miniatures, asked, lambda: session.run(cases=asked, under_test=[subject])
    )
    return [
        of_miniature(one, run, chosen[one.operation], len(cases), asked_again(one, subject))
        for one in miniatures
    ]


def asked_again(one: table.Miniature, subject: Subject) -> unsteady.Ask | None:
    """What asks an unsteady miniature's checks again; None for all others."""
    if not one.unsteady:
        return None

    def again(groups: Collection[tuple[str, str]]) -> Sequence[unsteady.Row]:
        chosen = frozenset(groups)
        cases = [case for case in loaded(()) if case.id in {name for name, _ in chosen}]
        run = session.run(
            cases=[dataclasses.replace(case, formulations=(one.name,)) for case in cases],
            under_test=[subject],
            repeat=unsteady.REPEATS,
            wanted=lambda _, case, dtype, name, quantity: (case.id, dtype) in chosen,
        )
        return records(run.frame)

    return again


def conventions_of(miniature: table.Miniature) -> dict[str, object]:
    """The conventions that a miniature declares."""
    return dict(getattr(miniature.function, "conventions", {}))


def together(miniatures: Sequence[table.Miniature]) -> Iterator[list[table.Miniature]]:
    """Those that one run can hold: a dozen, of the same conventions."""
    for conventions in {str(conventions_of(one)): None for one in miniatures}:
        alike = [one for one in miniatures if str(conventions_of(one)) == conventions]
        for start in range(0, len(alike), TOGETHER):
            yield alike[start : start + TOGETHER]


def of_miniature(
    one: table.Miniature, run: Run, cases: Sequence[Case], over: int, again: unsteady.Ask | None = None
) -> Result:
    """Judges one miniature's rows as `conformance check` would, the framework's own beside them."""
    name = f"{Path(one.file).stem}.{one.name}"
    user = Subject(name, one.framework, function=one.where, operation=one.operation)
    control = Subject(one.framework, one.framework)
    frame = run.frame[run.frame["operation"] == one.operation]
    mine = frame[frame["formulation"] == one.name].assign(subject=name, formulation="functional")
    its = frame[frame["formulation"].isin(["functional", "composed"])]
    compared = run.invariance()
    own = compared[(compared["operation"] == one.operation) & (compared["formulation"] == one.name)]
    frames = {"invariance": own.assign(subject=name, formulation="functional")}
    both = Run(pd.concat([mine, its]), {**run.environment, "subjects": {}}, frames)
    checked = judgement.judged(both, user, control, cases, strict=False, invalid="fail", again=again)
    failed = checked.discrepancies()
    shown = report.shown_checks(checked)
    said = (checked.diagnosis.sentence if checked.diagnosis else "").lower()
    return Result(
        one,
        len(failed),
        failed["case"].nunique(),
        any(word.lower() in said for word in one.cause),
        report.sentence(checked),
        shown[0]["case"] if shown else "",
        len(checked.inherited()),
        checked.exit_code,
        over,
    )


def page(results: Sequence[Result]) -> str:
    """The page of the score."""
    over = sorted({one.over for one in results})
    cases = f"{over[0]} to {over[-1]}" if len(over) > 1 else str(over[0])
    wrong = [one for one in results if not one.miniature.is_right]
    right = [one for one in results if one.miniature.is_right]
    caught = [one for one in wrong if one.caught]
    named = sum(one.names_cause for one in caught)
    thin = [one for one in caught if one.cases < THIN]
    failed = [one for one in right if one.caught]
    lines = [
        "# Mutation score",
        "",
        f"{len(wrong)} wrong implementations and {len(right)} right ones (`tests/miniatures/`) under "
        f"`conformance check` in {', '.join(dict.fromkeys(one.miniature.framework for one in results))}, "
        f"over {cases} cases. Written by `python tests/miniatures/score.py`.",
        "",
        f"- **{len(caught)} of {len(wrong)} wrong ones are caught.**",
        f"- **In {named} of {len(caught)} the first line names the planted cause** "
        f"({named / max(1, len(caught)):.1%}): it has one of the words that stand beside the miniature in "
        "`tests/miniatures/`, which say where or by how much it is wrong (`everywhere` where it computes "
        "another function). The others are listed below.",
        f"- **{len(failed)} of {len(right)} right ones are failed.**",
        "- With `--invalid fail` the exit code is 1 for "
        f"{sum(one.code == 1 for one in wrong)} of the wrong ones, "
        f"and 0 for {sum(one.code == 0 for one in right)} of the right ones.",
        f"- {len(thin)} wrong ones are caught by fewer than {THIN} cases.",
        "",
        "| kind of failure | wrong | caught |",
        "| --- | ---: | ---: |",
    ]
    for kind in table.KINDS:
        some = [one for one in wrong if one.miniature.kind == kind]
        lines.append(f"| {kind} | {len(some)} | {sum(one.caught for one in some)} |")
    lines += _section("Survivors", [one for one in wrong if not one.caught], "The corpus does not see these.")
    lines += _awaiting([one for one in wrong if one.miniature.awaits])
    lines += _section("Thin", thin, f"Fewer than {THIN} cases catch these.")
    lines += _section("Right ones that are failed", failed, "")
    unnamed = [one for one in caught if not one.names_cause]
    lines += _section("Caught without the cause in words", unnamed, "")
    lines += ["", "## Every wrong one", "", *_table(wrong)]
    lines += ["", "## Every right one", ""]
    lines += ["| miniature | operation | how it differs | inherited |", "| --- | --- | --- | ---: |"]
    for one in right:
        about = _cell(one.miniature.about)
        lines.append(f"| `{one.miniature.name}` | {one.miniature.operation} | {about} | {one.inherited} |")
    return "\n".join(lines) + "\n"


def _section(title: str, results: Sequence[Result], text: str) -> list[str]:
    if not results:
        return ["", f"## {title}", "", "None."]
    return ["", f"## {title}", "", *([text, ""] if text else []), *_table(results)]


def _awaiting(results: Sequence[Result]) -> list[str]:
    """The axes that the corpus lacks, each with the wrong ones that only it would catch."""
    if not results:
        return []
    axes = dict.fromkeys(one.miniature.awaits for one in results)
    lines = ["", "## Awaiting an axis", "", "| axis that no case has yet | wrong ones |", "| --- | --- |"]
    for axis in axes:
        names = ", ".join(f"`{one.miniature.name}`" for one in results if one.miniature.awaits == axis)
        lines.append(f"| {axis} | {names} |")
    return lines


def _table(results: Sequence[Result]) -> list[str]:
    columns = "miniature | operation | kind | what is wrong | checks | cases | first case | first line"
    lines = [f"| {columns} |", "| --- | --- | --- | --- | ---: | ---: | --- | --- |"]
    for one in results:
        m = one.miniature
        said = one.sentence.partition(" is wrong: ")[2].removesuffix(".")
        lines.append(
            f"| `{m.name}` | {m.operation} | {m.kind} | {_cell(m.about)} | {one.checks} | {one.cases} "
            f"| {one.first} | {_cell(said)} |"
        )
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


@lru_cache(maxsize=1)
def loaded(paths: tuple[Path, ...]) -> list[Case]:
    """The cases, once a process."""
    return load_cases(paths or None)


def of_framework(framework: str) -> list[table.Miniature]:
    """The miniatures of a framework."""
    return [one for one in table.load_all(table.modules_of(framework)) if one.framework == framework]


def judge(
    framework: str, names: Sequence[str], paths: tuple[Path, ...], answers: Path | None
) -> list[dict[str, Any]]:
    """The fields of the results of miniatures by name, which another process can be asked for."""
    chosen = [one for one in of_framework(framework) if one.name in names]
    results = run_framework(framework, chosen, loaded(paths), Answers(answers))
    return [{"name": one.miniature.name, **{key: getattr(one, key) for key in FIELDS}} for one in results]


class Judge:
    """A process that judges batches one after the other, and a new one where it has died."""

    def __init__(self, paths: tuple[Path, ...], answers: Path | None = None) -> None:
        self.paths, self.answers = paths, answers
        self.pool: ProcessPoolExecutor | None = None

    def results(self, batch: Sequence[table.Miniature]) -> list[Result]:
        """The results of a batch; what fails is split into single miniatures, and one that fails has none."""
        by_name = {one.name: one for one in batch}
        try:
            self.pool = self.pool or ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
            asked = self.pool.submit(judge, batch[0].framework, list(by_name), self.paths, self.answers)
            judged = asked.result()
            return [Result(by_name[fields.pop("name")], **fields) for fields in judged]
        except Exception as error:  # whatever a miniature makes the judge do, the others are judged
            self.close()
            if len(batch) == 1:
                print(f"{batch[0].name} has no result: {error!r}", file=sys.stderr, flush=True)
                return []
            return [result for one in batch for result in self.results([one])]

    def close(self) -> None:
        """Ends the process."""
        if self.pool:
            self.pool.shutdown()
            self.pool = None


def judged(
    batches: Sequence[list[table.Miniature]], paths: tuple[Path, ...], jobs: int, answers: Path | None = None
) -> Iterator[Result]:
    """The results of batches as they come, `jobs` batches at a time in processes of their own."""
    idle: SimpleQueue[Judge] = SimpleQueue()
    for _ in range(jobs):
        idle.put(Judge(paths, answers))

    def results(batch: list[table.Miniature]) -> list[Result]:
        process = idle.get()
        try:
            return process.results(batch)
        finally:
            idle.put(process)

    with ThreadPoolExecutor(jobs) as threads:
        asked = {threads.submit(results, batch): batch for batch in batches}
        for future in as_completed(asked):
            yield from future.result()
            names = ", ".join(one.name for one in asked[future])
            print(f"{asked[future][0].framework} {names}", file=sys.stderr, flush=True)
    for _ in range(jobs):
        idle.get().close()


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--framework", action="append", choices=FRAMEWORKS)
    parser.add_argument("--operation", action="append")
    parser.add_argument("--name", action="append", help="these miniatures alone")
    parser.add_argument("--path", action="append", type=Path)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keeps results there, and takes them")
    parser.add_argument("--answers", type=Path, metavar="DIRECTORY", help="keeps answers there")
    parser.add_argument("--jobs", type=int, default=2, help="batches at a time; each is a run of its own")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "mutation-score.md")
    return parser.parse_args()


def main() -> int:
    """Runs, writes, and says what survived."""
    options = parsed()
    kept = Kept(options.resume)
    chosen = [
        one
        for framework in options.framework or FRAMEWORKS
        for one in of_framework(framework)
        if (not options.operation or one.operation in options.operation)
        and (not options.name or one.name in options.name)
    ]
    if not chosen:
        print("no miniature is like that", file=sys.stderr)
        return 2
    results = {(one.framework, one.name): kept.get(one) for one in chosen}
    left = [one for one in chosen if results[one.framework, one.name] is None]
    kinds = dict.fromkeys((one.framework, one.operation) for one in left)
    batches = [
        batch
        for kind in kinds
        for batch in together([one for one in left if (one.framework, one.operation) == kind])
    ]
    for result in judged(batches, tuple(options.path or ()), max(1, options.jobs), options.answers):
        if not result.is_complete:
            print(f"{result.sentence} No result.", file=sys.stderr, flush=True)
            continue
        kept.add([result])
        results[result.miniature.framework, result.miniature.name] = result
        done = [one for one in results.values() if one]
        options.output.write_text(page(done), "utf-8")  # as far as it has come
    done = [one for one in results.values() if one]
    options.output.write_text(page(done), "utf-8")
    lost = [one for one in done if one.otherwise]
    for one in lost:
        print(f"{one.otherwise}: {one.miniature.name}: {one.sentence}")
    without = [one.name for one in chosen if results[one.framework, one.name] is None]
    if without:
        print(f"without a result: {', '.join(without)}")
    print(f"{len(done)} miniatures, {len(lost)} judged otherwise than they are; {options.output}")
    return int(bool(lost or without))


if __name__ == "__main__":
    sys.exit(main())
