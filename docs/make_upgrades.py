"""Writes docs/upgrades.md: real upgrades, run again, and what changed in each.

    python docs/make_upgrades.py [NAME ...] [--runs DIR] [--draw]

Each upgrade builds two environments (torch 1.x: 0.8 GB each) and runs the corpus in both; the runs stay under
DIR (default: reports/upgrades). NAME runs these upgrades alone, `--draw` none: the page is drawn from what DIR
holds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from conformance.regression import Difference, diff
from conformance.report.figures import missing, ulps
from conformance.report.pages import cell

HERE = Path(__file__).parent
#: Rows of a table; diff.csv of the run holds them all.
ROWS = 12


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
        ("pytorch-24933",),
        "`binary_cross_entropy` added an epsilon inside its logarithm.",
    ),
    Upgrade(
        "tensorflow-2.2",
        "tensorflow==2.2.0",
        "tensorflow==2.3.0",
        ("tensorflow-39329",),
        "Keras divided label smoothing by the wrong axis of a three-dimensional input.",
    ),
    Upgrade(
        "jax-0.4.33",
        "jax==0.4.33",
        "jax==0.5.0",
        ("jax-23842",),
        "The gradient of `logsumexp` where large entries are masked out.",
    ),
    Upgrade("tensorflow-2.20", "tensorflow==2.20.0", "tensorflow==2.21.0", (), "Two current versions."),
    Upgrade("jax-0.10.1", "jax==0.10.1", "jax==0.10.2", (), "Two current versions."),
)
HEAD = """\
# Upgrades

Which losses and gradients changed between two versions of a framework, by how much, and for the better or
worse: one command says so. It builds an environment for either version, runs the cases in both on the same
bits, and compares every check. Nothing is installed beside what you have.

    conformance upgrade torch==1.10.0 torch==1.11.0
    conformance upgrade "torch==2.12.1,numpy==2.1.0" "torch==2.13.0,numpy==2.4.6" --subject torch:compile
    tox run -e upgrade -- jax==0.10.1 jax==0.10.2

Exit code 0: nothing regressed; 1: something did (with `--strict` also: an error grew); 2: no such release, no
Python that its wheels serve, no network. `--output` (default: `reports/upgrade`) receives the report of both
versions side by side, a run of each in `old/` and `new/`, and `diff.csv`, `diff.md` and `diff.html`.

A change is one of: **regressed** (conformed, does not now), **fixed**, **worse** and **better** (both conform
or both do not, and the error changed by more than a factor of 2, which is `--factor`, and by more than 1 ulp),
**changed error** (another kind of error), **changed bits** (nothing of that, and yet other bits), **added**
and **removed** (the check is in one run alone, or was `unsupported`), **changed case** (its exact value is
another one), **follows** (a relation that broke because one side was fixed, or holds because a side broke).
Checks of textbook formulations are listed and gate nothing.

## Where a subject runs

- `torch==1.10.0`, `torch==2.12.1,numpy==2.1.0:compile`: pins. uv builds an environment and keeps it in the
  user's cache. The Python is one of this machine (on PATH, uv's own, pyenv's): the one that runs the suite
  where the wheels allow it, else the newest that they do; `--python PATH` names another. None is downloaded.
  Companions are those of six weeks after the framework's release. `UV_FIND_LINKS`, or `PIP_FIND_LINKS`, names
  folders of wheels.
- `conformance run --subject torch --python /opt/venvs/ours/bin/python`: an interpreter that has NumPy and the
  framework. Nothing of the suite is installed there.
- `conformance run --subjects subjects.yaml`: any number of them, with names of their own.

      subjects:
        - name: torch-ours
          subject: torch:compile
          python: /opt/venvs/ours/bin/python
        - name: torch-cluster
          subject: torch@cuda
          command: ssh node7 python3
        - name: torch-image
          subject: torch
          command: docker run -i pytorch/pytorch python
        - subject: torch==1.10.0
          pins: [numpy==1.21.6]

  A `command` starts a Python (3.8 to 3.14) anywhere; the adapters go there over its standard input, and
  nothing is written to its disk.

## In continuous integration

Two gates that need no judgement of what is right today:

