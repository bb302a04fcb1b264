"""Sweeps of every operation, and the tables of docs/sweeps.md from them.

    python docs/make_sweeps.py [--operation OP ...] [--dtype D ...] [--subject S ...] [--quantity Q ...]
                               [--directory DIR] [--only-tables]

Each sweep is stored in a directory of its own below DIR and not made again while it is there: of a half type
an operation, of float32 an operation, subject and quantity.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from conformance.report.figures import count
from conformance.sweeping.functions import SWEPT_INPUT, SweptFunction
from conformance.sweeping.inputs import Binade, values
from conformance.sweeping.summary import name_of, worst_rows

PAGE = Path(__file__).parent / "sweeps.md"
SUBJECTS = ("torch", "tensorflow", "jax", "numpy")
DTYPES = ("float32", "float16", "bfloat16")
MARKS = ("<!-- tables: docs/make_sweeps.py -->\n", "<!-- end of tables -->\n")


QUANTITIES = ("value", "gradient", "second")
ROWS = ("softmax", "log_softmax", "cross_entropy")
Span = tuple[int, int]
#: By bits, the ends of float32's line: 0 and the subnormal numbers, the largest binade, infinity and nans.
ENDS: tuple[Span, ...] = (
    (0, 0x007FFFFF),
    (0x7F000000, 0x7FFFFFFF),
    (0x80000000, 0x807FFFFF),
    (0xFF000000, 0xFFFFFFFF),
)
#: What is swept of float32's functions that take minutes for all, beside the ends: of rows [x, 0], whose
#: kernels are slow, 2**-4 <= |x| < 2**7; of numbers 2**-30 <= |x| < 2**7, of probabilities 2**-45 <= p, below
#: which a subject that is wrong everywhere has its bounds computed at every input.
ROW_SPANS: tuple[Span, ...] = ((0x3D800000, 0x42FFFFFF), (0xBD800000, 0xC2FFFFFF), *ENDS)
NUMBER_SPANS: tuple[Span, ...] = ((0x30800000, 0x42FFFFFF), (0xB0800000, 0xC2FFFFFF), *ENDS)
PROBABILITY_SPANS: tuple[Span, ...] = ((0x29000000, 0x3F800000), ENDS[0])


def spans_of(operation: str, subject: str, quantity: str) -> tuple[Span, ...]:
    """The parts of float32 that are swept of a quantity; none: all inputs."""
    if operation in ROWS:
        return ROW_SPANS
    if operation == "binary_cross_entropy":
        clips = (
            subject == "tensorflow" or (subject == "torch" and quantity != "value") or quantity == "second"
        )
        return PROBABILITY_SPANS if clips else ()
    dear = quantity != "value" or operation == "binary_cross_entropy_with_logits"
    return NUMBER_SPANS if dear else ()


@dataclass(frozen=True)
class Sweep:
    """Sweep that is stored by itself.

    Attributes:
        operation: The operation.
        dtype: The dtype.
        subjects: The subjects.
        quantities: The quantities.
        spans: The first and last bits of its parts; none: all inputs.
    """

    operation: str
    dtype: str
    subjects: tuple[str, ...] = SUBJECTS
    quantities: tuple[str, ...] = QUANTITIES
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def name(self) -> str:
        """The name of its directory."""
        alone = () if self.subjects == SUBJECTS else (*self.subjects, *self.quantities)
        return "-".join((self.operation, self.dtype, *alone))


def all_sweeps() -> Iterator[Sweep]:
    """Every sweep of the tables, the quick ones first."""
    for dtype in ("float16", "bfloat16"):
        for operation in SWEPT_INPUT:
            yield Sweep(operation, dtype)
    for quantity in QUANTITIES:
        for operation in SWEPT_INPUT:
            for subject in SUBJECTS:
                spans = spans_of(operation, subject, quantity)
                yield Sweep(operation, "float32", (subject,), (quantity,), spans)


def make(sweep: Sweep, directory: Path, workers: int | None) -> None:
    """Carries out a sweep, unless it is stored; of several parts each goes into the next."""
    if (directory / "sweep.parquet").exists():
        return
    command = [sys.executable, "-m", "conformance", "sweep", sweep.operation, "--dtype", sweep.dtype]
    command += ["--exit-zero", "--quiet"]
    for option, names in (("--quantity", sweep.quantities), ("--subject", sweep.subjects)):
        for name in names:
            command += [option, name]
    if workers:
        command += ["--workers", str(workers)]
    parts: list[str] = []
    for first, last in sweep.spans[:-1]:
        part = f"{directory}.part"
        subprocess.run(
            [*command, *parts, "--first", hex(first), "--last", hex(last), "--output", part], check=True
        )
        parts = ["--merge", part]
    for first, last in sweep.spans[-1:]:
        parts += ["--first", hex(first), "--last", hex(last)]
    subprocess.run([*command, *parts, "--output", str(directory)], check=True)
    shutil.rmtree(f"{directory}.part", ignore_errors=True)


def stored(directory: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """run.json and the rows of every sweep in the directory."""
    return [
        (json.loads((path.parent / "run.json").read_text("utf-8")), parquet.read_table(path).to_pylist())
        for path in sorted(directory.glob("*/sweep.parquet"))
    ]


def share(row: dict[str, Any]) -> float:
    """The part of the function's domain that was swept."""
    first, last = SweptFunction(row["operation"], row["quantity"], row["target"]).domain(row["dtype"])
    return float(row["inputs"] / (last - first + 1))


