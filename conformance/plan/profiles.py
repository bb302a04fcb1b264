"""Profiles: `default`, the frameworks as users run them; `full`, every mode, device and large case."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.subjects.subject import MODES, Subject, parse

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.plan.requests import Wanted

PROFILES = ("default", "full")
#: What a mode other than the framework's default is asked for: it changes how a function is carried out, and
#: the formulations are compared with each other in the default mode.
IN_MODES = {"jax": ("functional", "composed")}  # JAX has no losses of its own
#: Modes that compile a program for seconds: they are asked for one dtype, and not for every combination of
#: options that a product of cases runs through.
SLOW_MODES = ("torch:compile",)
SLOW_DTYPE = "float32"
#: Framework -> its device beside the processor, and the expression that says whether there is one.
DEVICES = {
    "torch": ("cuda", "import torch; print(torch.cuda.is_available())"),
    "tensorflow": ("gpu", "import tensorflow as f; print(bool(f.config.list_physical_devices('GPU')))"),
    "jax": ("gpu", "import jax; print(jax.default_backend() == 'gpu')"),
}
_DRIVER = Path("/dev/nvidiactl")


def expanded(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects with every other mode of each framework behind it, and the devices that are present."""
    found = []
    for subject in subjects:
        names = [f"{subject.framework}:{mode}" for mode in MODES.get(subject.framework, ())[1:]]
        if has_device(subject):
            names.append(f"{subject.framework}@{DEVICES[subject.framework][0]}")
        found += [subject, *(replace(parse(name), python=subject.python) for name in names)]
    return found


def has_device(subject: Subject) -> bool:
    """Whether the subject's interpreter reaches a GPU; it is only asked where the machine has a driver."""
    if subject.framework not in DEVICES or not _DRIVER.exists():
        return False
    command = [subject.python, "-c", DEVICES[subject.framework][1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().endswith("True")


def wanted(subject: str, case: Case, dtype: str, formulation: str, quantity: str) -> bool:
    """Whether a check belongs to the profile `full`."""
    one = parse(subject)
    if one.mode is None or one.mode == MODES[one.framework][0]:
        return True
    if formulation not in IN_MODES.get(one.framework, ("functional",)):
        return False
    product = "[" in case.id and "extreme" not in case.tags
    return f"{one.framework}:{one.mode}" not in SLOW_MODES or (dtype == SLOW_DTYPE and not product)


def wanted_by(profile: str) -> Wanted | None:
    """What a profile leaves out of the plan; None: nothing."""
    return wanted if profile == "full" else None
