"""Ledger of known deviations over a run: which entry excuses which check, and which entries are stale.

An entry that states what is observed excuses that and nothing else: what lies outside is a discrepancy, and
is named beside the entry. What conforms is never excused.
"""

from __future__ import annotations

import fnmatch
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.cases.case import Case
from conformance.cases.models import Accepted, Deviation, Known, Observed, flags_of, globbed

#: Checks outside what an entry states that are named for it; more are counted.
MAX_NAMED_CHECKS = 3


class Judged(Protocol):
    """What of a judgement an entry is held to: the columns of the same names."""

    @property
    def verdict(self) -> str:
        """The verdict."""

    @property
    def message(self) -> str:
        """What is wrong, or the subject's error."""

    @property
    def ulp_error(self) -> float | None:
        """The error of the worst element, in ulps of the dtype."""

    @property
    def observed(self) -> float | None:
        """The worst element."""


@dataclass(frozen=True)
class Check:
    """A check of a case, and where it ran.

    Attributes:
        subjects: the subject's names: its own, and those without pin, variant and device.
        dtype: the dtype.
        formulation: the formulation.
        quantity: `value`, `gradient:INPUT`, ...
        version: the framework's version; empty where unknown.
        processor: instruction sets of the processor.
        kernels: what the framework reports of its kernels, as `kernel_words`.
        like: the subjects whose formulas its mode computes.
    """

    subjects: tuple[str, ...]
    dtype: str
    formulation: str
    quantity: str
    version: str = ""
    processor: frozenset[str] = frozenset()
    kernels: frozenset[str] = frozenset()
    like: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The check in words."""
        return f"{self.subjects[0]} {self.dtype} {self.formulation} {self.quantity}"


def matches(known: Known, check: Check) -> bool:
    """Whether an entry's own keys speak of a check, whatever is observed."""
    return (
        all((flag in check.processor) == wanted for flag, wanted in flags_of(known.processor).items())
        and all(
            any(fnmatch.fnmatchcase(word, glob) for word in check.kernels) == wanted
            for glob, wanted in flags_of(known.kernels).items()
        )
        and any(globbed(known.subject, name) for name in (*check.subjects, *check.like))
        and globbed(known.dtype, check.dtype)
        and globbed(known.formulation, check.formulation)
        and globbed(known.quantity, check.quantity)
        and _in_versions(known.versions, check.version)
    )


def kernel_words(report: Mapping[str, Any]) -> frozenset[str]:
    """What a framework reports of its kernels, as entries name it: `onednn`, `isa=AVX2`, `features=avx512f`.

    Args:
        report: by name a truth value, of which only a true one counts, a text, or a list of texts.
    """
    words = set()
    for name, value in report.items():
        listed = value if isinstance(value, (list, tuple)) else [value]
        words |= {name if each is True else f"{name}={each}".replace(",", "") for each in listed if each}
    return frozenset(words)


@lru_cache(maxsize=1 << 12)
def _in_versions(versions: str, version: str) -> bool:
    try:
        return not versions or Version(version) in SpecifierSet(versions, prereleases=True)
    except InvalidVersion:
        return True


@lru_cache(maxsize=1 << 16)
def case_named(globs: tuple[str, ...], case: str) -> bool:
    """Whether one of the globs is like a case's id; brackets stand for themselves: ids have them."""
    return case in globs or any(
        fnmatch.fnmatchcase(case, glob.replace("[", "[[]")) for glob in globs if "*" in glob or "?" in glob
    )


def speaks_of(observed: Observed, case: str, check: Check) -> bool:
    """Whether one of an entry's observations is about a check."""
    return (
        (not observed.cases or case_named(tuple(observed.cases), case))
        and (
            not observed.subjects or any(name in (*check.subjects, *check.like) for name in observed.subjects)
        )
        and (not observed.dtypes or check.dtype in observed.dtypes)
        and (not observed.formulations or check.formulation in observed.formulations)
        and (not observed.quantities or _quantity_named(observed.quantities, check.quantity))
    )


def _quantity_named(quantities: Sequence[str], quantity: str) -> bool:
    return quantity in quantities or quantity.partition(":")[0] in quantities


def holds(observed: Observed, judged: Judged) -> bool:
    """Whether what was returned is what the entry states."""
    if observed.verdicts and judged.verdict not in observed.verdicts:
        return False
    if observed.message and observed.message not in judged.message:
        return False
    if observed.ulps and not _between(observed.ulps, judged.ulp_error):
        return False
    if observed.between and not _between(observed.between, judged.observed):
        return False
    return not observed.values or any(_is_figure(judged.observed, str(figure)) for figure in observed.values)


def _between(ends: Sequence[float], number: float | None) -> bool:
    return number is not None and ends[0] <= number <= ends[1]


def _is_figure(value: float | None, figure: str) -> bool:
    """Whether a value is nan, an infinity, 0, or a number at the digits in which the figure is written."""
    if value is None:
        return False
    number = Decimal(figure)
    if not number.is_finite() or not math.isfinite(value) or number == 0:
        return value == float(figure) or (math.isnan(value) and number.is_nan())
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # it is a letter for what is not finite
    return abs(Decimal(value) - number) <= Decimal(1).scaleb(exponent) / 2


