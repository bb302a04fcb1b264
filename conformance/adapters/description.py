"""Description of a framework: what is known of it without importing it.

Every framework's folder holds one. The suite's own process reads it to parse subjects, plan profiles and
build environments, where the framework may not even be installed; the worker reads it before the framework
is imported. So it is data alone, and imports nothing else.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple

#: A rule for some of a framework's releases: a version specifier, and requirements in pip's grammar.
VersionRule = Tuple[str, Tuple[str, ...]]


class Variant(NamedTuple):
    """A kernel variant: the kernels that a framework would run elsewhere, or by one thread.

    Attributes:
        name: What stands behind the slash of a subject.
        environment: The variables that choose it, set before NumPy and the framework are imported. Those of
            `variants.LISTS` are put behind what the user's own hold.
        reported: What `Adapter.kernels`, or the hardware of `Adapter.describe`, says where it took effect:
            these keys with these values.
        unreported: Names that none of these keys' lists may hold: key -> names.
        needs: The processor's flags without which it cannot run.
        modes: The modes whose kernels it chooses; empty for every mode.
    """

    name: str
    environment: Dict[str, str]
    reported: Dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    unreported: Dict[str, Tuple[str, ...]] = {}  # noqa: RUF012
    needs: Tuple[str, ...] = ()
    modes: Tuple[str, ...] = ()


class Mode(NamedTuple):
    """A mode: a way to carry a function out.

    Attributes:
        name: What stands behind the colon of a subject.
        line: What it does, in one line.
        wrapped: How a call is wrapped, as an expression of the framework's own.
        cannot: What it cannot do, each with the reason.
        compiles: Whether it makes a program for each shape and dtype.
        like: The mode whose formulas it computes: what is known of that one, and the same, holds here.
        widened: Operations whose result of a half type is float32 here, by the mode's documented rule.
    """

    name: str
    line: str
    wrapped: str = "call(tensors)"
    cannot: Tuple[str, ...] = ()
    compiles: bool = False
    like: str = ""
    widened: Tuple[str, ...] = ()


#: The one mode of a framework that has no other.
EAGER = Mode("eager", "the framework as it runs by itself")


class Description(NamedTuple):
    """A framework as the suite knows it before its import.

    Attributes:
        modes: The ways to carry a function out, a row each, the default first.
        devices: The devices that it can be asked for, the default first; empty: the framework itself tells.
        variants: The kernel variants that its own switches choose.
        accelerator: The device beside the processor; empty for none.
        accelerator_probe: A program that prints ``True`` where there is such a device.
        distributions: Its names on the package index, in order of preference; empty: the folder's name.
        compiled_distribution: The distribution that holds its compiled code, where that is another one.
        extras: The extras that its distribution is installed with, as ``[cpu]``.
        constraints: Limits on companions that its releases need and do not declare.
        requirements: What a worker needs beside its releases.
        wheels: Distributions that are taken as wheels only: built from source they would take hours.
    """

    modes: Tuple[Mode, ...] = (EAGER,)
    devices: Tuple[str, ...] = ("cpu",)
    variants: Tuple[Variant, ...] = ()
    accelerator: str = ""
    accelerator_probe: str = ""
    distributions: Tuple[str, ...] = ()
    compiled_distribution: str = ""
    extras: str = ""
    constraints: Tuple[VersionRule, ...] = ()
    requirements: Tuple[VersionRule, ...] = ()
    wheels: Tuple[str, ...] = ()

    @property
    def mode_names(self) -> Tuple[str, ...]:
        """The names of the modes, the default first."""
        return tuple(mode.name for mode in self.modes)

    def mode(self, name: Optional[str]) -> Optional[Mode]:
        """The mode of that name; None: the default. None where the framework has no such mode."""
        return next((mode for mode in self.modes if name in (None, mode.name)), None)
