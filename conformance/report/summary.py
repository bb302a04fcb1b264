"""Summary of a run: whether this stack conforms, in one sentence, and what the sentence rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from conformance.report.figures import count, names, seconds
from conformance.report.verdicts import LOOKS, SEVERITY, Look, in_order, look

# What `run.json` says of a subject besides: shown when asked for.
MORE = ("versions", "kernels", "hardware", "settings")


@dataclass(frozen=True)
class Subject:
    """Subject of the run and what it ran on.

    Attributes:
        name: The subject as the run names it.
        framework: Its framework.
        version: The framework's version.
        mode: How it runs: eager, jit, compile ...
        device: Where it runs.
        python: Its interpreter's version.
        numpy: Its NumPy's version.
        subnormals: `kept` or `flushed`; empty where the subject could not say.
        facts: What `run.json` says of it besides.
    """

    name: str
    framework: str
    version: str
    mode: str
    device: str
    python: str
    numpy: str
    subnormals: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Summary:
    """Verdict on a whole run.

    Attributes:
        state: `conforms`, `deviates`, `incomplete` or `empty`.
        sentence: The verdict in a sentence.
        detail: The numbers behind it, in another.
        causes: Everything that a user's function does wrong, a sentence each.
        checks: How many checks the run has.
        conforming: How many conform.
        discrepancies: How many are discrepancies.
        known: How many are known deviations.
        textbook: How many failing ones are of textbook formulations.
        unsupported: How many are unsupported.
        verdicts: The verdicts that occur, in the order of tables.
        counts: For each verdict, each subject's number of checks.
        outcomes: For each outcome, each subject's number of checks; together they are all of its checks.
        subjects: The run's subjects, in order.
        facts: The run's own facts, by name.
        shared: Device, Python and NumPy where all subjects share them.
        differing: Those in which the subjects differ: the name, and each subject's.
        machines: The processors and the operating system.
        stale: The known deviations that deviate no longer.
        otherwise: The known deviations that state something else than is observed.
        covering: The known deviations that cover conforming checks without saying why, and how many.
        unsteady: The subjects whose bits differ between repeats of a check.
        run_id: The run's name.
    """

    state: str
    sentence: str
    detail: str
    causes: tuple[str, ...]
    checks: int
    conforming: int
    discrepancies: int
    known: int
    textbook: int
    unsupported: int
    verdicts: tuple[Look, ...]
    counts: Mapping[str, Mapping[str, int]]
    outcomes: Mapping[str, Mapping[str, int]]
    subjects: tuple[Subject, ...]
    facts: tuple[tuple[str, str], ...]
    shared: tuple[str, ...]
    differing: tuple[tuple[str, tuple[str, ...]], ...]
    machines: tuple[str, ...]
    stale: tuple[str, ...]
    otherwise: tuple[str, ...]
    covering: Mapping[str, int]
    unsteady: tuple[str, ...]
    run_id: str


def discrepancies(frame: pd.DataFrame) -> pd.Series:
    """Which checks are discrepancies: not conforming, not known, not of a textbook formulation."""
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & frame["verdict"].ne("not run")
    return failing & known_text(frame).eq("") & ~frame["textbook"].fillna(False).astype(bool)


def known_text(frame: pd.DataFrame) -> pd.Series:
    """The reason of each known deviation, empty text where there is none."""
    return frame["known"].fillna("").astype(str)


def summarise(frame: pd.DataFrame, environment: Mapping[str, Any]) -> Summary:
    """The summary of a run's checks and environment."""
    gates = discrepancies(frame)
    failing = frame["conforms"].eq(False).fillna(False).astype(bool) & frame["verdict"].ne("not run")
    known = failing & known_text(frame).ne("")
    textbook = failing & ~known & frame["textbook"].fillna(False).astype(bool)
    ran = frame["conforms"].notna() & frame["verdict"].ne("not run")
    state = _state(frame, environment, int(gates.sum()))
    subjects = _subjects(frame, environment)
    sentence, detail = _sentence(state, frame, gates, known, textbook, ran, subjects)
    masks = {"conforms": _conforms(frame), "discrepancy": gates, "known": known, "textbook": textbook}
    verdicts = _verdicts(frame)
    stated = environment.get("verdict") or {}  # of a user's function: its own words
    if stated:
        sentence, detail = str(stated["sentence"]), " ".join(map(str, stated["details"]))
    shared, differing = _shared(subjects)
    return Summary(
        state=state,
        sentence=sentence,
        detail=detail,
        causes=tuple(map(str, stated.get("causes") or ())),
        checks=len(frame),
        conforming=int(masks["conforms"].sum()),
        discrepancies=int(gates.sum()),
        known=int(known.sum()),
        textbook=int(textbook.sum()),
        unsupported=int(frame["verdict"].eq("unsupported").sum()),
        verdicts=tuple(in_order(verdicts)),
        counts={
            look.name: _per_subject(frame, frame["verdict"].eq(look.name), subjects) for look in verdicts
        },
        outcomes={
            name: _per_subject(frame, mask, subjects) for name, mask in {**masks, "no verdict": ~ran}.items()
        },
        subjects=subjects,
        facts=_facts(environment),
        shared=shared,
        differing=differing,
        machines=_machines(environment),
        stale=tuple(str(line) for line in environment.get("stale_known") or ()),
        otherwise=tuple(str(line) for line in environment.get("known_otherwise") or ()),
        covering=dict(environment.get("known_conforming") or {}),
        unsteady=tuple(
            f"{name}: {count(int(checks), 'check')} with other bits when asked again"
            for name, checks in (environment.get("unsteady") or {}).items()
        ),
        run_id=str(environment.get("id", "")),
    )


