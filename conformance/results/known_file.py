"""Known file from a run: its discrepancies as entries of accepted deviations, grouped (`conformance accept`).

An entry lists the checks that were observed and no others, and states what was: nan, an infinity or 0 as
such, an error by its type, any other number by intervals around its error and its value. What else those
checks return later is a discrepancy again.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

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
#: Values that one envelope lists, where the error is larger than the value.
MAX_LISTED_FIGURES = 8
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
    def key(self) -> Key:
        """The check."""
        return self.case, self.subject, self.dtype, self.formulation, self.quantity

    @property
    def kind(self) -> tuple[str, str]:
        """What was observed, as far as it has a name: the verdict, and a special value or an error's type."""
        if self.observed in _SPECIAL:
            return self.verdict, _SPECIAL[self.observed]
        return self.verdict, "number" if self.observed else _fragment(self.message)


#: A check: case, subject, dtype, formulation, quantity.
Key: TypeAlias = tuple[str, str, str, str, str]
#: Names of each: all their combinations are meant.
Box: TypeAlias = tuple[tuple[str, ...], ...]
SCOPES = ("cases", "subjects", "dtypes", "formulations", "quantities")


@dataclass(frozen=True)
class Envelope:
    """What some checks return, as `observed` in an entry.

    Attributes:
        box: names of cases, subjects, dtypes, formulations and quantities: the checks are their combinations.
        states: the keys that state it, each with its value as YAML.
    """

    box: Box
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
        return _one_line(f"{worst.verdict} {where}: {worst.message[:200]}{many}")
    ulps = "" if worst.ulps is None or math.isinf(worst.ulps) else f", {worst.ulps:.4g} ulps"
    return _one_line(
        f"{worst.verdict} {where}: observed {worst.observed}, exact {worst.exact[:24]}{ulps}{many}"
    )


def envelopes(
    checks: Iterable[Deviating],
    cluster_factor: float = CLUSTER_FACTOR,
    free: Callable[[Key], bool] = lambda _: False,
) -> list[Envelope]:
    """What checks return, in few envelopes that cover these checks and nothing else.

    Args:
        checks: the checks.
        cluster_factor: errors that lie next to another within this factor share an envelope.
        free: whether a check may be covered, too, since there is none such.
    """
    result: list[Envelope] = []
    for (verdict, kind), members in _grouped(checks, lambda check: check.kind).items():
        if kind == "number":
            families = _grouped(members, _family).values()
            clusters = [part for family in families for part in _clusters(family, cluster_factor)]
        else:
            clusters = [members]
        for cluster in clusters:
            keys = {check.key for check in cluster}
            for box in _boxes(keys, free):
                covered = [check for check in cluster if _within(check.key, box)]
                result.append(Envelope(box, _states(verdict, kind, covered)))
    return result


def _family(check: Deviating) -> Hashable:
    """Numbers of one dtype and sign, told by their ulps or by themselves."""
    return check.dtype, check.observed.startswith("-"), _has_ulps(check), _is_near(check)


def _has_ulps(check: Deviating) -> bool:
    return check.ulps is not None and not math.isinf(check.ulps)


def _is_near(check: Deviating) -> bool:
    """Whether the error is no larger than the value: then ulps tell the value."""
    value = float(check.observed)
    return _has_ulps(check) and abs(value - float(check.exact)) <= abs(value)


def _clusters(checks: Sequence[Deviating], factor: float) -> Iterator[list[Deviating]]:
    """Checks of one family whose errors lie next to one another, and so their values, or these are few."""
    for alike in _split(checks, lambda check: check.ulps if _has_ulps(check) else 1.0, factor):  # type: ignore[arg-type, return-value]
        if _is_near(alike[0]):
            yield from _split(alike, lambda check: abs(float(check.observed)), factor)
        else:
            figures = distinct(sorted(map(_figure_of, alike), key=float))
            for first in range(0, len(figures), MAX_LISTED_FIGURES):
                listed_here = figures[first : first + MAX_LISTED_FIGURES]
                yield [check for check in alike if _figure_of(check) in listed_here]


def _split(
    checks: Sequence[Deviating], size: Callable[[Deviating], float], factor: float
) -> Iterator[list[Deviating]]:
    cluster: list[Deviating] = []
    for check in sorted(checks, key=size):
        if cluster and size(check) > factor * size(cluster[-1]):
            yield cluster
            cluster = []
        cluster.append(check)
    if cluster:
        yield cluster


def _states(verdict: str, kind: str, checks: Sequence[Deviating]) -> tuple[tuple[str, str], ...]:
    states = [("verdicts", f"[{verdict}]")]
    if kind == "number":
        ulps = [check.ulps for check in checks if check.ulps is not None and not math.isinf(check.ulps)]
        values = [float(check.observed) for check in checks]
        low, high = min(values), max(values)
        if ulps:
            states.append(("ulps", _ends(min(ulps) / ULPS_FACTOR, max(ulps) * ULPS_FACTOR)))
        if _is_near(checks[0]):
            states.append(("between", _ends(low - VALUE_SHARE * abs(low), high + VALUE_SHARE * abs(high))))
        else:
            figures = distinct(sorted(map(_figure_of, checks), key=float))
            shown = [f'"{figure}"' if "e+" in figure else figure for figure in figures]
            states.append(("values", f"[{', '.join(shown)}]"))  # in quotes where YAML would make more digits
    elif kind in _SPECIAL.values():
        states.append(("values", f"[{kind}]"))
    elif kind:
        states.append(("message", quoted(kind)))
    return tuple(states)


def _figure_of(check: Deviating) -> str:
    """The value at three digits."""
    return f"{float(check.observed):.3g}"


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


def _boxes(keys: set[Key], free: Callable[[Key], bool]) -> list[Box]:
    """Boxes that cover the checks, and beside them only what is free."""
    boxes: list[Box] = [tuple((name,) for name in key) for key in sorted(keys)]
    for axis in range(len(SCOPES)):  # what differs in one axis alone is one box
        merged: dict[Box, set[str]] = {}
        for box in boxes:
            merged.setdefault((*box[:axis], *box[axis + 1 :]), set()).update(box[axis])
        boxes = [(*rest[:axis], tuple(sorted(names)), *rest[axis:]) for rest, names in merged.items()]
    index = 0
    while index < len(boxes):
        for other in range(index + 1, len(boxes)):
            hull = tuple(tuple(sorted({*a, *b})) for a, b in zip(boxes[index], boxes[other], strict=True))
            if all(key in keys or free(key) for key in itertools.product(*hull)):  # type: ignore[arg-type]
                boxes[index] = hull
                del boxes[other]
                break
        else:
            index += 1
    return boxes


def _within(key: Key, box: Box) -> bool:
    return all(name in names for name, names in zip(key, box, strict=True))


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
        lines += _wrapped(f"      - {{{', '.join(items)}}}", "         ")
    return lines


def listed(start: str, names: Sequence[str]) -> list[str]:
    """The lines of a key whose value is a list of names; `start` holds its indent and the key."""
    indent = " " * (len(start) - len(start.lstrip()) + 2)
    return _wrapped(f"{start}[{', '.join(map(quoted, names))}]", indent)


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


def distinct(names: Iterable[str]) -> list[str]:
    """The names, each once, in order."""
    return list(dict.fromkeys(names))


def _one_line(text: str) -> str:
    return sanitize.text(" ".join(text.split()))


def quoted(text: str) -> str:
    """A text as YAML: plain where it cannot be anything else."""
    return text if _PLAIN.fullmatch(text) and "[" not in text and ": " not in text else json.dumps(text)
