"""Searches of today's frameworks, and the table of docs/search.md from what they find.

    python docs/make_searches.py [--directory DIR] [--evaluations N] [--seed N] [--only-table]

A search is stored in DIR/OPERATION-SUBJECT-DTYPE and not made again while it is there.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from conformance.cases.deviations import holds
from conformance.cases.loader import load_cases
from conformance.cases.models import Known, globbed
from conformance.report.figures import count

PAGE = Path(__file__).parent / "search.md"
MARKS = ("<!-- table: docs/make_searches.py -->\n", "<!-- end of table -->\n")
SEARCHES = (
    ("binary_cross_entropy_with_logits", "torch", "float32"),
    ("binary_cross_entropy_with_logits", "tensorflow", "float32"),
    ("binary_cross_entropy", "torch", "float32"),
    ("binary_cross_entropy", "tensorflow", "float32"),
    ("cross_entropy", "torch", "float32"),
    ("cross_entropy", "tensorflow", "float32"),
    ("log_softmax", "torch", "float16"),
    ("logsumexp", "torch", "float32"),
    ("sigmoid", "torch", "float16"),
    ("sigmoid", "tensorflow", "float32"),
    ("sigmoid", "jax", "float16"),
)
LINE = re.compile(r"(\S+) (\S+) in (\w+): (.*)")
SEED = re.compile(r"--seed (\d+)")
FIGURES = re.compile(r"(\w+), (\S+) where \S+ is right, (\S+) ulps")


def search(operation: str, subject: str, dtype: str, options: argparse.Namespace) -> None:
    """Searches, unless that is stored, and stores what the command prints."""
    directory = options.directory / f"{operation}-{subject}-{dtype}"
    if (directory / "search.json").exists():
        return
    command = [sys.executable, "-m", "conformance", "search", "--operation", operation, "--subject", subject]
    command += ["--dtype", dtype, "--evaluations", str(options.evaluations), "--seed", str(options.seed)]
    command += ["--exit-zero", "--json", "--output", str(directory)]
    command += ["--workers", str(options.workers)] if options.workers else []
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "search.json").write_text(printed, "utf-8")


@dataclass(frozen=True)
class Failure:
    """Failure that a search found, as a known deviation may have it.

    Attributes:
        verdict: Its verdict.
        message: Its message.
        ulp_error: Its error in ulps; None where nothing was returned.
        observed: What was returned.
    """

    verdict: str
    message: str
    ulp_error: float | None
    observed: float | None

    @classmethod
    def of(cls, text: str) -> Failure:
        """The failure that a case's `why` tells."""
        figures = FIGURES.match(text)
        if figures is None:
            verdict, _, message = text.partition(": ")
            return cls(verdict, message, None, None)
        verdict, observed, ulps = figures.groups()
        return cls(verdict, "", float(ulps), float(observed))


def deviations() -> dict[tuple[str, str], list[Known]]:
    """By operation and quantity: the known deviations of the corpus."""
    known: dict[tuple[str, str], dict[Known, None]] = {}
    for case in load_cases():
        for entry in case.known:
            for quantity in case.quantity_names():
                if globbed(entry.quantity, quantity):
                    known.setdefault((case.operation, quantity), {})[entry] = None
    return {key: list(entries) for key, entries in known.items()}


def seen(there: Sequence[Known], quantity: str, dtype: str, failure: Failure) -> str:
    """What the corpus knows: the deviation that has this figure, or how many others there are."""
    names = {quantity, quantity.partition(":")[0]}
    for entry in there:
        for observed in entry.observed:
            about = not observed.dtypes or dtype in observed.dtypes
            about &= not observed.quantities or bool(names & set(observed.quantities))
            if about and holds(observed, failure):
                return entry.reason
    return f"of {count(len(there), 'deviation')} none has this figure" if there else "nothing"


def table(directory: Path) -> Iterator[str]:
    """The table's lines."""
    known = deviations()
    yield "| operation, subject | seed | minutes | the smallest input | returned | the corpus knows there |"
    yield "| --- | ---: | ---: | --- | --- | --- |"
    for path in sorted(directory.glob("*/search.json")):
        about = json.loads(path.read_text("utf-8"))
        operation, subject, _ = path.parent.name.split("-")
        found = path.parent / "found.yaml"
        file = YAML(typ="safe").load(found.read_text("utf-8")) if found.exists() else {}
        cases, minutes = file.get("cases", []), f"{about['seconds'] / 60:.1f}"
        seed = SEED.search(file.get("source", ""))
        if not cases:
            yield f"| {operation}, {subject} | | {minutes} | nothing found in {about['climbs']} climbs | | |"
        for case in cases:
            _, quantity, dtype, result = LINE.match(case["why"]).groups()
            there = [
                entry
                for entry in known.get((operation, quantity), ())
                if globbed(entry.subject, subject) and globbed(entry.dtype, dtype)
            ]
            inputs = json.dumps({**case["inputs"], **case.get("parameters", {})}).replace("Infinity", "inf")
            about_case = f"{operation}, {subject}, {quantity}, {dtype}"
            cells = (
                about_case,
                seed[1] if seed else "",
                minutes,
                f"`{inputs.strip('{}')}`",
                result,
                seen(there, quantity, dtype, Failure.of(result)),
            )
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Searches what is not stored, and writes the table into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--directory", type=Path, default=Path("reports/searches"))
    parser.add_argument("--evaluations", type=int, default=4800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only-table", action="store_true")
    options = parser.parse_args()
    if not options.only_table:
        for operation, subject, dtype in SEARCHES:
            search(operation, subject, dtype, options)
    begin, end = map(re.escape, MARKS)
    made = "\n".join(table(options.directory)) + "\n"
    text = PAGE.read_text("utf-8")
    whole = re.sub(f"{begin}.*{end}", lambda _: MARKS[0] + "\n" + made + "\n" + MARKS[1], text, flags=re.S)
    PAGE.write_text(whole, "utf-8")


if __name__ == "__main__":
    main()
