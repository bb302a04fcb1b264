"""What more checks cost: time, and memory of the parent, where more and more subjects answer the corpus.

    python benchmarks/growth.py [--subjects 1 6 10] [--save FILE]

Every subject is NumPy under a name of its own: a framework's part is small then, and the same for each.
Exact values come from the disk, and each run writes into an empty directory. Needs an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subjects", type=int, nargs="+", default=[1, 6, 10])
    parser.add_argument("--save", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    table = Table("subjects", "checks", "wall, s", "processor, s", "checks a second", "parent's memory, MB")
    with tempfile.TemporaryDirectory() as folder:
        measured(1, Path(folder) / "warm")
        for count in options.subjects:
            checks, wall, processor, memory = measured(count, Path(folder) / str(count))
            figures = (
                f"{checks:,}",
                f"{wall:.1f}",
                f"{processor:.1f}",
                f"{checks / wall:,.0f}",
                f"{memory:.0f}",
            )
            table.add_row(str(count), *figures)
    console = Console(record=True, width=110)
    console.print(table)
    if options.save:
        options.save.write_text(console.export_text(), encoding="utf-8")


def measured(count: int, folder: Path) -> tuple[int, float, float, float]:
    """Checks, seconds, the processor's seconds (workers included) and the parent's peak MB of a run."""
    folder.mkdir()
    names = "".join(f"  - {{name: numpy-{place}, subject: numpy}}\n" for place in range(count))
    (folder / "subjects.yaml").write_text("subjects:\n" + names)
    argv = [sys.executable, "-m", "conformance", "run", "--subjects", str(folder / "subjects.yaml")]
    start = time.perf_counter()
    process = subprocess.Popen([*argv, "--output", str(folder / "run")], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"the run of {count} subjects ended with status {status}")
    counts = json.loads((folder / "run" / "run.json").read_text())["counts"]
    return sum(counts.values()), wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
