"""Options that several commands share, and how they complete in a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

DTYPES = ("float16", "bfloat16", "float32", "float64")


def complete_operations(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    """The operations that begin with a text."""
    from conformance.operations import OPERATIONS  # late: start-up time

    return [name for name in OPERATIONS if name.startswith(text)]


def complete_subjects(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    """The subjects of installed frameworks that begin with a text; no framework is imported."""
    from conformance.subjects.subject import frameworks, installed, names  # late: start-up time

    present = [framework for framework in frameworks() if installed(framework)]
    return [name for framework in present for name in names(framework) if name.startswith(text)]


def complete_cases(context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    """The ids of cases, of --path if it is given, that begin with a text."""
    from conformance.cases.loader import load_cases  # late: start-up time
    from conformance.errors import ConformanceError  # late: start-up time

    try:
        cases = load_cases([Path(path) for path in context.params.get("paths") or ()] or None)
    except ConformanceError:
        return []
    return [case.id for case in cases if case.id.startswith(text)]


OPERATION = click.option(
    "--operation",
    "-o",
    "operations",
    multiple=True,
    shell_complete=complete_operations,
    help="Only the cases of this operation.",
)
FACTOR = click.option(
    "--factor", default=2.0, show_default=True, help="How many times larger an error counts as changed."
)


def selection(command: Any) -> Any:
    """The options that select what is run."""
    options = (
        click.option(
            "--subject",
            "-s",
            "subjects",
            multiple=True,
            shell_complete=complete_subjects,
            help="As torch, torch:compile, torch/avx2, torch==1.10.0, a name of --subjects; default: all.",
        ),
        OPERATION,
        click.option(
            "--dtype", "-d", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Only this dtype."
        ),
        click.option(
            "--tag", "-t", "tags", multiple=True, help="Only cases with this tag; `large` runs only so."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def function_selection(command: Any) -> Any:
    """The options that name a user's function, or a formula, where a case is given."""
    options = (
        click.option("--function", metavar="FILE_OR_MODULE:FUNCTION", help="A function of yours."),
        click.option(
            "--operation",
            "-o",
            default="",
            shell_complete=complete_operations,
            help="The operation that it carries out; default: the case's.",
        ),
        click.option("--formula", metavar="FILE:NAME", help="A formula, whose cases are meant."),
        click.option("--framework", "-f", help="The function's; default: the one that its file imports."),
        click.option("--mode", help="One of the framework's modes, as compile."),
        RETURNS,
    )
    for option in reversed(options):
        command = option(command)
    return command


RETURNS = click.option(
    "--returns", metavar="INDEX", help="Which of several results is the loss: 0, or a dictionary's key."
)


def positive(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    """A limit of nothing, or of no number, would be none."""
    if not value > 0:
        raise click.BadParameter(f"{value:g} is no limit: a number above 0")
    return value


KNOWN = click.option(
    "--known",
    multiple=True,
    type=click.Path(path_type=str),
    help="A file of accepted deviations, as `conformance accept` writes it, beside the suite's own.",
)
TIME_LIMIT = click.option(
    "--time-limit",
    "limit",
    default=60.0,
    show_default=True,
    callback=positive,
    help="Seconds that one check may take.",
)


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    context.meta[f"conformance.{parameter.name}"] = value
    return value


def output_form(command: Any) -> Any:
    """--json and --quiet, which `conformance.cli_output` reads from the context."""
    for flag, text in (
        ("--quiet", "Print nothing but faults: the exit code is the verdict."),
        ("--json", "Print one JSON object on standard output, and nothing else there."),
    ):
        command = click.option(flag, is_flag=True, expose_value=False, callback=_remember, help=text)(command)
    return command
