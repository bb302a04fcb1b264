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
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

from conformance.cases.loader import load_cases
from conformance.cases.models import globbed

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
    ("log_softmax", "jax", "float16"),
    ("softmax", "torch", "float16"),
    ("cross_entropy", "torch", "float16"),
    ("logsumexp", "jax", "float32"),
    ("binary_cross_entropy_with_logits", "jax", "float32"),
)
LINE = re.compile(r"(\S+) (\S+) in (\w+): (.*)")


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


def reasons() -> dict[tuple[str, str], list[tuple[str, str, str]]]:
    """By operation and quantity: subjects, dtype and reason of each known deviation of the corpus."""
    known: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for case in load_cases():
        for entry in case.known:
            for quantity in case.quantity_names():
                if globbed(entry.quantity, quantity):
                    line = entry.subject, entry.dtype, entry.reason
                    lines = known.setdefault((case.operation, quantity), [])
                    if line not in lines:
                        lines.append(line)
    return known


def table(directory: Path) -> Iterator[str]:
    """The table's lines."""
    known = reasons()
    yield "| operation, subject | minutes | the smallest input | returned | the corpus knows there |"
    yield "| --- | ---: | --- | --- | --- |"
    for path in sorted(directory.glob("*/search.json")):
        about = json.loads(path.read_text("utf-8"))
        operation, subject, _ = path.parent.name.split("-")
        found = path.parent / "found.yaml"
        cases = YAML(typ="safe").load(found.read_text("utf-8"))["cases"] if found.exists() else []
        minutes = f"{about['seconds'] / 60:.1f}"
        if not cases:
            yield f"| {operation}, {subject} | {minutes} | nothing found in {about['climbs']} climbs | | |"
        for case in cases:
            _, quantity, dtype, result = LINE.match(case["why"]).groups()
            there = [
                reason
                for subjects, dtypes, reason in known.get((operation, quantity), ())
                if globbed(subjects, subject) and globbed(dtypes, dtype)
            ]
            inputs = json.dumps({**case["inputs"], **case.get("parameters", {})}).replace("Infinity", "inf")
            seen = f"{len(there)} deviations: {there[0]}" if len(there) > 1 else "".join(there) or "nothing"
            about_case = f"{operation}, {subject}, {quantity}, {dtype}"
            cells = (about_case, minutes, f"`{inputs.strip('{}')}`", result, seen)
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