@dataclass
class Ledger:
    """What a run has shown of the entries of its cases.

    Attributes:
        deviates: the entries of which a check ran, and whether one of those deviates still.
        beyond: for each entry, the checks that it speaks of and that return something else.
        conforming: for each entry, the number of checks that it speaks of and that conform.
        accepted: what excused a check and stands in a user's own file.
    """

    deviates: dict[Known, bool] = field(default_factory=dict)
    beyond: dict[Known, list[str]] = field(default_factory=dict)
    conforming: Counter[Known] = field(default_factory=Counter)
    accepted: set[str] = field(default_factory=set)

    def excuse(self, case: Case, check: Check, judged: Judged, conforms: bool) -> str:
        """The reason and source of the entry that states what was returned; empty where there is none.

        Args:
            case: the case, with its entries.
            check: the check of it.
            judged: its judgement.
            conforms: whether that conforms; then no entry excuses it.
        """
        beyond = []
        for known in case.known:
            if not matches(known, check):
                continue
            observed = [each for each in known.observed if speaks_of(each, case.id, check)]
            if known.observed and not observed:
                continue
            if conforms and not any(globbed(known.subject, name) for name in check.subjects):
                continue  # it need not deviate wherever the mode does that it is like
            self.deviates[known] = self.deviates.get(known, False) or not conforms
            if conforms:
                self.conforming[known] += 1
            elif not known.observed or any(holds(each, judged) for each in observed):
                reason = excuse(known)
                if isinstance(known, Accepted):
                    self.accepted.add(reason)
                return reason
            else:
                beyond.append(known)
        for known in beyond:
            self.beyond.setdefault(known, []).append(f"{case.id} {check}: {_returned(judged)}")
        return ""

    def stale(self, cases: Sequence[Case]) -> list[str]:
        """A line for each entry whose checks ran and all conform now."""
        return [
            f"known for {known.subject} deviates no longer: {_name(known)}"
            for known in _entries(cases)
            if self.deviates.get(known) is False
        ]

    def otherwise(self, cases: Sequence[Case]) -> list[str]:
        """A line for each entry that states something else than some of its checks return: they are named."""
        lines = []
        for known in _entries(cases):
            checks = self.beyond.get(known, [])
            more = f"; and {len(checks) - MAX_NAMED_CHECKS} more" if len(checks) > MAX_NAMED_CHECKS else ""
            if checks:
                shown = "; ".join(checks[:MAX_NAMED_CHECKS])
                lines.append(f"known {_name(known)} states otherwise: {shown}{more}")
        return lines

    def covering_conforming(self, cases: Sequence[Case]) -> dict[str, int]:
        """Entries with envelopes that cover conforming checks and do not say why, and how many checks."""
        return {
            _name(known): self.conforming[known]
            for known in _entries(cases)
            if self.conforming[known] and known.observed and not known.conforming
        }

    def kernel_deviations(self, cases: Sequence[Case]) -> dict[str, str]:
        """The condition of each entry that deviates on certain kernels alone, by its reason and source."""
        return {
            excuse(known): _condition(known)
            for known in _entries(cases)
            if self.deviates.get(known) and _condition(known)
        }

    def environment(self, cases: Sequence[Case], complete: bool) -> dict[str, object]:
        """What run.json says of the entries of a run's cases.

        Args:
            cases: the cases of the run.
            complete: whether every check has its verdict; else nothing is said to be stale.
        """
        return {
            "stale_known": self.stale(cases) if complete else [],
            "known_otherwise": self.otherwise(cases),
            "known_conforming": self.covering_conforming(cases),
            "accepted": sorted(self.accepted),
            "kernel_deviations": self.kernel_deviations(cases),
        }


def _entries(cases: Iterable[Case]) -> dict[Known, None]:
    """The entries of cases, each once, in order."""
    return dict.fromkeys(known for case in cases for known in case.known)


def _name(known: Known) -> str:
    return known.id if isinstance(known, Deviation) else known.reason


def excuse(known: Known) -> str:
    """The text of the column `known`."""
    return f"{known.reason} ({known.source})"


def _condition(known: Known) -> str:
    """The kernels that an entry speaks of, in words; empty where it speaks of any."""
    variants = known.subject if "/" in known.subject else ""
    processor = f"a processor with {known.processor}" if known.processor else ""
    kernels = f"kernels {known.kernels}" if known.kernels else ""
    return "; ".join(text for text in (variants, processor, kernels) if text)


def _returned(judged: Judged) -> str:
    """A judgement in words: its verdict, error and worst element."""
    words = [judged.verdict]
    if judged.ulp_error is not None:
        words.append(f"{judged.ulp_error:.4g} ulps")
    if judged.observed is not None:
        words.append(f"observed {judged.observed:.6g}")
    elif judged.message:
        words.append(judged.message[:80])
    return ", ".join(words)
