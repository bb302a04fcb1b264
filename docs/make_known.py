"""Writes what cases/*known.yaml say of their checks from runs: which deviate, and what each of them returns.

    python docs/make_known.py RUN [RUN ...] [--only ID ...] [--check]

An entry's `id`, `operation`, `reason`, `source` and the like are written by hand, and at first so are
`cases`, `subject`, `dtype`, `formulation` and `quantity`: globs of what may deviate. This program replaces
them by what did in the runs, and writes `observed`: nan, infinities and 0 as such, errors by their type, and
other numbers by intervals of error and value (`conformance.results.envelopes`). Checks of different cases
share an interval where their errors lie within a factor of 16. What a kernel variant returns
(torch/avx2) counts as its framework's, which dispatches these kernels on other processors; where a check
deviates by some kernels and conforms by others, `conforming` says so. Textbook formulations are left out:
they fail nothing.

Entries of which no check ran stay as they are, and are listed; so are discrepancies that no entry names.
`--check` writes nothing, and fails where a file would change. `--only` writes these entries alone: one of
several subjects needs the runs of all of them.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from conformance.cases.case import Case
from conformance.cases.deviations import Check, case_named, excuse, kernel_words, matches
from conformance.cases.discovery import known_files
from conformance.cases.loader import load_cases
from conformance.cases.models import DTYPES, Deviation, globbed
from conformance.errors import SubjectError
from conformance.judging.verdict import conforms
from conformance.results import envelopes
from conformance.results.envelopes import Deviating, distinct
from conformance.results.known_file import observed_lines
from conformance.results.loading import load
from conformance.results.run import Run
from conformance.subjects.subject import parse
from conformance.yaml.writing import listed, quoted

CASES = Path(__file__).parents[1] / "cases"
CLUSTER_FACTOR = 16.0
#: Cases from which on a glob stands for them, where it is like no other case of the operation.
MIN_GLOBBED_CASES = 3
#: Keys of an entry that this program writes.
WRITTEN = ("cases", "subject", "dtype", "formulation", "quantity", "observed", "conforming")
#: What `conforming` says.
CONFORMING = (
    "which of these checks deviate depends on the kernels: of {all}, {some} conform by some of those measured"
)


@dataclass
class Measured:
    """What runs have shown.

    Attributes:
        cases: the suite's cases by id.
        assigned: the deviating checks, by the id of the first entry that speaks of them.
        conforming: the checks that conform in a run.
        unsupported: the checks that there is no answer to.
    """

    cases: dict[str, Case]
    assigned: dict[str, dict[Deviating, None]] = field(default_factory=dict)
    conforming: set[tuple[str, ...]] = field(default_factory=set)
    unsupported: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, run: Run) -> None:
        """Counts a run's checks in."""
        frame = run.frame[~run.frame["textbook"].fillna(False).astype(bool)]
        keys = ("case", "subject", "dtype", "formulation", "quantity")
        for verdict, *key in zip(frame["verdict"], *(frame[name] for name in keys), strict=True):
            key[1] = _plain(key[1])
            if verdict == "unsupported":
                self.unsupported.add(tuple(key))
            elif conforms(verdict):
                self.conforming.add(tuple(key))
        versions = dict(zip(frame["subject"], frame["framework_version"], strict=True))
        deviates = frame["conforms"].eq(False).fillna(False)
        for row in envelopes.deviating(frame[deviates & ~self.shared(frame)]):
            about = run.environment["subjects"][row.subject]
            flags = frozenset(about.get("hardware", {}).get("flags", ()))
            report = about.get("kernels")
            kernels = None if report is None else kernel_words(report)
            check = Check(
                _names(row.subject), row.dtype, row.formulation, row.quantity, versions[row.subject], flags
            )
            entry = self.entry(row, check, kernels)
            if entry is None:
                print(f"no entry: {row.case} {check}: {row.kind}", file=sys.stderr)
            else:
                plain = replace(row, subject=_plain(row.subject))
                self.assigned.setdefault(entry.id, {})[plain] = None

    def shared(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """The rows whose deviation is known of the mode that theirs is like: these need no entry."""
        keys = list(zip(frame["case"], frame["subject"], frame["known"].fillna(""), strict=True))
        shared = {key: key[2] != "" and not self._names_subject(*key) for key in set(keys)}
        return pd.Series([shared[key] for key in keys], frame.index)

    def _names_subject(self, case: str, subject: str, known: str) -> bool:
        """Whether an entry of this text names the subject itself, or there is none."""
        known_here = self.cases[case].known if case in self.cases else ()
        entries = [each for each in known_here if excuse(each) == known]
        return not entries or any(globbed(each.subject, name) for each in entries for name in _names(subject))

    def lacks(self, key: tuple[str, ...]) -> bool:
        """Whether there is no such check: the case asks none, or the subject has no answer."""
        case, _, dtype, formulation, quantity = key
        asked = self.cases[case]
        quantities = ("value",) if asked.expect == "error" else asked.quantity_names()
        exists = dtype in asked.dtypes and formulation in asked.formulations and quantity in quantities
        return not exists or key in self.unsupported

    def entry(self, row: Deviating, check: Check, kernels: frozenset[str] | None) -> Deviation | None:
        """The first entry that speaks of a check, those of certain kernels before the others.

        An entry of certain kernels takes what has its verdict alone: others deviate there in their own way.

        Args:
            row: the check, and what was returned.
            check: the same as entries see it.
            kernels: what the subject reports of its kernels; None: it does not, and any may be meant.
        """
        known = self.cases[row.case].known if row.case in self.cases else ()
        entries = [each for each in known if isinstance(each, Deviation)]
        for each in sorted(entries, key=lambda entry: not entry.kernels):
            verdicts = {verdict for observed in each.observed for verdict in observed.verdicts}
            if each.kernels and verdicts and row.verdict not in verdicts:
                continue
            meant = each.model_copy(update={"kernels": ""}) if kernels is None else each
            if matches(meant, replace(check, kernels=kernels or frozenset())):
                return each
        return None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--only", nargs="+", metavar="ID")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    measured = Measured({case.id: case for case in load_cases()})
    for folder in options.runs:
        measured.add(load(folder, ("results",)))
    changed = False
    for path in known_files(CASES):
        text = path.read_text(encoding="utf-8")
        head, *entries = re.split(r"(?m)^(?=  - id: )", text)
        written = head + "".join(_entry_text(entry, measured, options.only) for entry in entries)
        changed |= written != text
        if not options.check:
            path.write_text(written, encoding="utf-8")
    return int(options.check and changed)


def _names(subject: str) -> tuple[str, ...]:
    try:
        return parse(subject).names
    except SubjectError:
        return (subject,)


def _plain(subject: str) -> str:
    """A subject's name without pin, variant and device."""
    return _names(subject)[-1]


def _entry_text(text: str, measured: Measured, only: Sequence[str] | None) -> str:
    """An entry with the keys that were measured; as it is where none of its checks deviated."""
    name = text.split("\n", 1)[0].removeprefix("  - id: ").strip()
    if only and name not in only:
        return text
    checks = _informative(measured.assigned.get(name, {}))
    if not checks:
        print(f"not met: {name}", file=sys.stderr)
        return text
    operation = measured.cases[checks[0].case].operation
    universe = [case.id for case in measured.cases.values() if case.operation == operation]
    blocks = re.split(r"(?m)^(?=    [a-z]+:)", text)
    kept = [block for block in blocks if not re.match(rf"    ({'|'.join(WRITTEN)}):", block)]
    at = next(index for index, block in enumerate(kept) if block.startswith("    operation:")) + 1
    kept.insert(at, "\n".join(_measured_lines(checks, measured, universe, "    kernels:" not in text)) + "\n")
    return "".join(kept)


def _informative(checks: dict[Deviating, None]) -> list[Deviating]:
    """The checks in order, without those of older runs that do not tell what was returned for an error."""
    silent = {
        check
        for check in checks
        if not check.observed and check.message == "returned a value where an error is right"
    }
    informed = {check.key for check in checks if check not in silent}
    kept = [check for check in checks if check not in silent or check.key not in informed]
    return sorted(kept, key=lambda check: (*check.key, check.kind, check.ulps or 0.0))


def _measured_lines(
    checks: Sequence[Deviating], measured: Measured, universe: Sequence[str], all_kernels: bool
) -> list[str]:
    def globbed(names: Sequence[str]) -> list[str]:
        return _globbed(names, universe)

    names = {key: distinct(getattr(check, key) for check in checks)
             for key in ("subject", "dtype", "formulation", "quantity")}  # fmt: skip
    lines = listed("    cases: ", globbed(distinct(check.case for check in checks)))
    for key, values in names.items():
        if key != "dtype" or len(values) < len(DTYPES):
            lines.append(f"    {key}: {quoted(', '.join(values))}")
    lines += observed_lines(
        envelopes.envelopes(checks, CLUSTER_FACTOR, measured.lacks), envelopes.SCOPES, globbed
    )
    every = {check.key for check in checks}
    some = every & measured.conforming
    if some and all_kernels:
        lines.append(f"    conforming: {quoted(CONFORMING.format(all=len(every), some=len(some)))}")
    return lines


def _globbed(names: Sequence[str], universe: Sequence[str]) -> list[str]:
    """Names of cases, with globs for those that these alone are like."""
    remaining, result = set(names), []
    alike = _alike(tuple(universe))
    globs = {glob: alike[glob] for name in names for glob in _globs(name)}
    globs = {
        glob: like for glob, like in globs.items() if len(like) >= MIN_GLOBBED_CASES and like <= remaining
    }
    while globs:
        best = max(globs, key=lambda glob: (len(globs[glob] & remaining), glob))
        like = globs.pop(best)
        if len(like & remaining) < MIN_GLOBBED_CASES:
            break
        if like == {name for name in universe if case_named((best,), name)}:  # a star spans commas, too
            result.append(best)
            remaining -= like
    return sorted([*result, *remaining])


def _globs(name: str) -> Iterator[str]:
    """What may stand for a name: its beginnings, and its brackets with options left open."""
    yield from (f"{name[: end + 1]}*" for end, sign in enumerate(name) if sign in "[-")
    stem, bracket, options = name.partition("[")
    if bracket:
        choices = [(option, "*") for option in options.removesuffix("]").split(",")]
        yield from (f"{stem}[{','.join(chosen)}]" for chosen in itertools.product(*choices) if "*" in chosen)


@functools.cache
def _alike(universe: tuple[str, ...]) -> dict[str, set[str]]:
    """The names that each glob of one of them stands for."""
    alike: dict[str, set[str]] = {}
    for name in universe:
        for glob in _globs(name):
            alike.setdefault(glob, set()).add(name)
    return alike


if __name__ == "__main__":
    sys.exit(main())
