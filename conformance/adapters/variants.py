"""Kernel variants: chosen before the framework's import, and shown by its own report afterwards.

Which kernel runs is decided by the processor and by the framework's own switches, most of them environment
variables that are read once. The tables are in the frameworks' descriptions. A variant that does not take
effect is refused: nothing is ever run as something else.
"""

from __future__ import annotations

import os
from typing import Any, Collection, Dict, List, MutableMapping, Optional

from .base import Unavailable
from .description import Variant
from .registry import description

#: Variables that hold a list of flags, later ones of which win: a variant's go behind the user's.
LISTS = ("XLA_FLAGS",)


def find(framework: str, name: str, mode: Optional[str] = None, device: Optional[str] = None) -> Variant:
    """The variant of that name.

    Args:
        framework: The framework's name.
        name: The variant's name.
        mode: The subject's mode; None for the framework's default.
        device: The subject's device; None for the framework's default.

    Raises:
        Unavailable: The framework has no such variant, or it chooses nothing in this mode or on this device.
    """
    described = description(framework)
    names = [variant.name for variant in described.variants]
    if name not in names:
        listed = "the variants " + ", ".join(names) if names else "no variants"
        raise Unavailable("{} has {}".format(framework, listed))
    variant = described.variants[names.index(name)]
    if device not in (None, "cpu"):
        raise Unavailable("the variant {} is of the processor's kernels: {} runs others".format(name, device))
    mode = mode or described.mode_names[0]
    if variant.modes and mode not in variant.modes:
        what = "the variant {} chooses no kernels of the mode {}: {} alone".format(
            name, mode, ", ".join(variant.modes)
        )
        raise Unavailable(what)
    return variant


def choose(variant: Variant, environment: MutableMapping[str, str]) -> None:
    """Set a variant's variables in an environment."""
    for name, value in variant.environment.items():
        before = environment.get(name, "") if name in LISTS else ""
        environment[name] = (before + " " + value).strip()


def missing(variant: Variant, flags: Collection[str]) -> List[str]:
    """The flags that a variant needs and a processor lacks."""
    return [flag for flag in variant.needs if flag not in flags]


def require_processor(framework: str, variant: Variant, flags: Collection[str]) -> None:
    """Unavailable, in one line, where the processor cannot run a variant: some frameworks would try."""
    lacks = missing(variant, flags)
    if lacks:
        what = "{}/{} needs a processor with {}: this one lacks {}"
        raise Unavailable(what.format(framework, variant.name, ", ".join(variant.needs), ", ".join(lacks)))


def require_effect(framework: str, name: str, kernels: Dict[str, Any]) -> None:
    """Unavailable, in one line, where the framework's report does not show that a variant took effect.

    Args:
        framework: The framework's name.
        name: The variant's name.
        kernels: What `Adapter.kernels` reports, and the hardware of `Adapter.describe`, as its threads.
    """
    variant = find(framework, name)
    switch = " ".join("{}={}".format(name, os.environ.get(name, "")) for name in variant.environment)
    for key, value in variant.reported.items():
        if kernels.get(key) != value:
            what = "{}/{} does not take effect here: with {} {} reports {} {!r}, not {!r}"
            raise Unavailable(
                what.format(framework, variant.name, switch, framework, key, kernels.get(key), value)
            )
    for key, names in variant.unreported.items():
        if not isinstance(kernels.get(key), list):
            what = "{}/{} cannot be shown here: this {} does not report what is {}"
            raise Unavailable(what.format(framework, variant.name, framework, key))
        still = [name for name in kernels[key] if name in names]
        if still:
            what = "{}/{} does not take effect here: with {} {} still reports {} {}"
            raise Unavailable(what.format(framework, variant.name, switch, framework, key, " ".join(still)))