def _conforms(frame: pd.DataFrame) -> pd.Series:
    return frame["conforms"].eq(True).fillna(False).astype(bool)


def _verdicts(frame: pd.DataFrame) -> list[Look]:
    """The verdicts that occur, those that this version does not know last."""
    names_met = [str(name) for name in frame["verdict"].unique()]
    unknown = [look(name) for name in names_met if name not in SEVERITY]
    return [entry for entry in LOOKS if entry.name in names_met] + unknown


def _per_subject(frame: pd.DataFrame, mask: pd.Series, subjects: tuple[Subject, ...]) -> dict[str, int]:
    """How many of the masked rows each subject has."""
    numbers = frame.loc[mask, "subject"].value_counts().to_dict()
    return {subject.name: int(numbers.get(subject.name, 0)) for subject in subjects}


def _state(frame: pd.DataFrame, environment: Mapping[str, Any], gates: int) -> str:
    if gates:
        return "deviates"
    if not environment.get("complete", True) or frame["verdict"].eq("not run").any():
        return "incomplete"
    ran = frame["conforms"].notna().any()
    return "conforms" if ran else "empty"


def _sentence(
    state: str,
    frame: pd.DataFrame,
    gates: pd.Series,
    known: pd.Series,
    textbook: pd.Series,
    ran: pd.Series,
    subjects: tuple[Subject, ...],
) -> tuple[str, str]:
    """The verdict in one sentence, and one more with the numbers."""
    stack = names([f"{s.name} {s.version}".strip() for s in subjects])
    if state == "empty":
        return "Nothing was checked.", "No check of this run returned a verdict."
    gating = int(gates.sum())
    if state == "deviates":
        per_subject = frame.loc[gates, "subject"].value_counts()
        places = names([f"{name} ({number:,})" for name, number in per_subject.items()])
        text = f"This stack does not conform: {count(gating, 'discrepancy', 'discrepancies')}, in {places}."
    elif state == "incomplete":
        missing = int(frame["verdict"].eq("not run").sum())
        not_run = f", {count(missing, 'check')} not run" if missing else ""
        text = f"This run is incomplete{not_run}: what ran conforms, the rest is unknown."
    else:
        differing = "known deviations" if known.any() else "textbook formulations" if textbook.any() else ""
        rest = f", {differing} apart." if differing else " on every check."
        stays = "stays" if len(subjects) == 1 else "stay"
        text = f"This stack conforms: {stack} {stays} within the derived bounds{rest}"
    conforming = int(_conforms(frame).sum())
    detail = (
        f"{conforming:,} of {count(int(ran.sum()), 'check')} conform; "
        f"{count(int(known.sum()), 'deviation')} known, {int(textbook.sum()):,} of textbook formulations."
    )
    return text, detail


