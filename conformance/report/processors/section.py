"""Section on processors: a run's families, where they part, and known deviations of certain kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.findings import Snippet
from conformance.report.interfaces import InputsOf
from conformance.report.processors.divergences import Divergence, divergences
from conformance.report.processors.families import Family, families, family, judged
from conformance.report.summary import known_text


@dataclass(frozen=True)
class KernelDeviation:
    """Known deviation of this run that holds on certain kernels or processors alone.

    Attributes:
        known: Its reason and source, as the run's column `known` has them.
        condition: The kernels or instruction sets that it holds on.
        operations: The operations that deviate.
        subjects: The subjects that deviate.
        checks: How many checks deviate.
    """

    known: str
    condition: str
    operations: tuple[str, ...]
    subjects: tuple[str, ...]
    checks: int


@dataclass(frozen=True)
class Processors:
    """What a run shows of processors.

    Attributes:
        families: The frameworks of which several kernel variants ran.
        divergences: Where they part: what is not known first, the most checks first.
        deviations: The known deviations that hold on certain kernels alone.
    """

    families: tuple[Family, ...]
    divergences: tuple[Divergence, ...]
    deviations: tuple[KernelDeviation, ...]

    @property
    def shown(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.families or self.deviations)


def processors(
    frame: pd.DataFrame, environment: Mapping[str, Any], inputs_of: InputsOf | None, snippet: Snippet
) -> Processors:
    """What a run shows of processors.

    Args:
        frame: The run's checks, light.
        environment: The run's environment: `subjects.NAME` with `variant` and `kernels`, and
            `kernel_deviations`, the condition of each known deviation that has one.
        inputs_of: The cases' inputs; None where they are no longer at hand.
        snippet: Writes the program of one check.
    """
    counted: list[Family] = []
    parted: list[Divergence] = []
    for framework, subjects in families(environment):
        rows = judged(frame, subjects)
        counted.append(family(framework, subjects, rows))
        rows = rows[rows["outcomes"].gt(1) & ~rows["textbook"]]
        parted += divergences(framework, subjects, rows, inputs_of, snippet)
    parted.sort(key=lambda divergence: (divergence.known == divergence.checks, -divergence.checks))
    return Processors(tuple(counted), tuple(parted), _deviations(frame, environment))


def _deviations(frame: pd.DataFrame, environment: Mapping[str, Any]) -> tuple[KernelDeviation, ...]:
    conditions: Mapping[str, Any] = environment.get("kernel_deviations") or {}
    known = known_text(frame)
    failing = frame[known.isin(list(conditions)) & frame["conforms"].eq(False).fillna(False).astype(bool)]
    return tuple(
        KernelDeviation(
            known=str(text),
            condition=str(conditions[str(text)]),
            operations=tuple(dict.fromkeys(map(str, rows["operation"]))),
            subjects=tuple(dict.fromkeys(map(str, rows["subject"]))),
            checks=len(rows),
        )
        for text, rows in failing.groupby("known", sort=False)
    )
