"""Writes docs/upgrades.md: real upgrades, run again, and what changed in each.

    python docs/make_upgrades.py [NAME ...] [--runs DIR] [--draw]

Each upgrade builds two environments (torch 1.x: 0.8 GB each) and runs the corpus in both; the runs stay under
DIR (default: reports/upgrades). NAME runs these upgrades alone, `--draw` none: the page is drawn from what
DIR holds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from conformance.comparison.difference import Difference, diff
from conformance.report.figures import count, missing, ulps
from conformance.report.pages import cell

HERE = Path(__file__).parent
#: The cases of the posts and of known bugs: minutes a framework, where the whole corpus takes longer.
SHORT = ("--path", "cases/seeds", "--path", "cases/regressions")
#: Rows of a table, a change; diff.csv of the run holds every check.
ROWS = 12
CHANGES = ["regressed", "worse", "changed error", "fixed", "better", "changed bits"]


@dataclass(frozen=True)
class Upgrade:
    """Two pins, what is run, the cases that must show, and what the upgrade is an example of."""

    name: str
    old: str
    new: str
    expected: tuple[str, ...]
    text: str
    options: tuple[str, ...] = ()


UPGRADES = (
    Upgrade(
        "torch-1.10",
        "torch==1.10.0",
        "torch==1.11.0",
        ("pytorch-69339", "pytorch-66441"),
        "Weight, label smoothing and `ignore_index` together raised an `IndexError`, and the right tail of "
        "`logsigmoid` was 0 from x = 17 on.",
    ),
    Upgrade(
        "torch-1.8",
        "torch==1.8.1",
        "torch==1.9.0",
        ("pytorch-55657",),
        "A mean over 2^24 + 10 rows was accumulated in one float32.",
        ("--tag", "large", "--path", "cases/regressions/pytorch-55657.yaml", "--time-limit", "600"),
    ),
    Upgrade(
        "torch-1.4",
        "torch==1.4.0",
        "torch==1.5.0",
        ("pytorch-103316", "pytorch-24933"),
        "For a probability of 0 and the target 1 `binary_cross_entropy` gave 27.63, and 100 since; exact: "
        "infinity. The logarithm is clamped at -100 since, so a probability below e^-100, whose loss was "
        "right, costs 100 too: that regressed.",
        SHORT,
    ),
    Upgrade(
        "tensorflow-2.2",
        "tensorflow==2.2.0",
        "tensorflow==2.3.0",
        ("tensorflow-39329",),
        "Keras divided label smoothing by the wrong axis of a three-dimensional input. The logarithm of a "
        "subnormal number is -infinity since, so a formulation that takes one regressed.",
        SHORT,
    ),
    Upgrade(
        "jax-0.4.33",
        "jax==0.4.33",
        "jax==0.5.0",
        ("jax-23842-where",),
        "The gradient of `logsumexp` where large entries are masked out.",
        SHORT,
    ),
    Upgrade(
        "tensorflow-2.20", "tensorflow==2.20.0", "tensorflow==2.21.0", (), "Two current versions.", SHORT
    ),
    Upgrade("jax-0.10.1", "jax==0.10.1", "jax==0.10.2", (), "Two current versions.", SHORT),
)
#: What stands behind this line of the page is written anew.
MARK = "<!-- written by docs/make_upgrades.py -->"


def main() -> int:
    """Runs what was asked for and writes the page; the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/upgrades.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in UPGRADES))
    parser.add_argument("--runs", type=Path, default=Path("reports/upgrades"))
    parser.add_argument("--draw", action="store_true", help="run nothing")
    options = parser.parse_args()
    parts = []
    for one in UPGRADES:
        folder = options.runs / one.name
        if not options.draw and (not options.names or one.name in options.names):
            command = [sys.executable, "-m", "conformance", "upgrade", one.old, one.new]
            code = subprocess.run([*command, *one.options, "--output", str(folder)], check=False).returncode
            if code not in (0, 1):
                return code
        if (folder / "new" / "run.json").is_file():
            parts.append(section(one, diff(folder / "old", folder / "new")))
    page = HERE / "upgrades.md"
    kept = page.read_text("utf-8").split(MARK)[0]
    page.write_text("\n".join([kept + MARK, "", *parts]), "utf-8")
    return 0


