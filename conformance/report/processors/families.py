"""Families of subjects: the kernel variants of one framework in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.report.figures import plain
from conformance.report.findings import CHECK

CONFORMS = "conforms"


@dataclass(frozen=True)
class KernelSubject:
    """Subject of a family, and the kernels that it ran.

    Attributes:
        name: The subject.
        variant: Its kernel variant; empty for what the framework chooses by itself.
        switches: The environment variables that choose the variant.
        kernels: The kernels that ran, as the framework reports them, in words.
    """

    name: str
    variant: str
    switches: Mapping[str, str]
    kernels: str


@dataclass(frozen=True)
class Family:
    """Kernel variants of one framework, version, mode and device.

    Attributes:
        framework: The framework.
        subjects: The variants, and the plain subject where it ran.
        shared: How many checks have a verdict in two subjects or more, without textbook formulations.
        parted: On how many of them the outcomes part.
        accuracy: On how many more all conform, with different verdicts.
        textbook: How many checks of textbook formulations part besides.
    """

    framework: str
    subjects: tuple[KernelSubject, ...]
    shared: int
    parted: int
    accuracy: int
    textbook: int


def families(environment: Mapping[str, Any]) -> list[tuple[str, tuple[KernelSubject, ...]]]:
    """Each framework, version, mode and device of which several variants ran, with their subjects."""
    groups: dict[tuple[str, ...], list[KernelSubject]] = {}
    for name, entry in (environment.get("subjects") or {}).items():
        framework, variant = str(entry.get("framework") or ""), str(entry.get("variant") or "")
        if not framework or not str(name).startswith(framework):  # a user's own function is no variant
            continue
        key = (framework, *(str(entry.get(fact) or "") for fact in ("version", "mode", "device", "python")))
        kernels = in_words(entry.get("kernels"))
        subject = KernelSubject(str(name), variant, _switches(framework, variant), kernels)
        groups.setdefault(key, []).append(subject)
    return [
        (key[0], tuple(subjects))
        for key, subjects in groups.items()
        if len({subject.variant for subject in subjects}) > 1
    ]


def _switches(framework: str, variant: str) -> dict[str, str]:
    """The environment variables that choose a variant; none known of another distribution's framework."""
    if framework not in FRAMEWORKS:
        return {}
    return next(
        (dict(entry.environment) for entry in description(framework).variants if entry.name == variant), {}
    )


def in_words(kernels: object) -> str:
    """What a framework reports of its kernels, on a line: `onednn, isa Intel AVX2`."""
    if not isinstance(kernels, Mapping):
        return plain(kernels)
    texts = []
    for name, value in kernels.items():
        if isinstance(value, bool):
            texts.append(str(name) if value else f"no {name}")
        else:
            shown = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            texts.append(f"{name} {shown}".strip())
    return ", ".join(texts)


def judged(frame: pd.DataFrame, subjects: tuple[KernelSubject, ...]) -> pd.DataFrame:
    """The rows of a family that have a verdict.

    Their column `outcome` is `conforms` or the failing verdict; `outcomes`, `verdicts` and `asked` say how
    many different outcomes, different verdicts and rows the row's check has.
    """
    mine = frame["subject"].isin([subject.name for subject in subjects])
    rows = frame[mine & frame["conforms"].notna() & frame["verdict"].ne("not run")]
    rows = rows.assign(
        outcome=rows["verdict"].where(~rows["conforms"].astype(bool), CONFORMS),
        textbook=rows["textbook"].fillna(False).astype(bool),
    )
    checks = rows.groupby(CHECK, sort=False)
    return rows.assign(
        outcomes=checks["outcome"].transform("nunique"),
        verdicts=checks["verdict"].transform("nunique"),
        asked=checks["subject"].transform("size"),
    )


def family(framework: str, subjects: tuple[KernelSubject, ...], rows: pd.DataFrame) -> Family:
    """The family of these subjects, counted from its judged rows."""
    checks = rows[rows["asked"].gt(1)].drop_duplicates(CHECK)
    parted, textbook = checks["outcomes"].gt(1), checks["textbook"]
    accuracy = ~parted & checks["outcome"].eq(CONFORMS) & checks["verdicts"].gt(1)
    return Family(
        framework,
        subjects,
        shared=int((~textbook).sum()),
        parted=int((parted & ~textbook).sum()),
        accuracy=int((accuracy & ~textbook).sum()),
        textbook=int((parted & textbook).sum()),
    )
