"""Writes docs/known-checks.md: the checks that known deviations speak of, in every mode and kernel variant.

    python docs/make_known_checks.py [SUBJECT ...] [--output DIRECTORY [--resume]]

The whole product in every mode takes hours; the checks that an entry of cases/*known.yaml could excuse take
minutes. All of them are asked of each subject (none named: every mode and variant that this processor runs),
one subject after the other, and the page says how many deviate as their entry states, how many conform, and
how many do something else. Exit 1 where an entry covers a conforming check without a written reason, or a
check of it is a discrepancy.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from conformance.adapters import hardware, registry
from conformance.cases.case import Case
from conformance.cases.deviations import Check, matches, speaks_of
from conformance.cases.loader import load_cases
from conformance.cases.models import Known, globbed
from conformance.execution import session
from conformance.plan import omissions, profiles
from conformance.results.loading import load
from conformance.results.run import Run
from conformance.subjects.subject import MODES, Subject, parse

PAGE = Path(__file__).parent / "known-checks.md"
#: Verdicts of checks that cost a process each.
COSTLY = {"crashed", "timed out"}
#: Instruction sets by which frameworks choose kernels.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16")


@dataclass(frozen=True)
class Count:
    """What the checks of one subject's entries did.

    Attributes:
        subject: The subject's name.
        version: The framework's version.
        asked: Checks that an entry speaks of and that the profile `full` asks.
        deviating: Those that deviate as the entry states.
        conforming: Those that conform; an entry does not excuse them.
        unsupported: Those that the subject does not offer.
        discrepancies: Those that do something else than the entry states.
        uncovered: Entries with conforming checks and no reason for it, and how many checks.
    """

    subject: str
    version: str
    asked: int
    deviating: int
    conforming: int
    unsupported: int
    discrepancies: int
    uncovered: dict[str, int]


def speaks(known: Known, case: Case, subject: Subject, dtype: str, formulation: str, quantity: str) -> bool:
    """Whether an entry could excuse a check of the subject itself, on whatever processor and kernels.

    A check that costs a process is not asked: some hundreds in a row, and a subject is given up.
    """
    check = Check(subject.names, dtype, formulation, quantity)
    if not any(globbed(known.subject, name) for name in subject.names):
        return False
    anywhere = known.model_copy(update={"processor": "", "kernels": "", "versions": ""})
    if not matches(anywhere, check):
        return False
    observed = [each for each in known.observed if speaks_of(each, case.id, check)]
    if any(set(each.verdicts) & COSTLY for each in observed):
        return False
    return not known.observed or bool(observed)


def count(subject: Subject, cases: Sequence[Case], output: Path | None, resume: bool) -> Count:
    """Asks a subject the cases and dtypes of the checks that entries speak of.

    Whole, for what a compiled program computes depends on what else is in it. With `resume`, a run that is
    there is taken.
    """
    directory = None if output is None else output / subject.name.replace(":", "_").replace("/", "_")
    if resume and directory is not None and (directory / "run.json").exists():
        return counted(subject, load(directory), cases)
    groups = {
        (case.id, dtype)
        for case in cases
        for dtype in case.dtypes
        for formulation in case.formulations
        for quantity in case.quantity_names()
        if any(speaks(known, case, subject, dtype, formulation, quantity) for known in case.known)
    }
    chosen = [case for case in cases if case.known]
    run = session.run(
        cases=chosen,
        under_test=[subject],
        large=True,
        wanted=lambda name, case, dtype, formulation, quantity: (
            (case.id, dtype) in groups and omissions.asks("full", name, case, dtype, formulation)
        ),
        output=directory,
    )
    return counted(subject, run, cases)


def counted(subject: Subject, run: Run, cases: Sequence[Case]) -> Count:
    """The counts of a run, of the checks that entries speak of."""
    by_id = {case.id: case for case in cases}
    columns = ("case", "dtype", "formulation", "quantity")
    spoken_of = [
        any(speaks(known, by_id[case], subject, dtype, formulation, quantity) for known in by_id[case].known)
        for case, dtype, formulation, quantity in zip(*(run.frame[name] for name in columns), strict=True)
    ]
    run = replace(run, frame=run.frame[np.array(spoken_of, dtype=bool)])
    frame = run.frame
    version = run.environment["subjects"].get(subject.name, {}).get("version", "")
    return Count(
        subject.name,
        version,
        len(frame),
        int((~frame["conforms"].fillna(True) & (frame["known"] != "")).sum()),
        int(frame["conforms"].fillna(False).sum()),
        int(frame["conforms"].isna().sum()),
        len(run.discrepancies()),
        dict(run.environment["known_conforming"]),
    )


def every_subject() -> list[Subject]:
    """Every mode, and every kernel variant of the default modes that this processor runs."""
    names = registry.FRAMEWORKS
    plain = [parse(name) for name in names]
    modes = [parse(f"{name}:{mode}") for name in names for mode in MODES.get(name, ())[1:]]
    variants, _ = profiles.with_variants(plain)
    return [*variants, *modes]


def page(counts: Iterable[Count], date: str, processor: str) -> str:
    """The page's text."""
    counts = list(counts)
    totals = Counter[str]()
    lines = [
        "# The checks that known deviations speak of",
        "",
        f"<!-- Written by docs/make_known_checks.py on {date}: do not edit. -->",
        "",
        f"Of {date}, on {processor}. An entry of `cases/known.yaml` excuses a check that deviates",
        "as it states, and nothing else. Here every check that an entry could excuse is asked, in every mode",
        "and kernel variant: what conforms is excused by nothing, and stands here with its number; an entry",
        "that covers some says why (`conforming`). Checks that end the process are not asked.",
        "",
        "| subject | version | checks asked | deviate as stated | conform | not offered | something else |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in counts:
        figures = (each.asked, each.deviating, each.conforming, each.unsupported, each.discrepancies)
        cells = " | ".join(f"{figure:,}" for figure in figures)
        lines.append(f"| `{each.subject}` | {each.version} | {cells} |")
        totals.update(each.uncovered)
    lines += ["", "Entries that cover conforming checks without a written reason: "]
    lines[-1] += ", ".join(f"`{name}` ({number})" for name, number in totals.items()) if totals else "none"
    lines[-1] += "."
    return "\n".join(lines) + "\n"


def main() -> int:
    """Asks, writes, and says whether an entry covers too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT")
    parser.add_argument("--output", type=Path, help="keeps the runs there")
    parser.add_argument("--resume", action="store_true", help="takes the runs that are there")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    subjects = [parse(name) for name in options.subjects] or every_subject()
    cases = load_cases()
    counts = []
    for subject in subjects:
        counts.append(count(subject, cases, options.output, options.resume))
        print(counts[-1], flush=True)
    flags = [flag for flag in FLAGS if flag in hardware.flags()]
    processor = f"a processor with {', '.join(flags) or 'none of ' + ', '.join(FLAGS)}"
    options.page.write_text(page(counts, datetime.date.today().isoformat(), processor), "utf-8")
    return int(any(each.discrepancies or each.uncovered for each in counts))


if __name__ == "__main__":
    sys.exit(main())
