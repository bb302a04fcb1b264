"""What changed since the previous run: verdicts that got better or worse, bits, checks that came and went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.figures import ulps
from conformance.report.summary import discrepancies
from conformance.report.verdicts import SEVERITY, Look, look

KEY = ["case", "dtype", "formulation", "quantity", "subject"]


@dataclass(frozen=True)
class Change:
    """One check whose verdict differs between the two runs."""

    case: str
    dtype: str
    formulation: str
    quantity: str
    subject: str
    operation: str
    before: Look
    after: Look
    ulps_before: str
    ulps_after: str
    worse: bool


@dataclass(frozen=True)
class Changes:
    """Counts of everything, and the changed verdicts, what is worse first."""

    previous: str
    versions: tuple[tuple[str, str, str], ...]  # subject, before, after
    added: int
    removed: int
    bits: int
    new_discrepancies: int
    gone_discrepancies: int
    better: int
    worse: int
    changed: tuple[Change, ...]

    @property
    def nothing(self) -> bool:
        """Whether the runs agree in every check and version."""
        return not (self.added or self.removed or self.bits or self.changed or self.versions)


def changes(frame: pd.DataFrame, previous: pd.DataFrame, previous_id: str, limit: int = 50) -> Changes:
    """Compares two runs' checks by case, dtype, formulation, quantity and subject."""
    columns = [*KEY, "operation", "verdict", "ulp_error", "bits", "framework_version"]
    new = frame[columns].assign(gates=discrepancies(frame)).drop_duplicates(KEY)
    old = previous[columns].assign(gates=discrepancies(previous)).drop_duplicates(KEY)
    both = new.merge(old, on=KEY, how="outer", suffixes=("", "_old"), indicator=True)
    shared = both[both["_merge"].eq("both")]
    moved = shared[shared["verdict"].ne(shared["verdict_old"])]
    rank = moved["verdict"].map(SEVERITY).fillna(99)
    delta = rank - moved["verdict_old"].map(SEVERITY).fillna(99)
    bits = shared["bits"].fillna("").astype(str).ne(shared["bits_old"].fillna("").astype(str))
    gates = shared["gates"].fillna(False).astype(bool)
    gates_old = shared["gates_old"].fillna(False).astype(bool)
    first = moved.assign(delta=delta).sort_values("delta", ascending=False, kind="stable").head(limit)
    versions = shared.loc[
        shared["framework_version"].ne(shared["framework_version_old"]),
        ["subject", "framework_version_old", "framework_version"],
    ].drop_duplicates()
    return Changes(
        previous_id,
        tuple((str(a), str(b), str(c)) for a, b, c in versions.itertuples(index=False)),
        added=int(both["_merge"].eq("left_only").sum()),
        removed=int(both["_merge"].eq("right_only").sum()),
        bits=int(bits.sum()),
        new_discrepancies=int((gates & ~gates_old).sum()),
        gone_discrepancies=int((gates_old & ~gates).sum()),
        better=int((delta < 0).sum()),
        worse=int((delta > 0).sum()),
        changed=tuple(_change(row) for row in first.to_dict("records")),
    )


def _change(row: Mapping[Any, Any]) -> Change:
    before, after = look(str(row["verdict_old"])), look(str(row["verdict"]))
    return Change(
        case=str(row["case"]),
        dtype=str(row["dtype"]),
        formulation=str(row["formulation"]),
        quantity=str(row["quantity"]),
        subject=str(row["subject"]),
        operation=str(row["operation"]),
        before=before,
        after=after,
        ulps_before=ulps(row["ulp_error_old"]),
        ulps_after=ulps(row["ulp_error"]),
        worse=bool(row["delta"] > 0),
    )
