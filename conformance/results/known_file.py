"""Known file from a run: its discrepancies as entries of accepted deviations, grouped (`conformance accept`).

An entry lists the checks that were observed and no others, and states what was: nan, an infinity or 0 as
such, an error by its type, any other number by intervals around its error and its value. What else those
checks return later is a discrepancy again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.errors import RunError
from conformance.results.envelopes import (
    SCOPES,
    SPECIAL,
    Deviating,
    Envelope,
    deviating,
    distinct,
    envelopes,
    grouped,
    one_line,
)
from conformance.results.run import Run
from conformance.yaml.writing import listed, quoted, wrapped


def accept(run: Run, path: Path, overwrite: bool = False) -> int:
    """Writes the discrepancies of a run as a file of known deviations.

    Args:
        run: the run.
        path: the file; its name ends in .yaml.
        overwrite: replace a file that is there.

    Returns:
        The number of discrepancies; where there are none, no file is written.

    Raises:
        RunError: the file is there, or cannot be written.
    """
    checks = deviating(run.discrepancies())
    if not checks:
        return 0
    text = known_file(run, checks)
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RunError(f"{path}: there is such a file: another --output, or --overwrite") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}): another --output") from None
    return len(checks)


def known_file(run: Run, checks: Sequence[Deviating]) -> str:
    """The text of a file of known deviations."""
    environment = run.environment
    day = str(environment.get("started", ""))[:10]
    source = f"accepted from run {environment.get('id', '')} of {day}"
    whole = "" if run.complete else ", which is incomplete"
    versions = run.frame.groupby("subject")["framework_version"].first()
    stack = ", ".join(f"{name} {version}".strip() for name, version in versions.items())
    operations = dict(zip(run.frame["case"], run.frame["operation"], strict=True))
    lines = [
        f"# Deviations {source}{whole}: {one_line(stack)}.",
        "# Each is a discrepancy again once it returns something else, and is named once it conforms.",
        "known:",
    ]
    by_entry = grouped(
        checks,
        lambda check: (operations[check.case], check.subject, check.formulation, check.quantity, check.kind),
    )
    taken: dict[str, int] = {}
    for (operation, subject, formulation, quantity, (verdict, kind)), members in by_entry.items():
        words = [
            operation,
            subject,
            formulation,
            quantity,
            verdict,
            kind if kind in SPECIAL.values() else "",
        ]
        name = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words)).strip("-")[:90]
        taken[name] = taken.get(name, 0) + 1
        lines += [
            f"  - id: {name}{f'-{taken[name]}' if taken[name] > 1 else ''}",
            f"    operation: {operation}",
            *listed("    cases: ", distinct(check.case for check in members)),
            f"    subject: {quoted(subject)}",
            f"    dtype: {quoted(', '.join(distinct(check.dtype for check in members)))}",
            f"    formulation: {formulation}",
            f"    quantity: {quoted(quantity)}",
            *observed_lines(envelopes(members), ("cases", "dtypes")),
            f"    reason: {quoted(_reason(members))}",
            f"    source: {quoted(source)}",
        ]
    return "\n".join(lines) + "\n"


def _reason(checks: Sequence[Deviating]) -> str:
    """What was observed and what is exact, of the check with the largest error."""
    worst = max(checks, key=lambda check: (-1.0 if check.ulps is None else check.ulps, check.case))
    where = f"in {worst.case}, {worst.dtype}"
    many = f"; {len(checks)} checks of this kind" if len(checks) > 1 else ""
    if not worst.observed:
        return one_line(f"{worst.verdict} {where}: {worst.message[:200]}{many}")
    ulps = "" if worst.ulps is None or math.isinf(worst.ulps) else f", {worst.ulps:.4g} ulps"
    return one_line(
        f"{worst.verdict} {where}: observed {worst.observed}, exact {worst.exact[:24]}{ulps}{many}"
    )


def observed_lines(
    observed: Sequence[Envelope],
    scopes: Sequence[str],
    shorten: Callable[[Sequence[str]], Sequence[str]] = list,
) -> list[str]:
    """The lines of the key `observed`.

    Args:
        observed: the envelopes.
        scopes: keys that narrow an envelope; those that all envelopes share are left out.
        shorten: what the ids of cases are written as.
    """
    lines = ["    observed:"]
    axes = [axis for axis, scope in enumerate(SCOPES) if scope in scopes]
    narrowing = [axis for axis in axes if len({envelope.box[axis] for envelope in observed}) > 1]
    for envelope in observed:
        items = [f"{key}: {value}" for key, value in envelope.states]
        for axis in narrowing:
            names: Sequence[str] = envelope.box[axis]
            shown = shorten(names) if SCOPES[axis] == "cases" else names
            items.append(f"{SCOPES[axis]}: [{', '.join(map(quoted, shown))}]")
        lines += wrapped(f"      - {{{', '.join(items)}}}", "         ")
    return lines
