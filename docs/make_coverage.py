"""Writes docs/coverage.md, and the counts below which no cell of the default run may fall.

    python docs/make_coverage.py

No framework is needed: the cases alone decide. The counts of tests/plan/least_checks.csv, and those of the
pairs of classes that each operation meets, in tests/plan/least_pairs.csv, only grow; where there are fewer
than they say, nothing is written, and the cells are named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from conformance.plan.coverage.page import markdown
from conformance.plan.coverage.table import Table, table
from conformance.plan.coverage.unmet_pairs import met

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
LEAST = ROOT / "tests" / "plan" / "least_checks.csv"
PAIRS = ROOT / "tests" / "plan" / "least_pairs.csv"
KEYS = ["operation", "dtype", "quantity", "formulation"]


def main() -> None:
    """Writes both."""
    default = table()
    counts, least = counted(default), read_least()
    pairs = pairs_met(default)
    missing = fewer(counts, least) + fewer(pairs, read_least(PAIRS))
    if missing:
        sys.exit("\n".join(["the default run would ask less than before:", *missing]))
    counts.to_frame().to_csv(LEAST, lineterminator="\n")
    pairs.to_frame().to_csv(PAIRS, lineterminator="\n")
    PAGE.write_text(markdown(default), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {int(counts.sum()):,} checks a subject")
    if default.unexplained:
        sys.exit("\n".join(f"no case, and no reason why: {each.name}" for each in default.unexplained))


def counted(of: Table) -> pd.Series[int]:
    """How many checks of a subject fall into each cell of `KEYS`."""
    frames = [each.checks.assign(operation=each.operation) for each in of.operations]
    return pd.concat(frames).groupby(KEYS).size().rename("checks")


def pairs_met(of: Table) -> pd.Series[int]:
    """How many pairs of classes of different axes the checks of each operation meet."""
    numbers = {each.operation: met(each) for each in of.operations}
    return pd.Series(numbers, name="pairs").rename_axis("operation").sort_index()


def read_least(path: Path = LEAST) -> pd.Series[int]:
    """The counts below which no cell may fall; of the pairs of an operation from `PAIRS`."""
    return pd.read_csv(path).set_index(KEYS if path == LEAST else KEYS[:1]).iloc[:, 0]


def fewer(counts: pd.Series[int], least: pd.Series[int]) -> list[str]:
    """The cells that have fewer checks, or the operations that have fewer pairs, than they must, in words."""
    now = counts.reindex(least.index, fill_value=0)
    return [
        f"{' '.join([cell] if isinstance(cell, str) else map(str, cell))}: "
        f"{now[cell]} {counts.name}, {least[cell]} before"
        for cell in least.index[now < least]
    ]


if __name__ == "__main__":
    main()
