"""Profiles: which subjects and checks a run holds beside what its call names.

`default`: the frameworks as users run them; `full`: every mode, device and large case; `kernels`: every
kernel variant that this processor can run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.adapters import hardware, variants
from conformance.adapters.description import Variant
from conformance.adapters.registry import description
from conformance.plan import omissions
from conformance.subjects.subject import MODES, Subject, parse

if TYPE_CHECKING:
    from conformance.plan.requests import Wanted

PROFILES = ("default", "full", "kernels")
_DRIVER = Path("/dev/nvidiactl")


def expanded(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects with every other mode of each framework behind it, and the devices that are present."""
    every = []
    for subject in subjects:
        names = [f"{subject.framework}:{mode}" for mode in MODES.get(subject.framework, ())[1:]]
        if has_device(subject):
            names.append(f"{subject.framework}@{description(subject.framework).accelerator}")
        every += [subject, *(replace(parse(name), python=subject.python) for name in names)]
    return every


def with_variants(subjects: Sequence[Subject]) -> tuple[list[Subject], list[str]]:
    """The subjects, each followed by the kernel variants of its framework, and notes on those left out.

    Left out is what this machine's processor cannot run. What runs elsewhere gets every variant: its worker
    knows its processor, and refuses the others.
    """
    flags = hardware.flags()
    by_name: dict[str, Subject] = {}
    notes = []
    for subject in subjects:
        by_name.setdefault(subject.name, subject)
        here = not subject.remote and not subject.command
        for variant in _variants_of(subject):
            name = f"{subject.name}/{variant.name}"
            lacking = variants.missing(variant, flags) if here else []
            if lacking:
                notes.append(f"{name} was left out: this processor lacks {', '.join(lacking)}")
            else:
                by_name.setdefault(name, replace(subject, name=name, variant=variant.name))
    return list(by_name.values()), notes


def _variants_of(subject: Subject) -> list[Variant]:
    """The variants that a subject can be had in: of kernels of the processor, which its mode runs."""
    if subject.variant or subject.device not in (None, "cpu"):
        return []
    described = description(subject.framework)
    mode = subject.mode or next(iter(described.mode_names), "")
    return [variant for variant in described.variants if not variant.modes or mode in variant.modes]


def has_device(subject: Subject) -> bool:
    """Whether the subject's interpreter reaches a GPU; it is only asked where the machine has a driver."""
    described = description(subject.framework)
    if not described.accelerator or not _DRIVER.exists():
        return False
    command = [subject.python, "-c", described.accelerator_probe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().endswith("True")


def wanted_by(profile: str) -> Wanted | None:
    """Which checks of its subjects belong to a profile, by `omissions`; None: all."""
    if profile != "full":
        return None
    return lambda subject, case, dtype, formulation, quantity: omissions.asks(
        profile, subject, case, dtype, formulation
    )