def figure(row: dict[str, Any] | None, refused: dict[str, Any] | None, infinite: str, part: bool) -> str:
    """Worst ulps at the finite input that attains them, in bold where that does not conform; * of a part."""
    if row is None:
        return "not swept" if refused is None else str(refused["verdict"])
    failing = row["count_lossy"] + row["count_wrong"]
    ulps = f"{row['ulp_error']:.4g}"
    shown = f"**{ulps}**" if failing else ulps
    fail = f", {failing:,} fail" if failing else ""
    return f"{shown} at {row['worst_input']:.9g}{fail}{infinite}{' *' if part else ''}"


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
    parts = {(name_of(row), row["subject"]) for row in worst_rows(rows) if share(row) < 1}
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
                worst.get((name, subject)),
                refused.get((*key, subject)),
                infinite.get((name, subject), ""),
                (name, subject) in parts,
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
    dates = " to ".join(sorted({min(days := [about["finished"][:10] for about, _ in sweeps]), max(days)}))
    parts = [
        f"{versions}; {hardware['cpu']} ({flags}); {dates}. "
        f"{count(judged, 'number')} judged, {balls:,} by balls. "
        "Each cell: the worst error in ulps among the finite inputs of the worst verdict, and the first that "
        "attains it; bold where inputs leave the bound, with their number. `inf` is a nan or infinity where "
        "a number is right, or the reverse.\n"
    ]
    for dtype in DTYPES:
        if any(row["dtype"] == dtype for _, rows in sweeps for row in rows):
            parts.append(coverage(sweeps, dtype) + "\n")
            parts.append("\n".join(table(sweeps, dtype)) + "\n")
    return "\n".join(parts)


def described_spans(dtype: str) -> Iterator[str]:
    """What a part is, in words, for each kind of function."""
    kinds = (("rows", "|x|", ROW_SPANS), ("numbers and logits", "|x|", NUMBER_SPANS))
    for kind, name, ((first, last), *_) in (*kinds, ("probabilities", "p", PROBABILITY_SPANS)):
        least, most = values(dtype, [first, last]).tolist()
        yield f"of {kind} {least:.4g} <= {name} <= {most:.9g}"
    yield "and of all of them the ends: 0, the subnormal numbers, the largest binade, infinity and nan"


def coverage(sweeps: Sequence[Any], dtype: str) -> str:
    """Which numbers of a dtype's table are of every input, which of a part, and which are left out."""
    judged = worst_rows([row for _, rows in sweeps for row in rows if row["dtype"] == dtype])
    whole = Counter(row["subject"] for row in judged if share(row) == 1)
    text = f"**{dtype}.** Of every input: " + ", ".join(f"{whole[name]} of {name}" for name in SUBJECTS) + "."
    if any(share(row) < 1 for row in judged):
        text += " Of a part (*): " + ", ".join(described_spans(dtype)) + "."
    swept = {(row["operation"], row["quantity"].partition(":")[0]) for row in judged}
    left = {
        operation: [quantity for quantity in QUANTITIES if (operation, quantity) not in swept]
        for operation in SWEPT_INPUT
    }
    names = [
        f"`{operation}` ({', '.join(quantities)})" for operation, quantities in left.items() if quantities
    ]
    text += f" Not swept in any: {', '.join(names)}." if names else ""
    return text + " What else was not swept says so."


def main() -> None:
    """Sweeps what is not stored, and writes the tables into the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operation", action="append", choices=list(SWEPT_INPUT))
    parser.add_argument("--dtype", action="append", choices=list(DTYPES))
    parser.add_argument("--subject", action="append", choices=list(SUBJECTS))
    parser.add_argument("--quantity", action="append", choices=list(QUANTITIES))
    parser.add_argument("--directory", type=Path, default=Path("reports/sweeps"))
    parser.add_argument("--workers", type=int)
    parser.add_argument("--only-tables", action="store_true")
    options = parser.parse_args()
    for sweep in all_sweeps() if not options.only_tables else ():
        chosen = (
            (options.operation, (sweep.operation,)),
            (options.dtype, (sweep.dtype,)),
            (options.subject, sweep.subjects),
            (options.quantity, sweep.quantities),
        )
        if all(not asked or set(asked) & set(has) for asked, has in chosen):
            make(sweep, options.directory / sweep.name, options.workers)
    begin, end = map(re.escape, MARKS)
    text = PAGE.read_text("utf-8")
    made = tables(stored(options.directory))
    PAGE.write_text(
        re.sub(f"{begin}.*{end}", lambda _: MARKS[0] + "\n" + made + "\n" + MARKS[1], text, flags=re.S),
        "utf-8",
    )


if __name__ == "__main__":
    main()
