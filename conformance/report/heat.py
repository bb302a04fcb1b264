"""The heat map: operation by subject by dtype, the worst verdict of each cell and its ulps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from conformance.report.figures import count, dtype_order, ulps
from conformance.report.summary import known_text
from conformance.report.verdicts import KNOWN, SEVERITY, Look, look


@dataclass(frozen=True)
class Cell:
    """The worst of one operation, subject and dtype; known deviations and textbook formulations left out."""

    operation: str
    subject: str
    dtype: str
    look: Look
    ulps: str
    checks: int
    known: int
    worst_case: str

    @property
    def label(self) -> str:
        """The cell in words, for screen readers and the tooltip."""
        known = f", {count(self.known, 'known deviation')}" if self.known else ""
        worst = f", at worst {self.ulps} ulps" if self.ulps != "–" else ""
        return (
            f"{self.operation}, {self.subject}, {self.dtype}: {self.look.name}{worst}, "
            f"{count(self.checks, 'check')}{known}"
        )


@dataclass(frozen=True)
class Heat:
    """Rows of cells in the order of `columns`; None where nothing was checked."""

    columns: tuple[tuple[str, str], ...]
    subjects: tuple[tuple[str, int], ...]  # with the number of dtypes each spans
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def heat(frame: pd.DataFrame, subjects: list[str]) -> Heat:
    """The heat map of a run's checks; columns follow `subjects`, dtypes go from narrow to wide."""
    keys = ["operation", "subject", "dtype"]
    plain = frame[~frame["textbook"].fillna(False).astype(bool)]
    data = plain[[*keys, "case", "ulp_error"]].assign(
        known=plain["conforms"].eq(False).fillna(False).astype(bool) & known_text(plain).ne(""),
        severity=plain["verdict"].map(SEVERITY).fillna(len(SEVERITY)).astype(int),
        verdict=plain["verdict"],
    )
    data["finite"] = data["ulp_error"].where(np.isfinite(data["ulp_error"].astype(float)), -1).fillna(-1)
    cells: dict[tuple[str, str, str], Cell] = {}
    for key, group in data.groupby(keys, sort=False):
        operation, subject, dtype = (str(part) for part in key)
        cells[operation, subject, dtype] = _cell((operation, subject, dtype), group)
    columns = [
        (subject, dtype)
        for subject in subjects
        for dtype in sorted({key[2] for key in cells if key[1] == subject}, key=dtype_order)
    ]
    spans = [(subject, sum(1 for column in columns if column[0] == subject)) for subject in subjects]
    operations = list(dict.fromkeys(key[0] for key in cells))
    rows = tuple(
        (operation, tuple(cells.get((operation, *column)) for column in columns)) for operation in operations
    )
    return Heat(tuple(columns), tuple(span for span in spans if span[1]), rows)


def _cell(key: tuple[str, str, str], group: pd.DataFrame) -> Cell:
    known = int(group["known"].sum())
    open_ = group[~group["known"]]
    if open_.empty:
        worst = group.sort_values("severity").iloc[-1]
        return Cell(*key, KNOWN, ulps(worst["ulp_error"]), len(group), known, str(worst["case"]))
    worst = open_.sort_values(["severity", "finite"]).iloc[-1]
    error = open_.loc[open_["severity"].eq(worst["severity"]), "ulp_error"].max()
    if open_["severity"].max() <= SEVERITY["stable"]:  # all conform: the largest error is the news
        error = open_["ulp_error"].max()
    return Cell(*key, look(str(worst["verdict"])), ulps(error), len(group), known, str(worst["case"]))
