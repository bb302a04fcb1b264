"""Command line: parse, call, exit code. No logic.

Exit codes: 0 conforms (`run --exit-zero`: the run is whole); 1 discrepancies or regressions; 2 the call or a
case file is at fault; 130 and 143 interrupted by SIGINT and SIGTERM.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.cli_options import (
    DTYPES,
    FACTOR,
    KNOWN,
    OPERATION,
    RETURNS,
    TIME_LIMIT,
    complete_cases,
    complete_operations,
    complete_subjects,
    function_selection,
    output_form,
    positive,
    selection,
)
from conformance.cli_output import console, count, finish, finish_difference, progress
from conformance.commands.coverage import coverage
from conformance.commands.search import search
from conformance.commands.sweep import sweep
from conformance.errors import CaseError, ConformanceError

if TYPE_CHECKING:
    from conformance.report import Overview


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loss-conformance")
@click.pass_context
def cli(context: click.Context) -> None:
    """Judges softmax, cross-entropy and binary losses of PyTorch, TensorFlow and JAX against exact values."""
    context.obj = time.monotonic()  # when the command began


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
@selection
@click.option(
    "--output", default="reports/latest", show_default=True, help="The directory that receives the run."
)
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted in --output.")
@click.option(
    "--profile",
    type=click.Choice(["default", "full", "kernels"]),
    default="default",
    show_default=True,
    help="full: every mode and device, and the cases tagged `large`. kernels: every kernel variant.",
)
@TIME_LIMIT
@KNOWN
@click.option(
    "--start-limit",
    default=180.0,
    show_default=True,
    callback=positive,
    help="Seconds until a framework must be imported.",
)
@click.option(
    "--repeat", type=click.IntRange(1), default=1, show_default=True, help="How often each check is asked."
)
@click.option(
    "--workers", type=click.IntRange(1), default=None, help="How many subjects run at a time; default: all."
)
@click.option("--scheduler", help="The address of a Dask scheduler: a subject a task; default: all run here.")
@click.option(
    "--memory-limit",
    type=click.IntRange(1),
    default=None,
    help="MiB that a worker may use; default: no limit.",
)
@click.option(
    "--strict", is_flag=True, help="Also fail where a known deviation is gone, or an error has grown."
)
@click.option("--python", help="The interpreter of the subjects; of a pinned one the Python to build on.")
@click.option(
    "--subjects", "subjects_file", type=click.Path(), help="A subjects.yaml: names, pins, commands."
)
@click.option(
    "--baseline", type=click.Path(), help="A stored run: fail on what got worse since, and on nothing else."
)
@click.option(
    "--allow-removed",
    is_flag=True,
    help="With --baseline: do not fail where its checks are gone or unsupported now.",
)
@FACTOR
@click.option(
    "--exit-zero",
    is_flag=True,
    help="End with 0 whatever was found; a run that is not whole fails all the same.",
)
@output_form
def run(
    paths: Sequence[str],
    output: str,
    strict: bool,
    baseline: str | None,
    allow_removed: bool,
    factor: float,
    exit_zero: bool,
    **options: Any,
) -> None:
    """Runs cases (default: the suite's corpus) through every subject and writes the report."""
    from conformance import api  # late: start-up time

    if allow_removed and baseline is None:
        raise click.UsageError("--allow-removed says what a comparison accepts: name its --baseline")
    before = None
    if baseline is not None:
        from conformance.comparison.baseline import load_baseline  # late: start-up time

        before = load_baseline(baseline, output)
    memory = options.pop("memory_limit")
    overviews: list[Overview] = []
    with progress() as shown:
        result = api.run(
            paths,
            output=output,
            on_overview=overviews.append,
            memory=None if memory is None else memory << 20,
            progress=shown,
            baseline=before,
            **options,
        )
    from conformance import report  # late: start-up time

    report.terminal(result, console(), *overviews)
    if before is None or result.environment.get("interrupted"):
        finish(result, output, strict, exit_zero, "".join(each.summary.sentence for each in overviews))
    from conformance.comparison.difference import diff as compare  # late: start-up time

    difference = compare(before, result, factor=factor, removed="allow" if allow_removed else "fail")
    difference.save(output)
    finish_difference(difference, output, ("diff.html", "report.html"), strict, exit_zero)


@cli.command()
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path())
@click.option(
    "--output", default="reports/diff", show_default=True, help="The directory that receives the difference."
)
@click.option("--pair", "pairs", multiple=True, help="OLD=NEW: subjects to compare where names do not tell.")
@click.option("--strict", is_flag=True, help="Also fail on errors that have grown.")
@FACTOR
@output_form
def diff(old: str, new: str, output: str, strict: bool, **options: Any) -> None:
    """Compares two runs check by check, by their directories."""
    from conformance.comparison.difference import diff as compare  # late: start-up time

    difference = compare(old, new, **options)
    difference.save(output)
    finish_difference(difference, output, ("diff.html",), strict)


