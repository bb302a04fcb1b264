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
from conformance.subjects.subject import MODES, Subject, parse

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.plan.requests import Wanted

PROFILES = ("default", "full", "kernels")
#: Modes that compile for seconds are asked for this dtype alone, and not for every combination of options
#: that a product of cases runs through.
SLOW_DTYPE = "float32"
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
    mode = subject.mode or next(iter(described.modes), "")
    return [variant for variant in described.variants if not variant.modes or mode in variant.modes]


def has_device(subject: Subject) -> bool:
    """Whether the subject's interpreter reaches a GPU; it is only asked where the machine has a driver."""
    described = description(subject.framework)
    if not described.accelerator or not _DRIVER.exists():
        return False
    command = [subject.python, "-c", described.accelerator_probe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().endswith("True")


def wanted(subject: str, case: Case, dtype: str, formulation: str, quantity: str) -> bool:
    """Whether a check belongs to the profile `full`.

    A mode other than the framework's default changes how a function is carried out: it is asked for few
    formulations, which are compared with each other in the default mode.
    """
    under_test = parse(subject)
    described = description(under_test.framework)
    if under_test.mode is None or under_test.mode == described.modes[0]:
        return True
    if formulation not in described.formulations_in_modes:
        return False
    product = "[" in case.id and "extreme" not in case.tags
    return under_test.mode not in described.slow or (dtype == SLOW_DTYPE and not product)


def wanted_by(profile: str) -> Wanted | None:
    """What a profile leaves out of the plan; None: nothing."""
    return wanted if profile == "full" else None