def section(one: Upgrade, difference: Difference) -> str:
    """One upgrade: the command, versions, counts and the changed checks, one a case."""
    frame, counts = difference.frame, difference.counts()
    about = [next(iter(run.environment["subjects"].values())) for run in (difference.old, difference.new)]
    command = " ".join(["conformance upgrade", one.old, one.new, *one.options])
    shown = ", ".join(f"{number:,} {change}" for change, number in counts.items() if number)
    textbook = frame["textbook"].fillna(False).astype(bool) & frame["kind"].eq("check")
    idle = int((textbook & frame["change"].isin(CHANGES)).sum())
    shown += f". Not listed: {count(idle, 'changed check')} of textbook formulations" if idle else ""
    absent = [
        name for name in one.expected if name not in set(frame.loc[frame["change"] != "unchanged", "case"])
    ]
    lines = [
        f"### {one.old.replace('==', ' ')} to {one.new.split('==')[1]}",
        "",
        one.text,
        "",
        f"    {command}",
        "",
        f"Run on {difference.new.environment['started'][:10]}. Exit code {difference.exit_code()}. "
        f"Python {about[0]['python']} with NumPy {about[0]['numpy']}, "
        f"and {about[1]['python']} with {about[1]['numpy']}. Checks: {shown}.",
        "",
    ]
    lines += [f"The case `{name}` shows no change here.\n" for name in absent]
    return "\n".join([*lines, *table(frame, one.expected), ""])


def table(frame: pd.DataFrame, expected: Sequence[str]) -> list[str]:
    """The changed checks, one a case file's entry and change: the expected cases, then the worst."""
    wanted = frame["change"].isin(CHANGES) & frame["kind"].eq("check")
    rows = frame[wanted & ~frame["textbook"].fillna(False).astype(bool)]
    if rows.empty:
        return ["Every check that both versions answered has the same bits."]
    rows = rows.assign(
        entry=rows["case"].str.split("[").str[0],
        rank=rows["change"].map(CHANGES.index),
        later=~rows["case"].isin(expected),
    )
    groups = rows.groupby(["change", "entry"])["case"].agg(["size", "nunique"])
    firsts = rows.drop_duplicates(["change", "entry"]).sort_values(["rank", "later"], kind="stable")
    quota = firsts.groupby("change", sort=False).head(ROWS)
    lines = [
        "| change | case | checks | first of them | ulps | old | new | exact |",
        "| --- | --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for row in quota.to_dict("records"):
        said = [says(row, side) for side in ("old", "new")]
        first = f"{row['formulation']} {row['quantity']} {row['dtype']}"
        number, cases = groups.loc[(row["change"], row["entry"])]
        name = row["case"] if cases == 1 else f"{row['entry']} ({cases} cases)"
        errors = " → ".join(
            ulps(None if missing(e) else float(e)) for e in (row["ulp_error_old"], row["ulp_error_new"])
        )
        cells = [row["change"], name, number, first, errors, *said, row["exact"]]
        lines.append(f"| {' | '.join(cell(text, 60) for text in cells)} |")
    left = len(firsts) - len(quota)
    return lines + ([f"\n{left} rows more are left out; the run's diff.csv has every check."] if left else [])


def says(row: dict[object, object], side: str) -> str:
    """Digits and bits of the element that changed most, or the error."""
    observed, bits = row[f"observed_{side}"], row[f"bits_{side}"]
    return f"{observed} ({bits})" if observed else str(row[f"message_{side}"])


if __name__ == "__main__":
    sys.exit(main())
