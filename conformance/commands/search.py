"""`conformance search`: the worst inputs of functions of many numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from conformance.cli_options import DTYPES, complete_operations, complete_subjects, output_form, positive
from conformance.cli_output import console, finish_with


@click.command()
@click.option("--operation", "-o", required=True, shell_complete=complete_operations, help="The operation.")
@click.option(
    "--subject",
    "-s",
    required=True,
    shell_complete=complete_subjects,
    help="As torch, jax:eager, or a function of yours, loss.py:cross_entropy.",
)
@click.option(
    "--dtype",
    "-d",
    "dtypes",
    multiple=True,
    type=click.Choice(DTYPES),
    default=("float32",),
    show_default=True,
    help="The dtypes.",
)
@click.option(
    "--minutes",
    type=float,
    callback=lambda c, p, v: v and positive(c, p, v),
    help="Begin no climb after that; default: 1.",
)
@click.option(
    "--evaluations", type=click.IntRange(1), help="Calls of the subject: the same result each time."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random numbers.")
@click.option("--path", "paths", multiple=True, help="Case files that hold the seeds; default: the corpus.")
@click.option("--scheduler", help="The address of a Dask scheduler; default: a cluster on this machine.")
@click.option("--workers", type=click.IntRange(1), help="Processes on this machine; default: one a core.")
@click.option("--output", default="reports/search", show_default=True, help="The directory for the cases.")
@click.option("--exit-zero", is_flag=True, help="End with 0 whatever was found.")
@output_form
def search(
    operation: str,
    subject: str,
    dtypes: Sequence[str],
    minutes: float | None,
    evaluations: int | None,
    seed: int,
    output: str,
    exit_zero: bool,
    **options: Any,
) -> None:
    """Climbs from the corpus' cases to inputs that leave the bound, and writes the smallest as cases."""
    from conformance.report.files import write_whole  # late: start-up time
    from conformance.searching import case_text  # late: start-up time
    from conformance.searching.search import search as search_operation  # late: start-up time

    if minutes is None and evaluations is None:
        minutes = 1.0
    result = search_operation(
        operation, subject, dtypes=dtypes, minutes=minutes, evaluations=evaluations, seed=seed, **options
    )
    lines = [case_text.why(each, result.subject) for each in result.found]
    path = Path(output) / "found.yaml"
    if result.found:
        source = f"conformance search --operation {operation} --subject {subject} --seed {seed}"
        write_whole(path, case_text.file_text(result.found, result.subject, source))
    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)
    about = {
        "climbs": result.climbs,
        "crashes": result.crashes,
        "found": lines,
        "files": {"found.yaml": str(path)} if result.found else {},
    }
    where = f": {path}" if result.found else ""
    code = int(bool(result.found or result.crashes) and not exit_zero)
    finish_with(about, f"{len(lines)} found in {result.climbs} climbs{where}", code)
