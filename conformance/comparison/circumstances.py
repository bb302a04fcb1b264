"""Circumstances in which two runs differ: completeness, settings, hardware, and the kernels that ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.comparison.subject_matching import Pair
from conformance.results.run import Run

#: Settings that say what is checked and how; `subjects` are seen by their pairs, limits of time by verdicts.
SETTINGS = (
    "paths",
    "operations",
    "dtypes",
    "tags",
    "large",
    "profile",
    "repeat",
    "memory",
    "python",
    "known",
)


def warnings_about(old: Run, new: Run, pairs: Sequence[Pair]) -> list[str]:
    """A line for each circumstance that differs, each once."""
    return list(dict.fromkeys([*_incomplete(old, new), *_settings(old, new), *_of_subjects(old, new, pairs)]))


def _incomplete(old: Run, new: Run) -> Iterator[str]:
    for side, run, change in (("old", old, "added"), ("new", new, "removed")):
        if not run.complete:
            yield f"the {side} run is incomplete: what it lacks counts as {change}"


def _settings(old: Run, new: Run) -> Iterator[str]:
    before, after = (run.environment.get("settings", {}) for run in (old, new))
    for name in SETTINGS:
        # A run of an older version lacks what there was no setting for.
        if name in before and name in after and before[name] != after[name]:
            yield f"different settings: {name} {_setting(before[name])}, then {_setting(after[name])}"


def _of_subjects(old: Run, new: Run, pairs: Sequence[Pair]) -> Iterator[str]:
    for pair in pairs:
        before, after = old.environment["subjects"][pair.old], new.environment["subjects"][pair.new]
        yield from (f"different hardware: {line}" for line in _hardware(before, after))
        yield from (f"different kernels of {pair.label}: {line}" for line in _kernels(before, after))


def _hardware(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    a, b = before.get("hardware") or {}, after.get("hardware") or {}
    if not a or not b:
        return
    for key, name in (("cpu", "CPU"), ("cores", "cores"), ("gpu", "GPU")):
        if a.get(key) != b.get(key):
            yield f"{name} {a.get(key, 'none')}, then {b.get(key, 'none')}"
    if flags := _unshared(a.get("flags", ()), b.get("flags", ())):
        yield f"CPU flags, which decide which kernels run: {flags}"
    if before.get("flushes_subnormals") != after.get("flushes_subnormals"):
        yield "only one of them flushes subnormals to zero"


def _kernels(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What the frameworks report of the kernels that ran; nothing where either run does not say."""
    a, b = before.get("kernels"), after.get("kernels")
    if a is None or b is None or a == b:
        return
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        yield f"{_words(a)}, then {_words(b)}"
        return
    for name in sorted({*a, *b}):
        was, now = a.get(name), b.get(name)
        if isinstance(was, list) and isinstance(now, list):
            if lists := _unshared(was, now):
                yield f"{name}: {lists}"
        elif was != now:
            yield f"{name} {_words(was)}, then {_words(now)}"


def _unshared(old: Iterable[Any], new: Iterable[Any]) -> str:
    """What one side alone has, in words; empty where both have the same."""
    a, b = set(map(str, old)), set(map(str, new))
    sides = [("old", sorted(a - b)), ("new", sorted(b - a))]
    return "; ".join(f"only {side} has {' '.join(more)}" for side, more in sides if more)


def _setting(value: Any) -> str:
    return "default" if value is None or value == [] else _words(value)


def _words(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(entry)}" for name, entry in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
