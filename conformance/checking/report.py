"""Report of a checked function: one verdict sentence, its cause, and the worst checks with programs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.checking.check_run import CheckRun
from conformance.report.figures import count, shorten, ulps
from conformance.report.reproduction.formulation_source import Source
from conformance.report.reproduction.program import check_of, reproduce

if TYPE_CHECKING:
    from rich.console import Console

MAX_SHOWN_CHECKS = 5
#: Verdicts by harm.
_SEVERITY = ("crashed", "timed out", "wrong", "raised", "lossy", "not run")
Row = Mapping[str, Any]


def sentence(run: CheckRun) -> str:
    """The verdict in one sentence; for a function that is wrong it names the cause."""
    if not run.complete:
        return f"{run.subject} has not been checked to the end: the run was interrupted."
    if not run.answered:
        return f"{run.subject} answered no check at all: {_commonest(run)}"
    diagnosis = run.diagnosis
    if diagnosis is None:
        return f"{run.subject} is right: {count(run.answered, 'check')} conform."
    does = diagnosis.sentence
    if run.syntax and not does.startswith("its "):  # of a loss that nobody knows, whether value or gradient
        does = f"its value is wrong: {does}"
    return f"{run.subject} is wrong: {does}."


def details(run: CheckRun) -> str:
    """The figures behind the verdict."""
    parts = []
    cause = run.diagnosis
    if cause is not None:
        parts.append(f"{cause.failing:,} of {count(cause.checked, 'check')} do not conform")
        if cause.where:
            parts[0] += f": {cause.there_failing:,} of the {cause.there:,} where that holds"
            parts[0] += (
                f", {cause.failing - cause.there_failing:,} of the {cause.checked - cause.there:,} others"
            )
    inherited, unsupported = len(run.inherited()), int((run.own["verdict"] == "unsupported").sum())
    if inherited:
        counted = "counted" if run.strict else "not counted without --strict"
        parts.append(f"{inherited:,} inherited from {run.control} ({counted})")
    if unsupported:
        parts.append(f"{unsupported:,} unsupported ({_commonest(run)})")
    if run.left_out:
        parts.append(f"{count(run.left_out, 'check')} left out: the formula has no value there")
    silent = int(np.isinf(run.own["ulp_bound"].astype(float)).sum())
    if silent:
        parts.append(
            f"in {count(silent, 'check')} the formula as written may lose all digits: any number passes"
        )
    return "; ".join(parts) + "." if parts else ""


def worst(run: CheckRun) -> list[dict[str, Any]]:
    """The worst checks, each of another case where there are enough; the plainest example first."""
    rows = run.rows()
    example = run.diagnosis.example if run.diagnosis else {}
    first = tuple(example.get(name) for name in ("case", "dtype", "quantity"))

    def rank(row: Row) -> tuple[Any, ...]:
        error = row["ulp_error"]
        bad = _SEVERITY.index(row["verdict"]) if row["verdict"] in _SEVERITY else len(_SEVERITY)
        return (
            (row["case"], row["dtype"], row["quantity"]) != first,
            bad,
            -(error if error is not None else float("inf")),
            row["elements"] or 0,
        )

    rows.sort(key=rank)
    seen: set[str] = set()
    firsts = [row for row in rows if not (row["case"] in seen or seen.add(row["case"]))]  # type: ignore[func-returns-value]
    return (firsts + [row for row in rows if all(row is not first for first in firsts)])[:MAX_SHOWN_CHECKS]


def line(row: Row) -> str:
    """One check in one line."""
    parts = [f"{row['verdict']}: {row['case']}, {row['quantity']}, {row['dtype']}"]
    if row["observed"]:
        parts.append(f"returned {shorten(row['observed'], 24)}, exact {shorten(row['exact'], 24)}")
    if row["ulp_error"] is not None:
        parts.append(f"{ulps(row['ulp_error'])} ulps, bound {ulps(row['ulp_bound'])}")
    text = "; ".join(parts)
    text += f": {shorten(row['message'], 160)}" if row["message"] else ""
    return text + (f" ({shorten(row['why'], 160)})" if row["why"] else "")


def reproductions(run: CheckRun) -> list[tuple[dict[str, Any], str | None]]:
    """The worst checks, each with a program that shows it and imports nothing of ours."""
    chosen = worst(run)
    return [(row, program(run, row)) for row in chosen]


def program(run: CheckRun, row: Row) -> str | None:
    """A check of the function as a program that imports it; of its control as one of the framework alone."""
    if run.arguments is None:
        return None
    if row["subject"] != run.subject:
        if run.syntax:  # the reference of a formula is nobody's program
            return None
        return reproduce(check_of(row, run.environment), run.arguments(str(row["case"]), str(row["dtype"])))
    if not run.where:
        return None
    check = check_of({**row, "subject": run.syntax or run.control}, run.environment)
    return reproduce(check, run.arguments(str(row["case"]), str(row["dtype"])), imported(run.where))


def imported(where: str) -> Source:
    """A user's function as source: the import that finds it."""
    source, _, name = where.rpartition(":")
    top, _, rest = name.partition(".")
    path = Path(source)
    lines = [f"from {source} import {top}"]
    if path.suffix == ".py":
        lines = ["import sys", f"sys.path.insert(0, {str(path.parent)!r})", f"from {path.stem} import {top}"]
    return Source(tuple(lines), (), ast.parse(name if rest else top, mode="eval").body)


def markdown(run: CheckRun) -> str:
    """The end of summary.md: the verdict and the worst checks with their reproductions."""
    lines = ["", "", "## The function", "", f"**{_escaped(sentence(run))}**", "", _escaped(details(run)), ""]
    for row, program in reproductions(run):
        lines += [f"- {_escaped(line(row))}", ""]
        if program:
            lines += ["  ```python", *(f"  {text}".rstrip() for text in program.splitlines()), "  ```", ""]
    return "\n".join(lines)


def print_check(run: CheckRun, console: Console) -> None:
    """Prints the verdict sentence first, then its figures and the worst checks with their reproductions."""
    say: Callable[..., None] = console.print
    say(sentence(run), style="bold green" if run.exit_code == 0 else "bold red", markup=False, soft_wrap=True)
    text = details(run)
    if text:
        say(text, style="dim", markup=False, soft_wrap=True)
    for number, (row, program) in enumerate(reproductions(run), 1):
        say(f"\n{number}. {line(row)}", markup=False, soft_wrap=True, highlight=False)
        if program:
            say(
                "\n".join(f"    {text}" for text in program.splitlines()),
                markup=False,
                soft_wrap=True,
                highlight=False,
            )


def _commonest(run: CheckRun) -> str:
    """The commonest reasons for `unsupported`."""
    messages = run.own[run.own["verdict"] == "unsupported"]["message"].value_counts()
    shown = [f"{shorten(str(message), 80)}: {number:,}" for message, number in messages.head(3).items()]
    return "; ".join(shown) + ("; …" if len(messages) > 3 else "")


def _escaped(text: str) -> str:
    return (
        text.replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("*", "\\*")
        .replace("<", "&lt;")
        .replace("_", "\\_")
    )
