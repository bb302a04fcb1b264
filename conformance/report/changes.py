"""Changes since an earlier run: a difference's counts, and its rows that ask for attention first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.report.figures import count, plain, ulps
from conformance.report.interfaces import DifferenceLike
from conformance.report.verdicts import Look, look

# The changes that are listed check by check; the others are counted.
LISTED = ("regressed", "worse", "changed error", "fixed", "better")
MAX_CHANGES = 50


@dataclass(frozen=True)
class Change:
    """Check that changed.

    Attributes:
        change: The kind of change.
        case: The check's case.
        dtype: Its dtype.
        formulation: Its formulation.
        quantity: Its quantity.
        subject: The subject's label in both runs.
        operation: Its operation.
        before: The verdict before; None where there was none.
        after: The verdict now; None where there is none.
        ulps_before: The error before, as text.
        ulps_after: The error now, as text.
    """

    change: str
    case: str
    dtype: str
    formulation: str
    quantity: str
    subject: str
    operation: str
    before: Look | None
    after: Look | None
    ulps_before: str
    ulps_after: str


@dataclass(frozen=True)
class Changes:
    """Changes between two runs.

    Attributes:
        previous: The earlier run's name.
        started: When it started.
        versions: Each subject whose version is another one: its label, the version before and now.
        counts: How many checks changed, by kind of change, without textbook formulations.
        textbook: The same of textbook formulations.
        broken: How many relations broke that held.
        changed: The changed checks that are listed.
        more: How many changed checks are not in `changed`.
    """

    previous: str
    started: str
    versions: tuple[tuple[str, str, str], ...]
    counts: tuple[tuple[str, int], ...]
    textbook: tuple[tuple[str, int], ...]
    broken: int
    changed: tuple[Change, ...]
    more: int

    @property
    def nothing(self) -> bool:
        """Whether the runs agree in every check and version."""
        return not (self.counts or self.textbook or self.broken or self.versions)

    @property
    def sentence(self) -> str:
        """The changes in one sentence: `2 regressed, 14 fixed; torch 2.12.0 → 2.13.0.`"""
        if self.nothing:
            return "Nothing changed: the same checks, the same verdicts, the same bits."
        parts = [f"{number:,} {change}" for change, number in self.counts] or ["No check changed"]
        if self.broken:
            parts.append(f"{count(self.broken, 'relation')} broken")
        if self.textbook:
            parts.append(f"{count(sum(dict(self.textbook).values()), 'change')} of textbook formulations")
        versions = [f"{subject} {before} → {after}" for subject, before, after in self.versions]
        return "; ".join([", ".join(parts), *versions]) + "."


def changes(difference: DifferenceLike, limit: int = MAX_CHANGES) -> Changes:
    """The changes of a difference, with at most `limit` rows."""
    frame = difference.frame
    textbook = frame["textbook"].fillna(False).astype(bool)
    moved = frame["kind"].eq("check") & frame["change"].ne("unchanged")
    counts = [
        tuple(
            (str(name), int(number))
            for name, number in frame.loc[rows, "change"].value_counts(sort=False).items()
        )
        for rows in (moved & ~textbook, moved & textbook)
    ]
    broken = frame["kind"].eq("relation") & frame["change"].eq("regressed") & ~textbook
    listed = frame[moved & ~textbook & frame["change"].isin(LISTED)]
    environment = difference.old.environment
    return Changes(
        previous=str(environment.get("id") or "the previous run"),
        started=str(environment.get("started") or "")[:16].replace("T", " "),
        versions=_versions(difference),
        counts=counts[0],
        textbook=counts[1],
        broken=int(broken.sum()),
        changed=tuple(_change(row) for row in listed.head(limit).to_dict("records")),
        more=max(0, len(listed) - limit),
    )


def _versions(difference: DifferenceLike) -> tuple[tuple[str, str, str], ...]:
    """The subjects whose version is another one now."""
    versions = []
    for pair in difference.pairs:
        before, after = (
            str((run.environment.get("subjects") or {}).get(name, {}).get("version") or "")
            for run, name in ((difference.old, pair.old), (difference.new, pair.new))
        )
        if before != after:
            versions.append((pair.label, before, after))
    return tuple(versions)


def _change(row: Mapping[Any, Any]) -> Change:
    verdicts = [plain(row[f"verdict_{side}"]) for side in ("old", "new")]
    before, after = (look(verdict) if verdict else None for verdict in verdicts)
    return Change(
        change=plain(row["change"]),
        case=plain(row["case"]),
        dtype=plain(row["dtype"]),
        formulation=plain(row["formulation"]),
        quantity=plain(row["quantity"]),
        subject=plain(row["subject"]),
        operation=plain(row["operation"]),
        before=before,
        after=after,
        ulps_before=ulps(row["ulp_error_old"]),
        ulps_after=ulps(row["ulp_error_new"]),
    )