@cli.command()
@click.argument("old")
@click.argument("new")
@selection
@click.option(
    "--case", "-c", "cases", multiple=True, shell_complete=complete_cases, help="Only the case of this id."
)
@click.option("--path", "paths", multiple=True, help="Case files or folders; default: the suite's corpus.")
@click.option(
    "--output", default="reports/upgrade", show_default=True, help="The directory that receives everything."
)
@click.option(
    "--python", help="The Python to build both environments on; default: the newest that fits both."
)
@TIME_LIMIT
@KNOWN
@click.option("--strict", is_flag=True, help="Also fail on errors that have grown.")
@FACTOR
@output_form
def upgrade(old: str, new: str, output: str, strict: bool, **options: Any) -> None:
    """Compares two versions, as torch==1.10.0 torch==1.11.0, on the same bits; nothing is installed here."""
    from conformance.comparison import upgrade as upgrading  # late: start-up time

    with progress() as shown:
        result, difference = upgrading.upgrade(old, new, output=output, progress=shown, **options)
    if difference is None:
        finish(result, output, strict)
    else:
        finish_difference(difference, output, ("diff.html", "report.html"), strict)


@cli.command()
@click.argument("function", metavar="FILE_OR_MODULE:FUNCTION")
@click.option(
    "--operation",
    "-o",
    default="",
    shell_complete=complete_operations,
    help="The operation that it carries out, as cross_entropy.",
)
@click.option(
    "--formula", metavar="FILE:NAME", help="The formula of what it computes, in the operation's place."
)
@click.option(
    "--framework", "-f", help="torch, tensorflow, jax or numpy; default: the one that its file imports."
)
@click.option("--mode", help="One of the framework's modes, as compile.")
@RETURNS
@click.option("--dtype", "-d", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Only this dtype.")
@click.option("--tag", "-t", "tags", multiple=True, help="Only cases with this tag; `large` runs only so.")
@click.option("--path", "paths", multiple=True, help="Case files to run; default: the suite's corpus.")
@click.option(
    "--output", default="reports/latest", show_default=True, help="The directory that receives the run."
)
@TIME_LIMIT
@KNOWN
@click.option("--strict", is_flag=True, help="Also count what the framework's own function fails alike.")
@output_form
@click.option(
    "--invalid",
    type=click.Choice(("report", "fail")),
    default="report",
    show_default=True,
    help="Whether answers where an error is right are named, or count as failures.",
)
def check(function: str, operation: str, output: str, **options: Any) -> None:
    """Runs every case of an operation through a function of yours, the framework's own beside it."""
    from conformance.checking.check import check as check_function  # late: start-up time
    from conformance.checking.report import print_check, sentence  # late: start-up time

    with progress() as shown:
        result = check_function(function, operation, output=output, progress=shown, **options)
    print_check(result, console())
    finish(result, output, False, headline=sentence(result))


@cli.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=str))
@click.option(
    "--output",
    default="conformance-known.yaml",
    show_default=True,
    type=click.Path(),
    help="The file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def accept(run: str, output: str, overwrite: bool) -> None:
    """Writes the discrepancies of a stored run as a file of accepted deviations, for --known."""
    from conformance.results import known_file  # late: start-up time
    from conformance.results.loading import load  # late: start-up time

    number = known_file.accept(load(run, ("results",)), Path(output), overwrite)
    accepted = count(number, "discrepancy", "discrepancies")
    click.echo(f"{accepted} accepted in {output}" if number else f"{run}: no discrepancy to accept")


@cli.command()
@click.argument("case_id", shell_complete=complete_cases)
@click.option(
    "--subject",
    "-s",
    "subjects",
    multiple=True,
    shell_complete=complete_subjects,
    help="As torch, torch:compile; default: all installed, or beside a function its framework's own.",
)
@function_selection
@click.option("--path", "paths", multiple=True, help="Case files to look in; default: the suite's corpus.")
@click.option("--dtype", "-d", type=click.Choice(DTYPES), help="The dtype shown; default: float32 if there.")
def explain(
    case_id: str, subjects: Sequence[str], paths: Sequence[str], dtype: str | None, **function: Any
) -> None:
    """Shows one case, step by step, with every subject's digits beside the exact ones."""
    from conformance.checking.explain import explain as explain_case  # late: start-up time

    explain_case(case_id, subjects, paths, console(), dtype, **function)


@cli.command()
@click.argument("case_id", shell_complete=complete_cases)
@click.option("--subject", "-s", shell_complete=complete_subjects, help="As torch, torch:compile.")
@function_selection
@click.option("--dtype", "-d", type=click.Choice(DTYPES), help="Only this dtype; default: the worst.")
@click.option("--quantity", "-q", help="value, or gradient:ARGUMENT; default: the worst.")
@click.option("--formulation", help="Only this one; default: what counts, then functional.")
@click.option("--smallest", is_flag=True, help="The worst row of the inputs alone, where it shows the same.")
@click.option("--path", "paths", multiple=True, help="Case files to look in; default: the suite's corpus.")
def reproduce(case_id: str, subject: str | None, **options: Any) -> None:
    """Prints a program of the framework alone, or of a function of yours, for the worst check of a case."""
    from conformance.checking.reproduce import reproduction  # late: start-up time

    click.echo(reproduction(case_id, subject, **options).rstrip())


@cli.command(name="list")
@click.argument("what", type=click.Choice(["cases", "operations", "subjects", "relations"]), default="cases")
@click.option("--path", "paths", multiple=True, help="Case files to list; default: the suite's corpus.")
@OPERATION
@click.option("--tag", "-t", "tags", multiple=True, help="Only cases with this tag.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of objects.")
def list_(what: str, paths: Sequence[str], **options: Any) -> None:
    """Lists the cases, operations, subjects or relations."""
    from conformance.cases import listing  # late: start-up time

    listing.show(what, paths, console(), **options)


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
def validate(paths: Sequence[str]) -> None:
    """Checks case files (default: the suite's corpus) against the schema and their printed figures."""
    from conformance.cases.validation import validate as validate_cases  # late: start-up time

    cases = validate_cases([Path(path) for path in paths] or None)
    click.echo(count(len(cases), "case is valid", "cases are valid"))


@cli.command()
@click.argument("kind", type=click.Choice(["cases", "known", "subjects"]), default="cases")
def schema(kind: str) -> None:
    """Prints the JSON schema of a case file, of known.yaml or of subjects.yaml, for editors."""
    from conformance.cases import json_schema  # late: start-up time
    from conformance.subjects import subjects_file  # late: start-up time

    schemas = {
        "cases": json_schema.schema,
        "known": json_schema.known_schema,
        "subjects": subjects_file.schema,
    }
    click.echo(json.dumps(schemas[kind](), indent=2, sort_keys=True))


cli.add_command(coverage)
cli.add_command(sweep)
cli.add_command(search)


class _Interrupted(BaseException):
    """A signal where no run has begun; of a KeyboardInterrupt click would make exit code 1."""


def _interrupt(number: int, _frame: object) -> None:
    raise _Interrupted(number)


def main() -> None:
    """The console script: a fault of the call is one line on standard error and exit code 2.

    Faults of case files are a line each, and begin with `file:line:column`, which editors and CI parse.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        cli(prog_name="conformance")
    except ConformanceError as error:
        click.echo(f"{'' if isinstance(error, CaseError) else 'conformance: '}{error}", err=True)
        sys.exit(2)
    except _Interrupted as signalled:
        click.echo("interrupted", err=True)
        sys.exit(128 + int(signalled.args[0]))
