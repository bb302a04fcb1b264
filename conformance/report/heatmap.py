"""Heat map: the worst verdict of each operation, subject and dtype, and its error as a share of its bound."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from conformance.report.figures import count, dtype_order, share, ulps
from conformance.report.precision import no_digit_right
from conformance.report.summary import known_text
from conformance.report.verdicts import KNOWN, SEVERITY, Look, look


@dataclass(frozen=True)
class Cell:
    """Cell of the heat map; known deviations and textbook formulations are left out of its worst verdict.

    Attributes:
        operation: The row.
        subject: The column's subject.
        dtype: The column's dtype.
        look: The worst verdict, or that all is known.
        ulps: The largest error of that verdict, as text; where all conform, the largest of all.
        error: The same as a number, nan where there is none.
        share: The largest error as a multiple of its bound, of the same checks, as text; at most 1 conforms.
        no_digit: How many checks conform with no digit right.
        checks: How many checks the cell has.
        known: How many of them are known deviations.
        worst_case: The case of the worst check.
    """

    operation: str
    subject: str
    dtype: str
    look: Look
    ulps: str
    error: float
    share: str
    no_digit: int
    checks: int
    known: int
    worst_case: str

    @property
    def label(self) -> str:
        """The cell in words, for screen readers and the tooltip."""
        known = f", {count(self.known, 'known deviation')}" if self.known else ""
        worst = f", at worst {self.share} of the bound, {self.ulps} ulps" if self.ulps != "–" else ""
        digits = f", {self.no_digit:,} of them with no digit right" if self.no_digit else ""
        return (
            f"{self.operation}, {self.subject}, {self.dtype}: {self.look.name}{worst}, "
            f"{count(self.checks, 'check')}{known}{digits}"
        )


@dataclass(frozen=True)
class Heatmap:
    """Heat map.

    Attributes:
        columns: Subject and dtype of each column.
        subjects: Each subject, and how many columns are its own.
        rows: Each operation with its cells in the order of `columns`, None where nothing was checked.
    """

    columns: tuple[tuple[str, str], ...]
    subjects: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def heatmap(frame: pd.DataFrame, subjects: list[str]) -> Heatmap:
    """The heat map of a run's checks; columns follow `subjects`, dtypes go from narrow to wide."""
    keys = ["operation", "subject", "dtype"]
    needed = frame[[*keys, "case", "ulp_error", "ratio", "conforms", "known", "verdict"]]
    plain = needed[~frame["textbook"].fillna(False).astype(bool)]
    data = plain[[*keys, "case", "ulp_error", "ratio"]].assign(
        no_digit=no_digit_right(frame)[plain.index],
        known=plain["conforms"].eq(False).fillna(False).astype(bool) & known_text(plain).ne(""),
        severity=plain["verdict"].map(SEVERITY).fillna(len(SEVERITY)).astype(int),
        verdict=plain["verdict"],
    )
    data["finite"] = data["ulp_error"].where(np.isfinite(data["ulp_error"].astype(float)), -1).fillna(-1)
    cells = _cells(data, keys)
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
    return Heatmap(tuple(columns), tuple(span for span in spans if span[1]), rows)


def _cells(data: pd.DataFrame, keys: list[str]) -> dict[tuple[str, str, str], Cell]:
    """The cell of each operation, subject and dtype: its worst check that is not known, its worst error."""
    grouped = data.groupby(keys, sort=False)
    counts = grouped.agg(checks=("known", "size"), known=("known", "sum"), no_digit=("no_digit", "sum"))
    # Where all is known, the worst of that is shown, as known.
    shown = data[~data["known"] | grouped["known"].transform("all")]
    worst = shown.sort_values(["severity", "finite"], kind="stable").drop_duplicates(keys, keep="last")
    # The largest error of the worst verdict; where all conform, the largest of all is the news.
    top = shown.groupby(keys, sort=False)["severity"].transform("max")
    decisive = shown[shown["severity"].eq(top) | top.le(SEVERITY["stable"])]
    # What is rounded correctly conforms whatever its bound, which may be 0.
    conforms = decisive["severity"].le(SEVERITY["stable"])
    decisive = decisive.assign(ratio=decisive["ratio"].mask(conforms, decisive["ratio"].clip(upper=1.0)))
    errors = decisive.groupby(keys, sort=False).agg(error=("ulp_error", "max"), ratio=("ratio", "max"))
    table = counts.join(errors).join(worst.set_index(keys)[["verdict", "case"]])
    rows: list[dict[Hashable, Any]] = table.reset_index().to_dict("records")
    return {
        (row["operation"], row["subject"], row["dtype"]): Cell(
            operation=row["operation"],
            subject=row["subject"],
            dtype=row["dtype"],
            look=KNOWN if row["known"] == row["checks"] else look(row["verdict"]),
            ulps=ulps(row["error"]),
            error=float(row["error"]),
            share=share(row["ratio"]),
            no_digit=int(row["no_digit"]),
            checks=row["checks"],
            known=int(row["known"]),
            worst_case=row["case"],
        )
        for row in rows
    }