def _subjects(frame: pd.DataFrame, environment: Mapping[str, Any]) -> tuple[Subject, ...]:
    described: Mapping[str, Any] = environment.get("subjects") or {}
    seen = [str(name) for name in frame["subject"].unique()]
    out = []
    for name in [*[n for n in described if n in seen or not seen], *[n for n in seen if n not in described]]:
        entry = described.get(name) or {}
        version = str(entry.get("version") or _first(frame, name, "framework_version"))
        flushes = entry.get("flushes_subnormals")
        out.append(
            Subject(
                name=name,
                framework=str(entry.get("framework") or _first(frame, name, "framework")),
                version=version,
                mode=str(entry.get("mode") or ""),
                device=str(entry.get("device") or ""),
                python=str(entry.get("python") or ""),
                numpy=str(entry.get("numpy") or ""),
                subnormals="" if flushes is None else "flushed" if flushes else "kept",
                facts=tuple((key, _plain(entry[key])) for key in MORE if entry.get(key)),
            )
        )
    return tuple(out)


def _first(frame: pd.DataFrame, subject: str, column: str) -> str:
    rows = frame.loc[frame["subject"].eq(subject), column].dropna()
    return str(rows.iloc[0]) if len(rows) else ""


def _facts(environment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The run's own facts, in the order in which people ask for them."""
    facts = [
        (name, _plain(environment[key]))
        for key, name in (("id", "run"), ("started", "started"), ("conformance", "conformance"))
        if environment.get(key)
    ]
    if environment.get("seconds") is not None:
        facts.append(("took", seconds(float(environment["seconds"]))))
    facts += [(key, _plain(value)) for key, value in (environment.get("hardware") or {}).items() if value]
    facts += [(key, _plain(value)) for key, value in (environment.get("settings") or {}).items() if value]
    return tuple(facts)


def _shared(
    subjects: tuple[Subject, ...],
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
    """What all subjects run on, as `Python 3.11.7`, and what differs between them, subject by subject."""
    columns = {
        "device": tuple(subject.device for subject in subjects),
        "Python": tuple(subject.python for subject in subjects),
        "NumPy": tuple(subject.numpy for subject in subjects),
    }
    shared = [
        values[0] if name == "device" else f"{name} {values[0]}"
        for name, values in columns.items()
        if len(set(values)) == 1 and values[0]
    ]
    return tuple(shared), tuple((name, values) for name, values in columns.items() if len(set(values)) > 1)


def _machines(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """The processors that the subjects ran on and the operating system, each once, in a few words."""
    common = environment.get("hardware") or {}
    machines = []
    for subject in (environment.get("subjects") or {}).values():
        hardware = subject.get("hardware") or {}
        cores = hardware.get("cores") or common.get("cpus")
        parts = [
            str(hardware.get(key)) for key in ("device", "gpu", "accelerator", "cpu") if hardware.get(key)
        ]
        parts = [part for part in parts if part != "cpu"] or parts  # the processor's name says as much
        parts = parts or [str(common.get("machine") or "")]
        parts += [count(cores, "core")] if isinstance(cores, int) else []
        machines.append(", ".join(part for part in parts if part))
    system = str(common.get("system") or "").partition("-with-")[0]
    return tuple(dict.fromkeys(name for name in [*machines, system] if name))


def _plain(value: object) -> str:
    """A value of `run.json` as text: yes and no, lists and mappings on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(entry) for entry in value)
    return str(value)