1. *What got worse since a stored run.* Record one, commit it (without `observations.bin`, if it is large), and
   gate on it:

       conformance run --output baseline
       conformance run --baseline baseline

2. *The newest release, before it is adopted.* A scheduled job compares it with the version in use and puts
   `diff.md` under a pull request; it fits a comment.

       on:
         schedule: [{cron: "0 5 * * 1"}]
       jobs:
         upgrade:
           runs-on: ubuntu-latest
           permissions: {pull-requests: write}
           steps:
             - uses: actions/checkout@v4
             - uses: actions/setup-python@v5
               with: {python-version: "3.11"}
             - run: python -m pip install loss-conformance torch
             - run: |
                 python -m pip index versions torch --json > versions.json
                 echo "NEW=$(python -c 'import json; print(json.load(open("versions.json"))["latest"])')" >> "$GITHUB_ENV"
                 echo "OLD=$(python -c 'import torch; print(torch.__version__.split("+")[0])')" >> "$GITHUB_ENV"
             - run: conformance upgrade "torch==$OLD" "torch==$NEW" --output upgrade
               if: env.OLD != env.NEW
             - run: gh pr comment "$PULL_REQUEST" --body-file upgrade/diff.md
               if: always() && env.OLD != env.NEW
               env: {GH_TOKEN: "${{ github.token }}", PULL_REQUEST: "${{ vars.UPGRADE_PULL_REQUEST }}"}

   Or against a stored run: `conformance diff baseline upgrade/new`. Runs of different processors are compared
   with a warning that names the difference, for CPU flags decide which kernel ran.

## Upgrades that changed something

"""


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
    (HERE / "upgrades.md").write_text(HEAD + "\n".join(parts), "utf-8")
    return 0


def section(one: Upgrade, difference: Difference) -> str:
    """One upgrade: the command, versions, counts and the changed checks, one a case."""
    frame, counts = difference.frame, difference.counts()
    about = [next(iter(run.environment["subjects"].values())) for run in (difference.old, difference.new)]
    command = " ".join(["conformance upgrade", one.old, one.new, *one.options])
    shown = ", ".join(f"{number:,} {change}" for change, number in counts.items() if number)
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
        f"Exit code {difference.exit_code()}. Python {about[0]['python']} with NumPy {about[0]['numpy']}, and "
        f"{about[1]['python']} with {about[1]['numpy']}. Checks: {shown}.",
        "",
    ]
    lines += [f"The case `{name}` shows no change here.\n" for name in absent]
    return "\n".join([*lines, *table(frame), ""])


def table(frame: pd.DataFrame) -> list[str]:
    """The changed checks, the first of each case and change, in the order in which they ask for attention."""
    wanted = frame["change"].isin(["regressed", "worse", "changed error", "fixed", "better", "changed bits"])
    rows = frame[wanted & frame["kind"].eq("check") & ~frame["textbook"].fillna(False).astype(bool)]
    if rows.empty:
        return ["Every check that both versions answered has the same bits."]
    checks = rows.groupby(["change", "case"], sort=False).size()
    firsts = rows.drop_duplicates(["change", "case"])
    quota = firsts.groupby("change", sort=False).head(ROWS)
    lines = [
        "| change | case | checks | first of them | ulps | old | new | exact |",
        "| --- | --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for row in quota.to_dict("records"):
        said = [says(row, side) for side in ("old", "new")]
        first = f"{row['formulation']} {row['quantity']} {row['dtype']}"
        number = checks[row["change"], row["case"]]
        errors = " → ".join(
            ulps(None if missing(e) else float(e)) for e in (row["ulp_error_old"], row["ulp_error_new"])
        )
        cells = [row["change"], row["case"], number, first, errors, *said, row["exact"]]
        lines.append(f"| {' | '.join(cell(text, 60) for text in cells)} |")
    left = len(firsts) - len(quota)
    return lines + ([f"\nAnd {left} more cases, in the run's diff.csv."] if left else [])


def says(row: dict[object, object], side: str) -> str:
    """Digits and bits of the element that changed most, or the error."""
    observed, bits = row[f"observed_{side}"], row[f"bits_{side}"]
    return f"{observed} ({bits})" if observed else str(row[f"message_{side}"])


if __name__ == "__main__":
    sys.exit(main())
