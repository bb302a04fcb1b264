"""What each subject has of its own, what it composes, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import shorten

NATIVE = frozenset({"functional", "module"})


@dataclass(frozen=True)
class Support:
    """One operation in one subject. `state` is `native`, `composed` or `lacks`."""

    state: str
    has: tuple[str, ...]
    partly: tuple[str, ...]
    lacks: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...]  # the distinct messages of unsupported checks, and how many

    @property
    def label(self) -> str:
        """The state in words."""
        return {"native": "native", "composed": "composed of other functions", "lacks": "lacks it"}[
            self.state
        ]


def support(frame: pd.DataFrame, subjects: list[str]) -> tuple[tuple[str, tuple[Support | None, ...]], ...]:
    """Per operation one entry a subject; None where nothing was asked."""
    data = frame[["operation", "formulation", "subject"]].assign(no=frame["verdict"].eq("unsupported"))
    share = data.groupby(["operation", "subject", "formulation"], sort=False)["no"].mean()
    refused = frame.loc[data["no"], ["operation", "subject", "message"]]
    reasons = refused.groupby(["operation", "subject"], sort=False)["message"].value_counts()
    entries: dict[tuple[str, str], dict[str, float]] = {}
    for operation, subject, formulation, value in share.reset_index().itertuples(index=False):
        entries.setdefault((operation, subject), {})[formulation] = float(value)
    told: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for operation, subject, message, number in reasons.reset_index().itertuples(index=False):
        told.setdefault((operation, subject), []).append((shorten(str(message), 200), int(number)))
    operations = [str(name) for name in frame["operation"].unique()]
    return tuple(
        (
            operation,
            tuple(
                _entry(entries.get((operation, subject)), told.get((operation, subject), []))
                for subject in subjects
            ),
        )
        for operation in operations
    )


def _entry(shares: dict[str, float] | None, reasons: list[tuple[str, int]]) -> Support | None:
    if shares is None:
        return None
    has = tuple(name for name, share in shares.items() if share == 0)
    partly = tuple(name for name, share in shares.items() if 0 < share < 1)
    lacks = tuple(name for name, share in shares.items() if share == 1)
    ran = {*has, *partly}
    state = "native" if ran & NATIVE else "composed" if ran else "lacks"
    return Support(state, has, partly, lacks, tuple(reasons[:5]))
