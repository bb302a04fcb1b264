"""Capabilities of each subject: what it has of its own, what it composes, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import shorten

NATIVE = frozenset({"functional", "module"})
MAX_REASONS = 5


@dataclass(frozen=True)
class Capability:
    """Capability of one subject in one operation.

    Attributes:
        state: `native`, `composed` or `lacks`.
        has: The formulations of which every check ran.
        partly: The formulations of which some checks are unsupported.
        lacks: The formulations of which all checks are unsupported.
        reasons: The distinct messages of unsupported checks, and how many checks have each.
    """

    state: str
    has: tuple[str, ...]
    partly: tuple[str, ...]
    lacks: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...]

    @property
    def label(self) -> str:
        """The state in words."""
        return {"native": "native", "composed": "composed of other functions", "lacks": "lacks it"}[
            self.state
        ]


#: Each operation, with an entry a subject: None where nothing was asked.
Capabilities = tuple[tuple[str, tuple[Capability | None, ...]], ...]


def capabilities(frame: pd.DataFrame, subjects: list[str]) -> Capabilities:
    """The capabilities of `subjects` in each operation of a run's frame."""
    data = frame[["operation", "formulation", "subject"]].assign(no=frame["verdict"].eq("unsupported"))
    share = data.groupby(["operation", "subject", "formulation"], sort=False)["no"].mean()
    refused = frame.loc[data["no"], ["operation", "subject", "message"]]
    reasons = refused.groupby(["operation", "subject"], sort=False)["message"].value_counts()
    entries: dict[tuple[str, str], dict[str, float]] = {}
    for operation, subject, formulation, value in share.reset_index().itertuples(index=False):
        entries.setdefault((operation, subject), {})[formulation] = float(value)
    messages: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for operation, subject, message, number in reasons.reset_index().itertuples(index=False):
        messages.setdefault((operation, subject), []).append((shorten(str(message), 200), int(number)))
    operations = [str(name) for name in frame["operation"].unique()]
    return tuple(
        (
            operation,
            tuple(
                _entry(entries.get((operation, subject)), messages.get((operation, subject), []))
                for subject in subjects
            ),
        )
        for operation in operations
    )


def _entry(shares: dict[str, float] | None, reasons: list[tuple[str, int]]) -> Capability | None:
    if shares is None:
        return None
    has = tuple(name for name, share in shares.items() if share == 0)
    partly = tuple(name for name, share in shares.items() if 0 < share < 1)
    lacks = tuple(name for name, share in shares.items() if share == 1)
    ran = {*has, *partly}
    state = "native" if ran & NATIVE else "composed" if ran else "lacks"
    return Capability(state, has, partly, lacks, tuple(reasons[:MAX_REASONS]))
