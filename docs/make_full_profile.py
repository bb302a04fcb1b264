"""Writes docs/full-profile.md: what each mode answers to the whole product, from runs of the profile `full`.

    conformance run --profile full --output RUN
    python docs/make_full_profile.py RUN [RUN ...] [--page FILE]

A run may hold one mode or all of them; the last run that has a subject counts. What is known is said by
today's entries, of the figures that the runs stored. Exit 1 where a check is a discrepancy, or a known entry
covers a conforming check without a written reason.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from conformance.adapters.registry import FRAMEWORKS
from conformance.cases.case import Case
from conformance.cases.deviations import Check, Ledger, kernel_words
from conformance.cases.loader import load_cases
from conformance.judging.verdict import Judgement
from conformance.plan import omissions
from conformance.results import envelopes
from conformance.results.loading import load
from conformance.results.run import Run
from conformance.subjects.subject import MODES, parse

PAGE = Path(__file__).parent / "full-profile.md"


@dataclass(frozen=True)
class Answers:
    """What one subject answered.

    Attributes:
        subject: The subject's name.
        version: The framework's version.
        date: The day on which its run ended.
        asked: Checks that were asked.
        left_out: Checks of the corpus that the profile leaves out, of this subject.
        conforming: Those that conform.
        known: Those that deviate as a known entry states.
        textbook: Those of textbook formulations that deviate: they fail nothing.
        unsupported: Those that the subject does not offer.
        discrepancies: Those that deviate otherwise.
        seconds: Of computing, without the judgement.
    """

    subject: str
    version: str
    date: str
    asked: int
    left_out: int
    conforming: int
    known: int
    textbook: int
    unsupported: int
    discrepancies: int
    seconds: float


def known_now(run: Run, cases: Mapping[str, Case]) -> tuple[list[str], dict[str, int]]:
    """What today's entries say of each check of a run, and how many conforming checks which of them cover.

    Args:
        run: the run.
        cases: the corpus' cases by their ids.
    """
    ledger = Ledger()
    about = {name: described(name, entry) for name, entry in run.environment["subjects"].items()}
    known = []
    for check, conforms in zip(envelopes.deviating(run.frame), run.frame["conforms"], strict=True):
        case = cases.get(check.case)
        if case is None or not case.known or pd.isna(conforms):
            known.append("")
            continue
        observed = check.value if check.observed else None
        judged = Judgement(check.verdict, check.message, check.ulps, observed=observed)
        asked = {key: getattr(check, key) for key in ("dtype", "formulation", "quantity")}
        known.append(ledger.excuse(case, replace(about[check.subject], **asked), judged, bool(conforms)))
    return known, ledger.covering_conforming(list(cases.values()))


def described(name: str, entry: Mapping[str, Any]) -> Check:
    """A subject's check, as entries see it, without what is asked."""
    subject = parse(name)
    flags = frozenset(entry.get("hardware", {}).get("flags", ()))
    report = entry.get("kernels")
    kernels = kernel_words(report) if report else frozenset()
    return Check(subject.names, "", "", "", entry["version"], flags, kernels, subject.like)


def answers(run: Run, known: Sequence[str], left_out: Mapping[str, int]) -> Iterable[Answers]:
    """The counts of each subject of a run.

    Args:
        run: the run.
        known: the reason of the entry that excuses each of its checks, or nothing.
        left_out: how many checks the profile leaves out, by subject.
    """
    excused = run.frame.assign(known=list(known))
    for name, about in run.environment["subjects"].items():
        frame = excused[excused["subject"] == name]
        deviates = frame["conforms"].eq(False).fillna(False)
        stated = deviates & frame["known"].ne("")
        textbook = deviates & ~stated & frame["textbook"].fillna(False).astype(bool)
        yield Answers(
            subject=name,
            version=about["version"],
            date=run.environment["finished"][:10],
            asked=len(frame),
            left_out=left_out.get(name, 0),
            conforming=int(frame["conforms"].eq(True).fillna(False).sum()),
            known=int(stated.sum()),
            textbook=int(textbook.sum()),
            unsupported=int(frame["conforms"].isna().sum()),
            discrepancies=int((deviates & ~stated & ~textbook).sum()),
            seconds=float(about["seconds"]),
        )


def page(rows: Iterable[Answers], covered: Mapping[str, int], cases: int) -> str:
    """The page's text.

    Args:
        rows: what each subject answered.
        covered: how many conforming checks each entry covers that does not say why.
        cases: how many cases the corpus has.
    """
    rows = list(rows)
    dates = sorted({row.date for row in rows})
    lines = [
        "# The whole product in every mode",
        "",
        f"<!-- Written by docs/make_full_profile.py on runs of {' and '.join(dates)}: do not edit. -->",
        "",
        f"`conformance run --profile full` asks each mode every check of {cases:,} cases, but what is *left",
        "out*, whose reasons `conformance coverage --profile full` prints. What a mode cannot do, or its",
        "framework does not have, is *not offered*. *Known* deviate as today's `cases/*known.yaml` say;",
        "*textbook* formulations deviate by design.",
        "",
        "| mode | version | run of | asked | left out | conform | known | textbook | not offered "
        "| discrepancies | seconds |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        counts = (row.asked, row.left_out, row.conforming, row.known, row.textbook, row.unsupported)
        figures = (*counts, row.discrepancies, round(row.seconds))
        cells = " | ".join(f"{figure:,}" for figure in figures)
        lines.append(f"| `{row.subject}` | {row.version} | {row.date} | {cells} |")
    there = {row.subject for row in rows}
    names = [f"{name}:{mode}" for name in FRAMEWORKS for mode in MODES.get(name, ())[1:]]
    missing = ", ".join(f"`{name}`" for name in names if name not in there) or "none"
    lines += ["", f"Modes of which no whole run is here: {missing}."]
    entries = ", ".join(f"`{name}` ({checks:,})" for name, checks in sorted(covered.items())) or "none"
    lines += ["", f"Entries that cover conforming checks without a written reason: {entries}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Reads the runs, writes the page, and says whether a check deviates that no entry states."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    cases = load_cases()
    left_out = Counter[str]()
    for row in omissions.left_out("full", cases):
        left_out[row.omission.subject] += row.checks
    latest: dict[str, Answers] = {}
    covered = Counter[str]()
    for directory in options.runs:
        run = load(directory, ("results",))
        known, covering = known_now(run, {case.id: case for case in cases})
        latest.update({each.subject: each for each in answers(run, known, left_out)})
        covered.update(covering)
    options.page.write_text(page(latest.values(), covered, len(cases)), "utf-8")
    return int(bool(covered) or any(each.discrepancies for each in latest.values()))


if __name__ == "__main__":
    sys.exit(main())
