"""Sweeps of every operation, and the tables of docs/sweeps.md from them.

    python docs/make_sweeps.py [--operation OP ...] [--dtype D ...] [--directory DIR] [--only-tables]

A sweep of an operation in a dtype is stored in DIR/OPERATION-DTYPE and not made again while it is there.
All of float32 takes minutes an operation and subject, half types seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from conformance.report.figures import count
from conformance.sweeping.functions import SWEPT_INPUT
from conformance.sweeping.inputs import Binade
from conformance.sweeping.summary import name_of, worst_rows

PAGE = Path(__file__).parent / "sweeps.md"
SUBJECTS = ("torch", "tensorflow", "jax", "numpy")
DTYPES = ("float32", "float16", "bfloat16")
MARKS = ("<!-- tables: docs/make_sweeps.py -->\n", "<!-- end of tables -->\n")


def sweep(operation: str, dtype: str, directory: Path, workers: int | None) -> None:
    """Sweeps an operation in a dtype through all subjects, unless that is stored."""
    if (directory / "sweep.parquet").exists():
        return
    command = [sys.executable, "-m", "conformance", "sweep", operation, "--dtype", dtype, "--exit-zero"]
    command += ["--output", str(directory), "--quiet"]
    if dtype == "float32":  # second derivatives take ten times as long as the others together
        command += ["--quantity", "value", "--quantity", "gradient"]
    for subject in SUBJECTS:
        command += ["--subject", subject]
    if workers:
        command += ["--workers", str(workers)]
    subprocess.run(command, check=True)


def stored(directory: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """run.json and the rows of every sweep in the directory."""
    return [
        (json.loads((path.parent / "run.json").read_text("utf-8")), parquet.read_table(path).to_pylist())
        for path in sorted(directory.glob("*/sweep.parquet"))
    ]


def figure(row: dict[str, Any] | None, refused: dict[str, Any] | None, infinite: str) -> str:
    """Worst ulps at the finite input that attains them, in bold where that does not conform."""
    if row is None:
        return "–" if refused is None else str(refused["verdict"])
    failing = row["count_lossy"] + row["count_wrong"]
    ulps = f"{row['ulp_error']:.4g}"
    shown = f"**{ulps}**" if failing else ulps
    share = f", {failing:,} fail" if failing else ""
    return f"{shown} at {row['worst_input']:.9g}{share}{infinite}"


def wrong_infinities(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """By function and subject: at which infinities it fails, in words."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["kind"] == "binade" and is_special(row) and row["count_lossy"] + row["count_wrong"]:
            wrong.setdefault((name_of(row), row["subject"]), []).append(f"{row['worst_input']:g}")
    return {key: f"; fails at {' and '.join(inputs)}" for key, inputs in wrong.items()}


def is_special(row: dict[str, Any]) -> bool:
    """Whether a binade holds the infinity and nans."""
    return Binade(row["dtype"], row["binade"]).special


def table(sweeps: Sequence[Any], dtype: str) -> Iterable[str]:
    """The table of a dtype: a line a function, a column a subject."""
    rows = [row for _, stored_rows in sweeps for row in stored_rows if row["dtype"] == dtype]
    finite = [row for row in rows if row["kind"] == "binade" and not is_special(row)]
    worst = {(name_of(row), row["subject"]): row for row in worst_rows(finite)}
    infinite = wrong_infinities(rows)
    refused = {}
    for row in rows:
        if row["kind"] == "refused":
            refused[row["operation"], row["target"], row["quantity"], row["subject"]] = row
    lines = {}
    for row in rows:
        if row["kind"] == "binade":
            lines.setdefault(name_of(row), row)
    order = {operation: index for index, operation in enumerate(SWEPT_INPUT)}
    yield f"| {dtype} | " + " | ".join(SUBJECTS) + " |"
    yield "| --- |" + " --- |" * len(SUBJECTS)
    for name, row in sorted(lines.items(), key=lambda item: (order[item[1]["operation"]], item[0])):
        key = row["operation"], row["target"], row["quantity"]
        cells = [
            figure(
                worst.get((name, subject)), refused.get((*key, subject)), infinite.get((name, subject), "")
            )
            for subject in SUBJECTS
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


def tables(sweeps: Sequence[Any]) -> str:
    """The generated part of the page."""
    subjects: dict[str, Any] = {}
    for about, _ in sweeps:
        subjects.update(about["subjects"])
    versions = ", ".join(
        f"{name} {version}" for subject in subjects.values() for name, version in subject["versions"].items()
    )
    hardware = next(iter(subjects.values()))["hardware"]
    flags = " ".join(hardware["flags"])
    judged = sum(sum(about["counts"].values()) for about, _ in sweeps)
    balls = sum(about["decided"]["balls"] for about, _ in sweeps)
    parts = [
        f"{versions}; {hardware['cpu']} ({flags}). {count(judged, 'number')} judged, {balls:,} by balls. "
        "Each cell: the worst error in ulps among the finite inputs of the worst verdict, and the first that "
        "attains it; bold where inputs leave the bound, with their number. `inf` is a nan or infinity where "
        "a number is right, or the reverse.\n"
    ]
    for dtype in DTYPES:
        if any(row["dtype"] == dtype for _, rows in sweeps for row in rows):
            parts.append("\n".join(table(sweeps, dtype)) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Sweeps what is not stored, and writes the tables into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operation", action="append", choices=list(SWEPT_INPUT))
    parser.add_argument("--dtype", action="append", choices=list(DTYPES))
    parser.add_argument("--directory", type=Path, default=Path("reports/sweeps"))
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only-tables", action="store_true")
    options = parser.parse_args()
    if not options.only_tables:
        for dtype in options.dtype or DTYPES:
            for operation in options.operation or SWEPT_INPUT:
                sweep(operation, dtype, options.directory / f"{operation}-{dtype}", options.workers)
    begin, end = map(re.escape, MARKS)
    text = PAGE.read_text("utf-8")
    made = tables(stored(options.directory))
    PAGE.write_text(
        re.sub(f"{begin}.*{end}", lambda _: MARKS[0] + "\n" + made + "\n" + MARKS[1], text, flags=re.S),
        "utf-8",
    )


if __name__ == "__main__":
    main()
