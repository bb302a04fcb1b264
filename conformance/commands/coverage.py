"""Command `conformance coverage`: what a profile asks, cell by cell, printed or written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from conformance.errors import RunError


@click.command()
@click.option(
    "--profile",
    type=click.Choice(["default", "full", "kernels"]),
    default="default",
    show_default=True,
    help="The profile whose checks are counted.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "json"]),
    default="md",
    show_default=True,
    help="A page, or one JSON object.",
)
@click.option("--run", "directory", type=click.Path(), help="A stored run: count what its subjects answered.")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write; default: print it.")
def coverage(profile: str, form: str, directory: str | None, output: Path | None) -> None:
    """Counts what a profile asks, cell by cell; fails where an empty cell has no reason."""
    from conformance.plan.coverage.page import json_object, markdown  # late: start-up time
    from conformance.plan.coverage.table import table  # late: start-up time
    from conformance.results.loading import load  # late: start-up time

    counted = table(profile, None if directory is None else load(directory, ("results",)).frame)
    text = markdown(counted) if form == "md" else json.dumps(json_object(counted), indent=1) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunError(f"{output}: {error.strerror}: a file in a folder that is there") from None
    for each in counted.unexplained:
        click.echo(f"no case, and no reason why: {each.name}", err=True)
    sys.exit(1 if counted.unexplained else 0)
