"""End of a command that judges: its text or its one JSON object (`--json`), and its exit code."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from conformance.comparison.difference import Difference
    from conformance.execution.progress import Progress
    from conformance.results.run import Run

#: Discrepancies that the JSON object holds at most; `counts` and the tables have all.
MAX_JSON_DISCREPANCIES = 100
_INTERRUPTED = {"SIGINT": 130, "SIGTERM": 143}
_RUN_FILES = ("report.html", "summary.md", "results.csv", "results.parquet", "relations.csv", "run.json")
_DIFFERENCE_FILES = ("diff.html", "diff.md", "diff.csv")
_CHECK_KEYS = (
    "case",
    "operation",
    "formulation",
    "quantity",
    "dtype",
    "subject",
    "verdict",
    "ulp_error",
    "ulp_bound",
    "observed",
    "exact",
    "worst_index",
    "message",
    "file",
    "line",
)
_CHANGE_KEYS = (
    "kind",
    "change",
    "case",
    "operation",
    "formulation",
    "relation",
    "quantity",
    "dtype",
    "subject",
    "verdict_old",
    "verdict_new",
    "ulp_error_old",
    "ulp_error_new",
    "ulp_bound",
    "observed_old",
    "observed_new",
    "exact",
    "message_new",
)


def _asked(option: str) -> bool:
    return bool(click.get_current_context().meta.get(f"conformance.{option}"))


def is_quiet() -> bool:
    """Whether nothing but faults is to be printed."""
    return _asked("quiet")


def finish_with(about: dict[str, Any], line: str, code: int) -> NoReturn:
    """Ends with an exit code, after one JSON object where `--json` asks for it, else after one line.

    Args:
        about: What the object says beside the command, its exit code and its seconds.
        line: The last line for people.
        code: The exit code.
    """
    if _asked("json"):
        whole = {"command": click.get_current_context().info_name, "exit_code": code, **about}
        click.echo(json.dumps({**whole, "seconds": round(_spent_seconds(), 1)}, indent=2, allow_nan=False))
    elif not _asked("quiet"):
        from conformance.report.figures import seconds  # late: start-up time

        click.echo(f"{line}, after {seconds(_spent_seconds())}")
    sys.exit(code)


def console() -> Console:
    """Standard output; nothing at all with --json or --quiet."""
    from rich.console import Console  # late: start-up time

    from conformance.execution import terminal  # late: start-up time

    return Console(quiet=True) if _asked("json") or _asked("quiet") else terminal.console()


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress on standard error; none with --quiet."""
    from conformance.execution import terminal  # late: start-up time
    from conformance.execution.progress import Silent  # late: start-up time

    if _asked("quiet"):
        yield Silent()
        return
    with terminal.progress() as shown:
        yield shown


def count(number: int, singular: str, plural: str) -> str:
    """A number and its noun."""
    return f"{number:,} {singular if number == 1 else plural}"


def finish_difference(
    difference: Difference, output: str, pages: Sequence[str], strict: bool, exit_zero: bool = False
) -> NoReturn:
    """Prints a difference and ends with its exit code."""
    from conformance.comparison.files import overview_of, terminal  # late: start-up time

    code = int(not difference.new.whole) if exit_zero else difference.exit_code(strict)
    if not _asked("json"):
        terminal(difference, console(), strict)
        _print_pages(output, pages)
        sys.exit(code)
    gating = difference.gating(strict)
    about = {
        "headline": overview_of(difference, 0).sentence,
        "counts": _counts(difference.new),
        "changes": {kind: difference.counts(kind) for kind in ("check", "relation")},
        "discrepancies": _rows(gating, _CHANGE_KEYS),
        "discrepancies_total": len(gating),
    }
    files = _RUN_FILES + _DIFFERENCE_FILES if "report.html" in pages else _DIFFERENCE_FILES
    _print_json(about, difference.new, output, files, code)


def finish(result: Run, output: str, strict: bool, exit_zero: bool = False, headline: str = "") -> NoReturn:
    """Prints where the report lies and ends with the run's exit code.

    Args:
        result: The run.
        output: The directory that received it.
        strict: Whether known deviations that deviate no longer fail.
        exit_zero: Whether nothing but a run that is not whole fails.
        headline: The verdict in a sentence, for `--json`.
    """
    interrupted = _INTERRUPTED.get(str(result.environment.get("interrupted", "")))
    stale = result.environment.get("stale_known") or []
    failed = not result.whole if exit_zero else bool(result.exit_code or (strict and stale))
    code = int(failed) if interrupted is None else interrupted
    if not _asked("json"):
        _print_pages(output, ("report.html",))
    if interrupted is not None:
        click.echo("interrupted: finish it with `conformance run --resume` and the same --output", err=True)
    elif not exit_zero and strict and stale and not result.exit_code:
        named = count(len(stale), "known deviation deviates", "known deviations deviate")
        click.echo(f"--strict: {named} no longer: take out what is stale", err=True)
    if _asked("json"):
        failures = result.discrepancies()
        about = {
            "headline": headline or "The run was interrupted.",
            **({"verdict": result.environment["verdict"]} if "verdict" in result.environment else {}),
            "counts": _counts(result),
            "discrepancies": _rows(failures, _CHECK_KEYS),
            "discrepancies_total": len(failures),
        }
        _print_json(about, result, output, _RUN_FILES, code)
    sys.exit(code)


def _print_pages(output: str, pages: Sequence[str]) -> None:
    """The last line: where the report lies, and the seconds that the command took."""
    from conformance.report.figures import names, seconds  # late: start-up time

    if not _asked("quiet"):
        shown = names([f"{output}/{page}" for page in pages])
        click.echo(f"Report: {shown}, after {seconds(_spent_seconds())}")


def _spent_seconds() -> float:
    return time.monotonic() - float(click.get_current_context().obj)


def _counts(run: Run) -> dict[str, int]:
    """The run's checks by outcome (of a user's function: its own); they add up to `checks`."""
    frame: pd.DataFrame = getattr(run, "own", run.frame)
    conforms, failures = frame["conforms"], run.discrepancies()
    known = int((~conforms.fillna(True) & frame["known"].ne("")).sum())
    counts = {
        "conforming": int(conforms.fillna(False).sum()),
        "discrepancies": len(failures),
        "known": known - int(failures["known"].ne("").sum()),  # of a function `--strict` counts the inherited
        "unsupported": int(conforms.isna().sum()),
    }
    return {"checks": len(frame), **counts, "textbook": len(frame) - sum(counts.values())}


def _rows(frame: pd.DataFrame, keys: Sequence[str]) -> list[dict[str, Any]]:
    rows = frame.head(MAX_JSON_DISCREPANCIES)[list(keys)].to_dict("records")
    return [{str(name): _value(value) for name, value in row.items()} for row in rows]


def _value(value: Any) -> Any:
    """A cell in JSON: None where it holds nothing or no finite number."""
    import pandas as pd  # late: start-up time

    if pd.isna(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _print_json(about: dict[str, Any], run: Run, output: str, files: Sequence[str], code: int) -> NoReturn:
    there = {name: os.fspath(Path(output) / name) for name in files if (Path(output) / name).is_file()}
    command = click.get_current_context().info_name
    whole = {"command": command, "exit_code": code, "whole": run.whole, **about, "files": there}
    click.echo(json.dumps({**whole, "seconds": round(_spent_seconds(), 1)}, indent=2, allow_nan=False))
    sys.exit(code)
