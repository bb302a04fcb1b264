"""The command line: parse, call, exit code. No logic.

Exit codes: 0 conforms; 1 discrepancies or regressions; 2 the call or a case file is at fault; 130 and 143
interrupted by SIGINT and SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from conformance.results import Run

DTYPES = ("float16", "bfloat16", "float32", "float64")
_INTERRUPTED = {"SIGINT": 130, "SIGTERM": 143}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loss-conformance")
def cli() -> None:
    """Judges softmax, cross-entropy and the binary losses of PyTorch, TensorFlow and JAX against exact values."""


def _selection(command: Any) -> Any:
    """The options that select what is run."""
    options = (
        click.option("--subject", "-s", "subjects", multiple=True, help="As torch, torch:compile, jax:eager; default: all installed."),
        click.option("--operation", "-o", "operations", multiple=True, help="Only the cases of this operation."),
        click.option("--dtype", "-d", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Only this dtype."),
        click.option("--tag", "-t", "tags", multiple=True, help="Only cases with this tag; `large` runs only so."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
@_selection
@click.option("--output", default="reports/latest", show_default=True, help="The directory that receives the run.")
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted in --output.")
@click.option("--time-limit", default=60.0, show_default=True, help="Seconds that one check may take.")
@click.option("--memory-limit", type=int, default=None, help="MiB that a worker may use; default: no limit.")
@click.option("--strict", is_flag=True, help="Also fail where a known deviation is gone.")
def run(paths: Sequence[str], output: str, strict: bool, **options: Any) -> None:
    """Runs cases (default: the suite's corpus) through every subject and writes the report."""
    from conformance import api, report
    from conformance.terminal import console, progress

    limit, memory = options.pop("time_limit"), options.pop("memory_limit")
    with progress() as shown:
        result = api.run(
            paths, output=output, limit=limit, memory=None if memory is None else memory << 20, progress=shown, **options
        )
    report.terminal(result, console())
    _finish(result, strict)


def _finish(result: Run, strict: bool) -> None:
    interrupted = _INTERRUPTED.get(str(result.environment.get("interrupted", "")))
    if interrupted is not None:
        click.echo("interrupted: finish it with `conformance run --resume` and the same --output", err=True)
        sys.exit(interrupted)
    sys.exit(result.exit_code or int(strict and bool(result.environment.get("stale_known"))))


@cli.command()
@click.argument("case_id")
@click.option("--subject", "-s", "subjects", multiple=True, help="As torch, torch:compile; default: all installed.")
@click.option("--path", "paths", multiple=True, help="Case files to look in; default: the suite's corpus.")
def explain(case_id: str, subjects: Sequence[str], paths: Sequence[str]) -> None:
    """Shows one case, step by step, with every subject's digits beside the exact ones."""
    from conformance.explain import explain as explain_case
    from conformance.terminal import console

    explain_case(case_id, subjects, paths, console())


@cli.command(name="list")
@click.argument("what", type=click.Choice(["cases", "operations", "subjects", "relations"]), default="cases")
@click.option("--path", "paths", multiple=True, help="Case files to list; default: the suite's corpus.")
def list_(what: str, paths: Sequence[str]) -> None:
    """Lists the cases, operations, subjects or relations."""
    from conformance import listing
    from conformance.terminal import console

    listing.show(what, paths, console())


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
def validate(paths: Sequence[str]) -> None:
    """Checks case files (default: the suite's corpus) against the schema and their printed figures."""
    from pathlib import Path

    from conformance.case import validate as validate_cases

    cases = validate_cases([Path(path) for path in paths] or None)
    click.echo(f"{len(cases)} cases are valid")


@cli.command()
def schema() -> None:
    """Prints the JSON schema of a case file."""
    import json

    from conformance.case import schema as case_schema

    click.echo(json.dumps(case_schema(), indent=2, sort_keys=True))


def main() -> None:
    """The console script: a fault of the call is one line on standard error and exit code 2."""
    from conformance.errors import ConformanceError

    try:
        cli(prog_name="conformance")
    except ConformanceError as error:
        click.echo(f"conformance: {error}", err=True)
        sys.exit(2)
