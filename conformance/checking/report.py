"""Report of a checked function: one verdict sentence, its cause, and the worst checks with programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.checking.check_run import CheckRun
from conformance.checking.user_source import imported
from conformance.report.figures import count, shorten, ulps
from conformance.report.reproduction.program import check_of, reproduce

if TYPE_CHECKING:
    from rich.console import Console

#: Causes that are shown with a program.
MAX_SHOWN_CHECKS = 6
#: What was never tried, as far as a sentence names it.
MAX_UNTRIED = 5
Row = Mapping[str, Any]


def sentence(run: CheckRun) -> str:
    """The verdict in one sentence; for a function that is wrong it names the most harmful cause."""
    if not run.complete:
        return f"{run.subject} has not been checked to the end: the run was interrupted."
    if not run.answered:
        return f"{run.subject} answered no check at all: {_commonest(run)}"
    if run.diagnosis is not None:
        does = run.diagnosis.sentence
        if run.syntax and not does.startswith("its "):  # of a loss that nobody knows, value or gradient
            does = f"its value is wrong: {does}"
        return f"{run.subject} is wrong: {does}."
    if run.strict and run.bits:
        return f"{run.subject} is right, but not bit for bit: {run.bits}."
    conforming = count(int(run.own["conforms"].eq(True).sum()), "check")
    if not run.untried:
        return f"{run.subject} is right: {conforming} conform."
    return f"{run.subject} is right in what it has: {conforming} conform; {_listed(run.untried)} never tried."


def invalid_sentence(run: CheckRun) -> str:
    """The invalid calls that a function answers and that do not count; empty where there are none."""
    if not run.invalid_calls:
        return ""
    return f"It answers invalid calls, which count with --invalid fail alone: {run.invalid_calls}."


def details(run: CheckRun) -> str:
    """The figures behind the verdict."""
    parts = []
    if run.diagnosis is not None:
        parts.append(f"{run.diagnosis.failing:,} of {count(run.diagnosis.checked, 'check')} do not conform")
    inherited, unsupported = len(run.inherited()), int((run.own["verdict"] == "unsupported").sum())
    if inherited:
        counted = "counted" if run.strict else "not counted without --strict"
        parts.append(f"{inherited:,} inherited from {run.control} ({counted})")
    if unsupported:
        parts.append(f"{unsupported:,} unsupported ({_commonest(run)})")
    if run.bits:
        parts.append(f"{run.bits} ({'counted' if run.strict else 'not counted without --strict'})")
    if run.left_out:
        parts.append(f"{count(run.left_out, 'check')} left out: the formula has no value there")
    silent = int(np.isinf(run.own["ulp_bound"].astype(float)).sum())
    if silent:
        parts.append(
            f"in {count(silent, 'check')} the formula as written may lose all digits: any number passes"
        )
    return "; ".join(parts) + "." if parts else ""


def cause_lines(run: CheckRun) -> list[str]:
    """Every cause in a line, the most harmful first."""
    if run.diagnosis is None:
        return []
    lines = []
    for cause in run.diagnosis.causes:
        figures = count(cause.failing, "check")
        if cause.where:
            figures += f" of {cause.there:,} where that holds" if cause.failing <= cause.there else ""
        lines.append(f"{cause.sentence}: {figures}")
    return lines


def verdict(run: CheckRun) -> dict[str, Any]:
    """The verdict as run.json keeps it, and as pages open with it."""
    return {
        "sentence": sentence(run),
        "details": [text for text in (invalid_sentence(run), details(run)) if text],
        "causes": cause_lines(run),
        "invalid_calls": run.invalid_calls,
        "untried": list(run.untried),
    }


def _listed(texts: Sequence[str]) -> str:
    shown = list(texts[:MAX_UNTRIED])
    rest = len(texts) - len(shown)
    shown += [f"{rest} more"] if rest else []
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def shown_checks(run: CheckRun) -> list[dict[str, Any]]:
    """One check a cause, the smallest that shows it plainly, the most harmful cause first."""
    causes = run.diagnosis.causes if run.diagnosis else ()
    return [dict(cause.example) for cause in causes[:MAX_SHOWN_CHECKS]]


def line(row: Row) -> str:
    """One check in one line."""
    parts = [f"{row['verdict']}: {row['case']}, {row['quantity']}, {row['dtype']}"]
    if row["observed"]:
        parts.append(f"returned {shorten(row['observed'], 24)}, exact {shorten(row['exact'], 24)}")
    if row["ulp_error"] is not None:
        parts.append(f"{ulps(row['ulp_error'])} ulps, bound {ulps(row['ulp_bound'])}")
    text = "; ".join(parts)
    return text + (f": {shorten(row['message'], 160)}" if row["message"] else "")


def reproductions(run: CheckRun) -> list[tuple[dict[str, Any], str | None]]:
    """A check for each cause, with a program that shows it and imports nothing of ours."""
    return [(row, program(run, row)) for row in shown_checks(run)]


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
    return reproduce(
        check, run.arguments(str(row["case"]), str(row["dtype"])), imported(run.where, run.returns)
    )


def markdown(run: CheckRun) -> str:
    """The end of summary.md: every cause with its figures, a check and its reproduction."""
    lines = ["", "", "## The function", "", f"**{_escaped(sentence(run))}**", ""]
    lines += [_escaped(text) + "\n" for text in (invalid_sentence(run), details(run)) if text]
    texts, shown = cause_lines(run), reproductions(run)
    for text, (row, program) in zip(texts, shown, strict=False):
        lines += [f"- **{_escaped(text)}**", f"  {_escaped(line(row))}", ""]
        if program:
            lines += ["  ```python", *(f"  {text}".rstrip() for text in program.splitlines()), "  ```", ""]
    lines += [f"- {_escaped(text)}" for text in texts[len(shown) :]]
    return "\n".join(lines)


def print_check(run: CheckRun, console: Console) -> None:
    """Prints the verdict first, then every cause with its figures, a check and its reproduction."""
    say: Callable[..., None] = partial(console.print, markup=False, emoji=False, soft_wrap=True)
    say(sentence(run), style="bold green" if run.exit_code == 0 else "bold red")
    for text in (invalid_sentence(run), details(run)):
        if text:
            say(text, style="dim")
    texts, shown = cause_lines(run), reproductions(run)
    for number, (text, (row, program)) in enumerate(zip(texts, shown, strict=False), 1):
        say(f"\n{number}. {text}", style="bold", highlight=False)
        say(f"   {line(row)}", highlight=False)
        if program:
            say("\n".join(f"    {text}" for text in program.splitlines()), highlight=False)
    for number, text in enumerate(texts[len(shown) :], len(shown) + 1):
        say(f"{number}. {text}", highlight=False)


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
