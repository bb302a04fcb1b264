"""`conformance sweep`: every input of a dtype."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from conformance.cli_options import complete_operations, complete_subjects, output_form
from conformance.cli_output import console, finish_with, is_quiet

DTYPES = ("float16", "bfloat16", "float32")


class _Bits(click.ParamType):  # type: ignore[type-arg]
    name = "bits"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else int(value, 0)
        except ValueError:
            self.fail(f"{value!r} is no integer, as 0x3f800000", parameter, context)


@click.command()
@click.argument("operation", shell_complete=complete_operations)
@click.option(
    "--subject",
    "-s",
    "subjects",
    multiple=True,
    shell_complete=complete_subjects,
    help="As torch, jax:eager, torch@cuda, or a function of yours, loss.py:sigmoid; default: all installed.",
)
@click.option("--dtype", "-d", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Only this dtype.")
@click.option("--quantity", "-q", "quantities", multiple=True, help="Only value, gradient or second.")
@click.option(
    "--pairs", is_flag=True, help="All rows [x, y] of two logits of a half type, in the place of [x, 0]."
)
@click.option("--first", type=_Bits(), default=0, help="The bits of the first input; default: 0.")
@click.option("--last", type=_Bits(), default=None, help="Those of the last; default: the dtype's last.")
@click.option("--scheduler", help="The address of a Dask scheduler; default: a cluster on this machine.")
@click.option("--workers", type=click.IntRange(1), help="Processes on this machine; default: one a core.")
@click.option("--merge", "merged", multiple=True, type=click.Path(), help="A stored sweep to merge in.")
@click.option("--only-merge", is_flag=True, help="Sweep nothing: merge what --merge names.")
@click.option(
    "--output", default="reports/sweep", show_default=True, help="The directory that receives the sweep."
)
@click.option("--exit-zero", is_flag=True, help="End with 0 whatever was found.")
@output_form
def sweep(
    operation: str,
    subjects: Sequence[str],
    dtypes: Sequence[str],
    quantities: Sequence[str],
    pairs: bool,
    first: int,
    last: int | None,
    merged: Sequence[str],
    only_merge: bool,
    output: str,
    exit_zero: bool,
    **options: Any,
) -> None:
    """Judges every input of a dtype: OPERATION is a function of one number, or of the gap of two logits."""
    from conformance.sweeping import page, result_files, summary  # late: start-up time
    from conformance.sweeping.sweep import Request  # late: start-up time
    from conformance.sweeping.sweep import sweep as sweep_operation  # late: start-up time
    from conformance.sweeping.swept import Swept  # late: start-up time

    if only_merge and not merged:
        raise click.UsageError("--only-merge: name the stored sweeps with --merge")
    if pairs:
        if "float32" in dtypes:
            raise click.UsageError("--pairs: a half type has 2^32 pairs, float32 2^64")
        dtypes = [f"{name} pairs" for name in dtypes or DTYPES[:2]]
    request = Request(operation, tuple(subjects), tuple(dtypes), tuple(quantities), first, last)
    swept = Swept()
    if not only_merge:
        bar = sys.stderr.isatty() and not is_quiet()
        swept = sweep_operation(request, bar=bar, **options)
    for directory in merged:
        swept.merge(result_files.load(Path(directory)))
    rows = result_files.write(swept, Path(output), {"operation": operation})
    page.write_page(rows, swept, Path(output))
    summary.show(rows, swept, console())
    code = int(not swept.conforms and not exit_zero)
    finish_with(summary.as_object(rows, swept, output), f"Sweep: {output}/{page.PAGE}", code)
