"""Known file from a run: its discrepancies as entries of accepted deviations, grouped (`conformance accept`).

An entry lists the checks that were observed and no others, and states what was: nan, an infinity or 0 as
such, an error by its type, any other number by intervals around its error and its value. What else those
checks return later is a discrepancy again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from conformance.errors import RunError
from conformance.results import sanitize
from conformance.results.run import Run

#: By how much a later error may lie from the observed one: where other kernels round an elementary function
#: the other way, what is left of a cancellation moves by as much as it is.
ULPS_FACTOR = 2.0
#: By how much of its size a later value may lie from the observed one.
VALUE_SHARE = 0.25
#: Errors of one envelope lie next to another within this factor.
CLUSTER_FACTOR = 4.0
#: Columns up to which a line of YAML is written.
MAX_LINE_COLUMNS = 118
_SPECIAL = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf", "0": "0", "-0": "0", "0.0": "0", "-0.0": "0"}
_ERROR_TYPE = re.compile(r"[A-Za-z_][\w.]*(?=:)")
_PLAIN = re.compile(r"[A-Za-z][\w./+-]*(:[a-z]\w*)?(\[[\w.,+-]*\])?")


@dataclass(frozen=True)
class Deviating:
    """A check that does not conform: the columns that an entry is made from.

    Attributes:
        case, subject, dtype, formulation, quantity: the check.
        verdict: its verdict.
        ulps: error of the worst element in ulps; None where nothing was returned.
        observed: the worst element as text; empty where nothing was returned.
        exact: the exact value there.
        message: what is wrong, or the error.
    """

    case: str
    subject: str
    dtype: str
    formulation: str
    quantity: str
    verdict: str
    ulps: float | None
    observed: str
    exact: str
    message: str

    @property
    def kind(self) -> tuple[str, str]:
        """What was observed, as far as it has a name: the verdict, and a special value or an error's type."""
        if self.observed in _SPECIAL:
            return self.verdict, _SPECIAL[self.observed]
        return self.verdict, "number" if self.observed else _fragment(self.message)


@dataclass(frozen=True)
class Envelope:
    """What some checks return, as `observed` in an entry.

    Attributes:
        checks: the checks.
        states: the keys that state it, each with its value as YAML.
    """

    checks: tuple[Deviating, ...]
    states: tuple[tuple[str, str], ...]


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


