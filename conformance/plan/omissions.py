"""Omissions of a profile: the checks that it leaves out, each with its reason and number."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.subjects.subject import parse

if TYPE_CHECKING:
    from conformance.cases.case import Case


@dataclass(frozen=True)
class Omission:
    """Checks that a profile leaves out.

    Attributes:
        subject: a glob of subjects without variant and device, as ``torch:compile``; the default mode's is
            the framework's name alone.
        formulation: globs of formulations, separated by commas.
        dtype: globs of dtypes, separated by commas.
        cases: which cases: ``every``, or the name of a kind in `KINDS`.
        reason: why, with the figure that it rests on.
    """

    subject: str
    formulation: str
    dtype: str
    cases: str
    reason: str

    def speaks_of(self, subject: str, case: Case, dtype: str, formulation: str) -> bool:
        """Whether a check is one of these.

        Args:
            subject: the subject's name.
            case: the case.
            dtype: one of its dtypes.
            formulation: one of its formulations.
        """
        return (
            fnmatch.fnmatchcase(_plain(subject), self.subject)
            and _globbed(self.formulation, formulation)
            and _globbed(self.dtype, dtype)
            and KINDS[self.cases](case)
        )


#: Kinds of cases that an omission may name.
KINDS: dict[str, Callable[[Case], bool]] = {
    "every": lambda case: True,
    "large": lambda case: "large" in case.tags,
    "products of options": lambda case: "[" in case.id and "extreme" not in case.tags,
}


@dataclass(frozen=True)
class LeftOut:
    """An omission, and how much it is.

    Attributes:
        omission: the omission.
        checks: how many checks of the corpus it leaves out, those aside that an earlier row does.
    """

    omission: Omission
    checks: int

    @property
    def what(self) -> str:
        """The checks, as people read them."""
        omission = self.omission
        parts = [f"`{omission.subject}`"] if omission.subject != "*" else []
        parts += [f"dtypes {omission.dtype}"] if omission.dtype != "*" else []
        parts += [f"formulations {omission.formulation}"] if omission.formulation != "*" else []
        parts += [f"cases: {omission.cases}"] if omission.cases != "every" else []
        return ", ".join(parts)

    @property
    def reason(self) -> str:
        """Why."""
        return self.omission.reason


#: What the profile `full` does not ask: of `torch:compile` and `torch:export`, which make a program a check,
#: what would not be done in the hour that docs/modes.md grants a mode. Every other mode is asked the whole.
FULL = (
    Omission(
        "torch:export",
        "composed, module, one_hot, naive, manual",
        "*",
        "products of options",
        "16 checks a second, two hours for all: see docs/modes.md; the functional formulation is asked them",
    ),
    Omission(
        "torch:compile",
        "module",
        "*",
        "every",
        "a module calls the function of the same name: inductor compiles the same graph for both",
    ),
    Omission(
        "torch:compile",
        "composed, one_hot, naive, manual",
        "*",
        "every",
        "3 checks a second, hours for all: see docs/modes.md; `torch:decomp` asks its parts",
    ),
    Omission(
        "torch:compile",
        "functional",
        "*",
        "products of options",
        "3 checks a second, hours for all: see docs/modes.md; each option alone is asked, in each dtype",
    ),
    Omission(
        "torch:loss_parallel",
        "*",
        "*",
        "products of options",
        "the last 1,800 of cross_entropy take 15 s each, hours for all; each option alone is asked",
    ),
)
LARGE = "each takes seconds or gigabytes: --tag large, or --profile full"
DEFAULT_MODE = "users run the default mode first: --profile full, or --subject"


def of_profile(profile: str) -> tuple[Omission, ...]:
    """The omissions of a profile.

    Args:
        profile: ``default``, ``full`` or ``kernels``.
    """
    if profile == "full":
        return FULL
    others = (
        Omission(f"{framework}:{mode}", "*", "*", "every", DEFAULT_MODE)
        for framework in FRAMEWORKS
        for mode in description(framework).mode_names[1:]
    )
    return Omission("*", "*", "*", "large", LARGE), *others


def asks(profile: str, subject: str, case: Case, dtype: str, formulation: str) -> bool:
    """Whether a profile asks a check of a subject that it runs.

    Args:
        profile: ``default``, ``full`` or ``kernels``.
        subject: the subject's name.
        case: the case.
        dtype: one of its dtypes.
        formulation: one of its formulations.
    """
    rows = FULL if profile == "full" else ()
    return not any(row.speaks_of(subject, case, dtype, formulation) for row in rows)


def left_out(profile: str, cases: Sequence[Case]) -> Iterator[LeftOut]:
    """What a profile leaves out of a corpus, a row each; what belongs to two rows counts in the first.

    Args:
        profile: ``default``, ``full`` or ``kernels``.
        cases: every case of the corpus, those on demand too.
    """
    rows = of_profile(profile)
    counts = dict.fromkeys(rows, 0)
    subjects = {row.subject: row.subject.replace("*", FRAMEWORKS[0]) for row in rows}
    for case in cases:
        quantities = len(case.quantity_names())
        for subject in dict.fromkeys(subjects.values()):
            for dtype in case.dtypes:
                for formulation in case.formulations:
                    about = subject, case, dtype, formulation
                    row = next((row for row in rows if row.speaks_of(*about)), None)
                    if row is not None and subjects[row.subject] == subject:
                        counts[row] += quantities
    for row, checks in counts.items():
        yield LeftOut(row, checks)


@cache
def _plain(subject: str) -> str:
    """The framework, and its mode where that is not the default."""
    parsed = parse(subject)
    default = parsed.mode in (None, *description(parsed.framework).mode_names[:1])
    return parsed.framework if default else f"{parsed.framework}:{parsed.mode}"


@lru_cache(maxsize=1 << 12)
def _globbed(globs: str, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, glob.strip()) for glob in globs.split(","))
