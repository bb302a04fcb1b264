"""Summary of a sweep: a line for each function, and the regions that do not conform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from conformance.judging.verdict import LEVELS
from conformance.sweeping.result_files import PARQUET, Row
from conformance.sweeping.swept import Swept

#: Regions that are printed; sweep.parquet has all.
MAX_REGIONS = 20
_KEYS = ("subject", "operation", "target", "quantity", "element", "dtype")


def worst_rows(rows: Sequence[Row]) -> list[Row]:
    """For each function, element, dtype and subject the row of its worst binade, with counts of all."""
    whole: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if row["kind"] != "binade":
            continue
        key = tuple(row[name] for name in _KEYS)
        before = whole.get(key)
        if before is None:
            whole[key] = dict(row)
            continue
        counts = {
            name: before[name] + row[name] for name in row if name.startswith(("count_", "by_", "inputs"))
        }
        worse = _rank(row) > _rank(before)
        whole[key] = {**(row if worse else before), **counts}
    return list(whole.values())


def _rank(row: Row) -> tuple[int, float, int]:
    return LEVELS.index(row["verdict"]), row["ulp_error"], -row["worst_bits"]


def name_of(row: Row) -> str:
    """A function in words: `binary_cross_entropy target 0.5 gradient:probs`, `softmax value [1]`."""
    target = "" if row["target"] is None else f" target {row['target']:g}"
    element = f" [{row['element']}]" if row["operation"].endswith("softmax") or row["element"] else ""
    return f"{row['operation']}{target} {row['quantity']}{element}"


def input_text(row: Row, name: str) -> str:
    """An input of a row, `first`, `last` or `worst_input`: a number, or a pair [x, y]."""
    other = row.get(f"{name.partition('_')[0]}_other")
    return f"{row[name]:.9g}" if other is None else f"[{row[name]:.9g}, {other:.9g}]"


def show(rows: Sequence[Row], swept: Swept, console: Console) -> None:
    """Prints the summary."""
    table = Table(title=f"{sum(swept.counts().values()):,} numbers judged", title_justify="left")
    for heading in ("subject", "function", "dtype"):
        table.add_column(heading)
    for heading in ("inputs", "not correctly rounded", "failing", "worst ulps", "bound", "at", "by balls"):
        table.add_column(heading, justify="right")
    for row in worst_rows(rows):
        failing = row["count_lossy"] + row["count_wrong"]
        table.add_row(
            row["subject"],
            name_of(row),
            row["dtype"],
            f"{row['inputs']:,}",
            f"{row['inputs'] - row['count_exact']:,}",
            f"{failing:,}",
            f"{row['ulp_error']:.4g}",
            f"{row['ulp_bound']:.4g}",
            input_text(row, "worst_input"),
            f"{row['by_balls']:,}",
        )
    console.print(table)
    regions = [row for row in rows if row["kind"] == "region"]
    for row in regions[:MAX_REGIONS]:
        console.print(region_text(row), markup=False, highlight=False, soft_wrap=True)
    if len(regions) > MAX_REGIONS:
        console.print(f"... and {len(regions) - MAX_REGIONS:,} regions more in {PARQUET}", highlight=False)
    for (subject, status, message), inputs in refusals(swept).items():
        text = f"{subject}: {inputs:,} inputs {status}: {message}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def short_digits(text: str, characters: int = 12) -> str:
    """Decimal digits cut to so many characters, with their exponent: `1.030576812e-09`."""
    significant, sign, exponent = text.partition("e")
    return significant[:characters] + sign + exponent


def region_text(row: Row) -> str:
    """A region in one line."""
    inputs = "1 input" if row["inputs"] == 1 else f"{row['inputs']:,} inputs"
    return (
        f"{row['subject']} {name_of(row)} {row['dtype']}: {inputs} from {input_text(row, 'first')} to "
        f"{input_text(row, 'last')} {row['verdict']}; at {input_text(row, 'worst_input')} "
        f"({row['worst_bits']:#x}) "
        f"{row['observed']:.9g}, exact {short_digits(row['exact'])}, {row['ulp_error']:.4g} ulps"
    )


def refusals(swept: Swept) -> dict[tuple[str, str, str], int]:
    """How many inputs each subject refused of a function, why, and as what."""
    counted: dict[tuple[str, str, str], int] = {}
    for part in sorted(swept.refused, key=lambda each: each.order):
        refused = swept.refused[part]
        name = f"{part.subject} {part.function.name} {part.function.quantity} {part.binade.dtype}"
        key = name, refused.status, refused.message
        counted[key] = counted.get(key, 0) + refused.inputs
    return counted


def as_object(rows: Sequence[Row], swept: Swept, output: str) -> dict[str, Any]:
    """What `--json` prints."""
    regions = [row for row in rows if row["kind"] == "region"]
    keys = (*_KEYS, "inputs", "first", "last", "verdict", "worst_input", "ulp_error", "ulp_bound", "exact")
    return {
        "counts": swept.counts(),
        "decided": swept.decided(),
        "regions": [{name: _finite(row[name]) for name in keys} for row in regions[:100]],
        "regions_total": len(regions),
        "files": {name: str(Path(output) / name) for name in ("sweep.html", PARQUET, "run.json")},
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
