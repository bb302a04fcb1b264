"""Subject matching: which subject of one run is compared with which of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.errors import RunError, SubjectError
from conformance.results.run import Run
from conformance.subjects.subject import MODES, parse


@dataclass(frozen=True)
class Pair:
    """Two subjects that are compared.

    Attributes:
        old: The subject's name in the earlier run.
        new: The subject's name in the later run.
        label: The pair's own name.
    """

    old: str
    new: str
    label: str


def pair(old: Run, new: Run, given: Sequence[str] = ()) -> list[Pair]:
    """Pairs the subjects of two runs: as `given` (``OLD=NEW``), by name, then by framework, mode and device.

    Raises RunError where a given name does not exist, where two subjects of one kind leave it open which
    belongs to which, or where nothing pairs at all.
    """
    names = {side: list(run.environment.get("subjects", {})) for side, run in (("old", old), ("new", new))}
    pairs = [_given(text, names) for text in given]
    paired = {side: {getattr(pair, side) for pair in pairs} for side in names}
    remaining = {side: [name for name in names[side] if name not in paired[side]] for side in names}
    for name in [name for name in remaining["old"] if name in remaining["new"]]:
        pairs.append(Pair(name, name, name))
        remaining["old"].remove(name)
        remaining["new"].remove(name)
    kinds = {side: _by_kind(run, remaining[side]) for side, run in (("old", old), ("new", new))}
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
            f"{', '.join(names['old']) or 'none'} and {', '.join(names['new']) or 'none'}; "
            "name what to compare with --pair OLD=NEW"
        )
    return pairs


def _given(text: str, names: Mapping[str, Sequence[str]]) -> Pair:
    # Names hold == and may hold =: every way to cut the text is tried.
    for position, letter in enumerate(text):
        old, new = text[:position], text[position + 1 :]
        if letter == "=" and old in names["old"] and new in names["new"]:
            return Pair(old, new, old if old == new else f"{old} = {new}")
    raise RunError(
        f"--pair {text}: as OLD=NEW, with OLD one of {', '.join(names['old'])} "
        f"and NEW one of {', '.join(names['new'])}"
    )


def _by_kind(run: Run, names: Sequence[str]) -> dict[str, list[str]]:
    """Subjects by what they are but for versions, as their workers said, or else their names."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        about = run.environment["subjects"][name]
        mode, variant = (str(about.get(part) or _named(name, part)) for part in ("mode", "variant"))
        device = str(about.get("device") or "")
        parts = ((":", mode), ("/", variant), ("@", "" if device == "cpu" else device))
        kind = str(about.get("framework", name)) + "".join(sign + part for sign, part in parts if part)
        kinds.setdefault(kind, []).append(name)
    return kinds


def _named(name: str, part: str) -> str:
    """The mode or variant that a subject's name says; the framework's default mode where it says none."""
    try:
        subject = parse(name)
    except SubjectError:
        return ""
    default = MODES.get(subject.framework, ("",))[0] if part == "mode" else ""
    return getattr(subject, part) or default
