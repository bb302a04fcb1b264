"""Which subject of one run is compared with which of another, and what else differs between the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.errors import RunError, SubjectError
from conformance.results.run import Run
from conformance.subjects.subject import MODES, parse


@dataclass(frozen=True)
class Pair:
    """Two subjects that are compared, by their names in either run, and the pair's own name."""

    old: str
    new: str
    label: str


def pair(old: Run, new: Run, given: Sequence[str] = ()) -> list[Pair]:
    """Pairs the subjects of two runs: as `given` (``OLD=NEW``), by name, then by framework, mode and device.

    Raises RunError where a given name does not exist, where two subjects of one kind leave it open which
    belongs to which, or where nothing pairs at all.
    """
    there = {side: list(run.environment.get("subjects", {})) for side, run in (("old", old), ("new", new))}
    pairs = [_given(text, there) for text in given]
    taken = {side: {getattr(one, side) for one in pairs} for side in there}
    left = {side: [name for name in names if name not in taken[side]] for side, names in there.items()}
    for name in [name for name in left["old"] if name in left["new"]]:
        pairs.append(Pair(name, name, name))
        left["old"].remove(name)
        left["new"].remove(name)
    kinds = {side: _by_kind(run, left[side]) for side, run in (("old", old), ("new", new))}
    for kind, olds in kinds["old"].items():
        news = kinds["new"].get(kind, [])
        if len(olds) == len(news) == 1:
            pairs.append(Pair(olds[0], news[0], kind))
        elif olds and news:
            raise RunError(
                f"{kind}: which of {', '.join(olds)} belongs to which of {', '.join(news)}? "
                "Say it with --pair OLD=NEW"
            )
    if not pairs:
        raise RunError(
            "the runs share no subject: "
            f"{', '.join(there['old']) or 'none'} and {', '.join(there['new']) or 'none'}; "
            "name what to compare with --pair OLD=NEW"
        )
    return pairs


def _given(text: str, there: Mapping[str, Sequence[str]]) -> Pair:
    # Names hold == and may hold =: every way to cut the text is tried.
    for position, letter in enumerate(text):
        old, new = text[:position], text[position + 1 :]
        if letter == "=" and old in there["old"] and new in there["new"]:
            return Pair(old, new, old if old == new else f"{old} = {new}")
    raise RunError(
        f"--pair {text}: as OLD=NEW, with OLD one of {', '.join(there['old'])} "
        f"and NEW one of {', '.join(there['new'])}"
    )


def _by_kind(run: Run, names: Sequence[str]) -> dict[str, list[str]]:
    """Subjects by framework, mode and device, as their workers said; where one never spoke, by its name."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        about = run.environment["subjects"][name]
        framework = str(about.get("framework", name))
        mode, device = str(about.get("mode") or _mode(name)), str(about.get("device") or "")
        kind = framework + (f":{mode}" if mode else "") + (f"@{device}" if device not in ("", "cpu") else "")
        kinds.setdefault(kind, []).append(name)
    return kinds


def _mode(name: str) -> str:
    try:
        subject = parse(name)
    except SubjectError:
        return ""
    return subject.mode or MODES.get(subject.framework, ("",))[0]


def warnings_about(old: Run, new: Run, pairs: Sequence[Pair]) -> list[str]:
    """A line for whatever else differs between two runs: hardware, an unfinished run."""
    lines = [
        f"the {side} run is incomplete: what it lacks counts as {'added' if side == 'old' else 'removed'}"
        for side, run in (("old", old), ("new", new))
        if not run.complete
    ]
    for one in pairs:
        before, after = old.environment["subjects"][one.old], new.environment["subjects"][one.new]
        for line in _apart(before, after):
            text = f"different hardware: {line}"
            if text not in lines:
                lines.append(text)
    return lines


def _apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    a, b = before.get("hardware") or {}, after.get("hardware") or {}
    lines = []
    if not a or not b:
        return []
    for name, what in (("cpu", "CPU"), ("cores", "cores"), ("gpu", "GPU")):
        if a.get(name) != b.get(name):
            lines.append(f"{what} {a.get(name, 'none')}, then {b.get(name, 'none')}")
    gone, come = (sorted(set(x.get("flags", ())) - set(y.get("flags", ()))) for x, y in ((a, b), (b, a)))
    if gone or come:
        sides = [
            f"only {side} has {' '.join(flags)}" for side, flags in (("old", gone), ("new", come)) if flags
        ]
        lines.append(f"CPU flags, which decide which kernels run: {'; '.join(sides)}")
    if before.get("flushes_subnormals") != after.get("flushes_subnormals"):
        lines.append("only one of them flushes subnormals to zero")
    return lines