def deviating(frame: pd.DataFrame) -> list[Deviating]:
    """The rows of a frame of results."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    texts = ("case", "subject", "dtype", "formulation", "quantity", "verdict", "observed", "exact", "message")
    return [
        Deviating(
            ulps=None if row["ulp_error"] is None else float(row["ulp_error"]),
            **{name: str(row[name] or "") for name in texts},
        )
        for row in rows
    ]


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
        f"# Deviations {source}{whole}: {_one_line(stack)}.",
        "# Each is a discrepancy again once it returns something else, and is named once it conforms.",
        "known:",
    ]
    grouped = _grouped(
        checks,
        lambda check: (operations[check.case], check.subject, check.formulation, check.quantity, check.kind),
    )
    taken: dict[str, int] = {}
    for (operation, subject, formulation, quantity, (verdict, kind)), members in grouped.items():
        words = [
            operation,
            subject,
            formulation,
            quantity,
            verdict,
            kind if kind in _SPECIAL.values() else "",
        ]
        name = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words)).strip("-")[:90]
        taken[name] = taken.get(name, 0) + 1
        lines += [
            f"  - id: {name}{f'-{taken[name]}' if taken[name] > 1 else ''}",
            f"    operation: {operation}",
            *_listed("    cases: ", _names(check.case for check in members), ""),
            f"    subject: {_quoted(subject)}",
            f"    dtype: {_quoted(', '.join(_names(check.dtype for check in members)))}",
            f"    formulation: {formulation}",
            f"    quantity: {_quoted(quantity)}",
            *observed_lines(envelopes(members), ("cases", "dtypes")),
            f"    reason: {_quoted(_reason(members))}",
            f"    source: {_quoted(source)}",
        ]
    return "\n".join(lines) + "\n"


def _reason(checks: Sequence[Deviating]) -> str:
    """What was observed and what is exact, of the check with the largest error."""
    worst = max(checks, key=lambda check: (-1.0 if check.ulps is None else check.ulps, check.case))
    where = f"in {worst.case}, {worst.dtype}"
    many = f"; {len(checks)} checks of this kind" if len(checks) > 1 else ""
    if not worst.observed:
        return _one_line(f"{worst.verdict} {where}: {worst.message[:200]}{many}")
    ulps = "" if worst.ulps is None or math.isinf(worst.ulps) else f", {worst.ulps:.4g} ulps"
    return _one_line(
        f"{worst.verdict} {where}: observed {worst.observed}, exact {worst.exact[:24]}{ulps}{many}"
    )


def envelopes(checks: Iterable[Deviating], cluster_factor: float = CLUSTER_FACTOR) -> list[Envelope]:
    """What checks return, in as few envelopes as cover these checks and nothing else.

    Args:
        checks: the checks.
        cluster_factor: errors that lie next to another within this factor share an envelope.
    """
    result: list[Envelope] = []
    for (verdict, kind), members in _grouped(checks, lambda check: check.kind).items():
        if kind == "number":
            clusters = [
                part
                for same in _grouped(members, _signed).values()
                for part in _clusters(same, cluster_factor)
            ]
        else:
            clusters = [members]
        for cluster in clusters:
            result += [Envelope(tuple(part), _states(verdict, kind, part)) for part in _rectangles(cluster)]
    return result


def _signed(check: Deviating) -> Hashable:
    """Numbers of one dtype and sign are of one scale."""
    return check.dtype, check.observed.startswith("-"), check.ulps is None or math.isinf(check.ulps)


def _clusters(checks: Sequence[Deviating], factor: float) -> Iterator[list[Deviating]]:
    """Checks whose errors, and whose values, lie next to one another within a factor."""

    def split(members: list[Deviating], size: Callable[[Deviating], float]) -> Iterator[list[Deviating]]:
        cluster: list[Deviating] = []
        for check in sorted(members, key=size):
            if cluster and not size(check) <= factor * size(cluster[-1]):
                yield cluster
                cluster = []
            cluster.append(check)
        if cluster:
            yield cluster

    for near in split(list(checks), lambda check: math.inf if check.ulps is None else check.ulps):
        yield from split(near, lambda check: abs(float(check.observed)))


def _states(verdict: str, kind: str, checks: Sequence[Deviating]) -> tuple[tuple[str, str], ...]:
    states = [("verdicts", f"[{verdict}]")]
    if kind == "number":
        ulps = [check.ulps for check in checks if check.ulps is not None]
        values = [float(check.observed) for check in checks]
        low, high = min(values), max(values)
        if ulps:
            states.append(("ulps", _ends(min(ulps) / ULPS_FACTOR, max(ulps) * ULPS_FACTOR)))
        states.append(("between", _ends(low - VALUE_SHARE * abs(low), high + VALUE_SHARE * abs(high))))
    elif kind in _SPECIAL.values():
        states.append(("values", f"[{kind}]"))
    elif kind:
        states.append(("message", _quoted(kind)))
    return tuple(states)


def _ends(low: float, high: float) -> str:
    """Two ends at three digits, rounded outward."""
    return f"[{_outward(low, -1)}, {_outward(high, 1)}]"


def _outward(value: float, way: int) -> str:
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    if value == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    if not unit:  # a subnormal number
        return f"{value:.17g}"
    steps = math.floor(value / unit) if way < 0 else math.ceil(value / unit)
    return f"{steps * unit:.3g}"


def _rectangles(checks: Sequence[Deviating]) -> list[list[Deviating]]:
    """The checks in groups, each of which is all combinations of some cases, dtypes, formulations ..."""
    groups = [[check] for check in checks]
    for varying in ("case", "dtype", "formulation", "quantity", "subject"):
        merged: dict[Hashable, list[Deviating]] = {}
        for group in groups:
            merged.setdefault(frozenset(replace(check, **_blank(varying)) for check in group), []).extend(
                group
            )
        groups = list(merged.values())
    return groups


def _blank(varying: str) -> dict[str, Any]:
    """What does not tell two checks of one kind apart, and the name that varies."""
    return {"ulps": None, "observed": "", "exact": "", "message": "", varying: ""}


def observed_lines(observed: Sequence[Envelope], scopes: Sequence[str]) -> list[str]:
    """The lines of the key `observed`.

    Args:
        observed: the envelopes.
        scopes: keys that narrow an envelope; those that all envelopes share are left out.
    """
    lines = ["    observed:"]
    names = {
        scope: [_names(getattr(check, _COLUMN[scope]) for check in each.checks) for each in observed]
        for scope in scopes
    }
    narrowing = [scope for scope in scopes if len({tuple(sorted(listed)) for listed in names[scope]}) > 1]
    for index, envelope in enumerate(observed):
        items = [f"{key}: {value}" for key, value in envelope.states]
        items += [f"{scope}: [{', '.join(map(_quoted, names[scope][index]))}]" for scope in narrowing]
        lines += _wrapped(f"      - {{{', '.join(items)}}}", "         ")
    return lines


_COLUMN = {
    "cases": "case",
    "subjects": "subject",
    "dtypes": "dtype",
    "formulations": "formulation",
    "quantities": "quantity",
}


def _listed(start: str, names: Sequence[str], end: str) -> list[str]:
    return _wrapped(
        f"{start}[{', '.join(map(_quoted, names))}]{end}", " " * (len(start) - len(start.lstrip()) + 2)
    )


def _wrapped(line: str, indent: str) -> list[str]:
    """A line broken behind commas, which YAML's flow style allows."""
    lines = []
    while len(line) > MAX_LINE_COLUMNS:
        end = line.rfind(", ", len(indent) + 1, MAX_LINE_COLUMNS)
        if end < 0:
            break
        lines.append(line[: end + 1])
        line = indent + line[end + 2 :]
    return [*lines, line]


def _fragment(message: str) -> str:
    """What of a message stays the same: an error's type, or its words up to the first figure."""
    error = _ERROR_TYPE.match(message)
    if error:
        return error[0]
    return re.split(r"0x|…|\d{3,}", _one_line(message))[0][:80].rstrip()


def _grouped(checks: Iterable[Deviating], key: Callable[[Deviating], Any]) -> dict[Any, list[Deviating]]:
    groups: dict[Any, list[Deviating]] = {}
    for check in checks:
        groups.setdefault(key(check), []).append(check)
    return groups


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _one_line(text: str) -> str:
    return sanitize.text(" ".join(text.split()))


def _quoted(text: str) -> str:
    """A text as YAML: plain where it cannot be anything else."""
    return text if _PLAIN.fullmatch(text) and "[" not in text and ": " not in text else json.dumps(text)
