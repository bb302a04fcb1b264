"""The exact values of the default corpus on one core: from an empty cache, then from the disk.

    python benchmarks/exact.py [--save FILE]

Beside the processor's seconds it prints what Arb alone took for an exponential meanwhile: that tells a slow
machine, or a busy one, from a slow suite.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from flint import arb
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
#: Groups after which Arb alone is timed once more, with so many exponentials.
EVERY, ALONE = 150, 20_000


def main() -> None:
    """Measures and prints."""
    from conformance.execution import memory_tuning

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--save", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    table = Table("cache", "exact values", "processor, s", "Arb alone, us an exponential")
    with tempfile.TemporaryDirectory() as folder, memory_tuning.tuned():
        for cache in ("empty", "from the disk"):
            count, spent, alone = measured(Path(folder))
            table.add_row(cache, f"{count:,}", f"{spent:.1f}", f"{alone:.2f}")
    console = Console(record=True, width=110)
    console.print(table)
    if options.save:
        options.save.write_text(console.export_text(), encoding="utf-8")


def measured(cache: Path) -> tuple[int, float, float]:
    """How many elements have exact values, the processor's seconds for all, and Arb's microseconds alone."""
    from conformance.cases.loader import load_cases
    from conformance.judging.references import References
    from conformance.plan import requests
    from conformance.plan.requests import pick
    from conformance.plan.settings import Settings

    groups = requests.make(pick(load_cases(), Settings()), ["numpy"]).groups
    references, alone = References(cache, groups), [arb_alone()]
    count, spent = 0, 0.0
    for group in groups:
        start = time.process_time()
        if group.case.expect != "error":
            for quantity in group.case.quantity_names():
                count += references.get(group, quantity).rounded.size
        references.drop(group)
        group.release()
        spent += time.process_time() - start
        if group.index % EVERY == 0:
            alone.append(arb_alone())
    start = time.process_time()
    references.close()
    return count, spent + time.process_time() - start, sum(alone) / len(alone)


def arb_alone() -> float:
    """The processor's microseconds for a number's ball, a difference, its exponential and its rounding."""
    numbers = [place * 0.001 for place in range(ALONE)]
    start = time.process_time()
    balls = [(number - arb(200)).exp() for number in numbers]
    rounded = [float(ball) for ball in balls]
    return (time.process_time() - start) / len(rounded) * 1e6


if __name__ == "__main__":
    main()
