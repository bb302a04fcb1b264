"""Writes docs/coverage.md, and the counts below which no cell of the default run may fall.

    python docs/make_coverage.py

No framework is needed: the cases alone decide. The counts of tests/plan/least_checks.csv only grow; where a
cell has fewer checks than it says, nothing is written, and the cells are named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from conformance.plan.coverage.page import markdown
from conformance.plan.coverage.table import Table, table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
LEAST = ROOT / "tests" / "plan" / "least_checks.csv"
KEYS = ["operation", "dtype", "quantity", "formulation"]


def main() -> None:
    """Writes both."""
    default = table()
    counts, least = counted(default), read_least()
    missing = fewer(counts, least)
    if missing:
        sys.exit("\n".join(["the default run would ask less than before:", *missing]))
    counts.to_frame().to_csv(LEAST, lineterminator="\n")
    PAGE.write_text(markdown(default), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {int(counts.sum()):,} checks a subject")
    if default.unexplained:
        sys.exit("\n".join(f"no case, and no reason why: {each.name}" for each in default.unexplained))


def counted(of: Table) -> pd.Series[int]:
    """How many checks of a subject fall into each cell of `KEYS`."""
    frames = [each.checks.assign(operation=each.operation) for each in of.operations]
    return pd.concat(frames).groupby(KEYS).size().rename("checks")


def read_least() -> pd.Series[int]:
    """The counts below which no cell may fall."""
    return pd.read_csv(LEAST).set_index(KEYS)["checks"]


def fewer(counts: pd.Series[int], least: pd.Series[int]) -> list[str]:
    """The cells that have fewer checks than they must, in words."""
    now = counts.reindex(least.index, fill_value=0)
    return [
        f"{' '.join(map(str, cell))}: {now[cell]} checks, {least[cell]} before"
        for cell in least.index[now < least]
    ]


if __name__ == "__main__":
    main()
