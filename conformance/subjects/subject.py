"""Subjects: what is under test, and where it runs.

Grammar: ``framework[==version[,package==version ...]][:mode][/variant][@device]``, as ``torch``,
``torch:compile``, ``tensorflow:xla``, ``tensorflow/eigen``, ``jax:eager/avx2``, ``torch@cuda``,
``torch==1.10.0``, ``torch==2.12.1,numpy==2.1.0:compile``.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from conformance.adapters import hardware, variants
from conformance.adapters.base import Unavailable
from conformance.adapters.registry import FRAMEWORKS, description
from conformance.errors import SubjectError
from conformance.subjects import remote_bootstrap, third_party

#: A framework's modes, its default first.
MODES = {framework: description(framework).mode_names for framework in FRAMEWORKS}
#: What a worker tells of its processor.
INSTRUCTION_SETS = hardware.KERNEL_FLAGS
SERVE = Path(__file__).parents[1] / "adapters" / "serve.py"
_GRAMMAR_TEXT = "framework[==version[,package==version ...]][:mode][/variant][@device]"
_VERSION = r"[\w.+!-]+"
_PIN = rf"[A-Za-z0-9][\w.-]*=={_VERSION}"
_GRAMMAR = re.compile(
    rf"(?P<framework>[A-Za-z_][\w.-]*)(==(?P<version>{_VERSION})(?P<companions>(,{_PIN})*))?"
    r"(:(?P<mode>\w+))?(/(?P<variant>\w+))?(@(?P<device>[\w:]+))?"
)


@dataclass(frozen=True)
class Subject:
    """A framework in a mode, by a kernel variant, on a device; or a user's function; and what runs it.

    Attributes:
        name: Its name in the report.
        framework: The framework's name.
        version: The framework's exact version; `environments` finds an interpreter that has it. None for any.
        mode: The way to carry a function out, as ``compile``; None for the framework's default.
        variant: The kernels that it is to run, as ``avx2``; None for those that it dispatches by itself.
        device: The device, as ``cuda``; None for the framework's default.
        python: The interpreter of its worker.
        command: What replaces the whole start of the worker up to `serve.py`'s own arguments.
        function: ``FILE_OR_MODULE:NAME`` of a user's function in the place of `functional`.
        operation: The operation that the user's function carries out.
        returns: Which of several results of the user's function is the loss, an index or a key.
        companions: Exact versions of other packages, as ``numpy==1.21.6``, beside the framework's.
        remote: A command that starts an interpreter elsewhere (``ssh host python3``, ``docker run -i image
            python``), to which the adapters are handed over.
        environment: Variables of the worker, beside this process's own.
    """

    name: str
    framework: str
    version: str | None = None
    mode: str | None = None
    variant: str | None = None
    device: str | None = None
    python: str = sys.executable
    command: tuple[str, ...] = ()
    function: str | None = None
    operation: str | None = None
    returns: str | None = None
    companions: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, compare=False, hash=False)

    @property
    def pins(self) -> tuple[str, ...]:
        """The exact versions that its interpreter must have, the framework's first; empty without a pin."""
        return () if self.version is None else (f"{self.framework}=={self.version}", *self.companions)

    @property
    def unpinned(self) -> str:
        """The subject whatever its versions: framework[:mode][/variant][@device]."""
        parts = ((":", self.mode), ("/", self.variant), ("@", self.device))
        return self.framework + "".join(sign + part for sign, part in parts if part)

    @property
    def names(self) -> tuple[str, ...]:
        """What known deviations may call it: its name, and a framework's without pins and without device."""
        if self.function is not None:
            return (self.name,)
        plain = self.framework + (f":{self.mode}" if self.mode else "")
        return tuple(dict.fromkeys((self.name, self.unpinned, plain)))

    @property
    def like(self) -> tuple[str, ...]:
        """The subjects whose formulas a mode computes, whose known deviations it shares: nearest first."""
        described = description(self.framework)
        mode = None if self.function is not None else described.mode(self.mode)
        names: list[str] = []
        while mode is not None and mode.like:
            default = mode.like == described.mode_names[0]
            names.append(self.framework if default else f"{self.framework}:{mode.like}")
            mode = described.mode(mode.like)
        return tuple(names)

    def widens(self, operation: str) -> bool:
        """Whether its mode gives float32 results of half types in an operation, by that mode's own rule."""
        mode = description(self.framework).mode(self.mode)
        return mode is not None and operation in mode.widened

    def argv(self) -> list[str]:
        """The command that starts this subject's worker."""
        options: list[str] = [self.framework]
        for flag in ("mode", "variant", "device", "function", "operation", "returns"):
            value = getattr(self, flag)
            if value is not None:
                options += [f"--{flag}", value]
        if self.remote:
            return remote_bootstrap.argv(self.remote, options)
        return (list(self.command) or [self.python, "-u", str(SERVE)]) + options

    def preamble(self) -> bytes:
        """What its worker reads before the first frame: the adapters, where they are handed over."""
        return remote_bootstrap.payload() if self.remote else b""


def frameworks() -> tuple[str, ...]:
    """The frameworks that have an adapter: ours, then other distributions' (group `conformance.adapters`)."""
    return FRAMEWORKS + tuple(sorted(set(third_party.adapters()) - set(FRAMEWORKS)))


def names(framework: str) -> list[str]:
    """The subjects of a framework, without pins and devices: in every mode, by every kernel variant of it."""
    described = description(framework)
    subjects = [framework, *(f"{framework}:{mode}" for mode in described.mode_names)]
    for variant in described.variants:
        modes = [mode for mode in described.mode_names if not variant.modes or mode in variant.modes]
        subjects += [f"{framework}/{variant.name}", *(f"{framework}:{mode}/{variant.name}" for mode in modes)]
    return subjects


def parse(text: str) -> Subject:
    """The subject of a text.

    Args:
        text: A name of the grammar, as ``torch:compile/avx2``.

    Raises:
        SubjectError: It names a framework, mode, variant or device that does not exist; it says which do.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise SubjectError(
            f"subject {text!r}: the grammar is {_GRAMMAR_TEXT}, as torch:compile or torch==1.10.0"
        )
    framework, mode, variant, device = match["framework"], match["mode"], match["variant"], match["device"]
    known = frameworks()
    if framework not in known:
        near = difflib.get_close_matches(framework, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SubjectError(
            f"subject {text!r}: no adapter for {framework!r} (there are {', '.join(known)}){hint}"
        )
    if framework in FRAMEWORKS:
        _require_parts(text, framework, mode, variant, device)
    elif match["version"]:
        raise SubjectError(
            f"subject {text!r}: only {', '.join(FRAMEWORKS)} can be pinned; name an interpreter that has "
            f"{framework} and its adapter with --python"
        )
    elif variant:
        raise SubjectError(f"subject {text!r}: {framework} has no variants")
    companions = tuple(pin for pin in (match["companions"] or "").split(",") if pin)
    return Subject(text, framework, match["version"], mode, variant, device, companions=companions)


def _require_parts(
    text: str, framework: str, mode: str | None, variant: str | None, device: str | None
) -> None:
    """SubjectError where a framework lacks the mode, variant or device, or they do not go together."""
    described = description(framework)
    if mode and mode not in described.mode_names:
        modes = ", ".join(described.mode_names)
        raise SubjectError(f"subject {text!r}: {framework} has the modes {modes}{_meant(framework, mode)}")
    misplaced = device in {*described.mode_names, *(each.name for each in described.variants)}
    if device and (misplaced or described.devices) and device not in described.devices:
        devices = ", ".join(described.devices) or "cpu, cuda and others"
        raise SubjectError(
            f"subject {text!r}: {framework} has the devices {devices}{_meant(framework, device)}"
        )
    if variant:
        try:
            variants.find(framework, variant, mode, device)
        except Unavailable as error:
            raise SubjectError(f"subject {text!r}: {error}{_meant(framework, variant)}") from None


def _meant(framework: str, word: str) -> str:
    """The question whether another subject was meant: its word behind another sign, or misspelt."""
    described = description(framework)
    names = {f":{mode}": mode for mode in described.mode_names}
    names |= {f"/{variant.name}": variant.name for variant in described.variants}
    names |= {f"@{device}": device for device in described.devices}
    near = difflib.get_close_matches(word, names.values(), n=1)
    return next((f"; did you mean {framework}{tail}?" for tail, name in names.items() if name in near), "")


def with_pins(subject: Subject, pins: Sequence[str]) -> Subject:
    """The subject with more pins, its framework's among them or not; SubjectError where a pin is none."""
    if not pins:
        return subject
    tail = subject.unpinned[len(subject.framework) :]
    of_framework = [pin for pin in pins if pin.split("==")[0] == subject.framework]
    others = [pin for pin in pins if pin not in of_framework]
    first = [*subject.pins[:1], *of_framework][-1] if subject.pins or of_framework else ""
    if not first:
        raise SubjectError(
            f"subject {subject.name!r}: the pins {', '.join(pins)} need one of {subject.framework} too"
        )
    return parse(",".join([first, *subject.companions, *others]) + tail)


def installed(framework: str) -> bool:
    """Whether this interpreter has the framework, without importing it."""
    if framework in FRAMEWORKS:
        return third_party.importable(framework)
    point = third_party.adapters().get(framework)
    return point is not None and not third_party.lacking(point)


def installed_version(framework: str) -> str:
    """The version of a framework in this interpreter, without importing it; empty where none is on record."""
    for name in description(framework).distributions or (framework,):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def install_hint(framework: str) -> str:
    """The command that installs a framework beside the suite; empty where nobody knows it."""
    if framework in FRAMEWORKS:
        return f"python -m pip install 'loss-conformance[{framework}]'"
    point = third_party.adapters().get(framework)
    return "" if point is None else third_party.install_hint(point)


def not_installed(framework: str) -> str:
    """What is said of a framework that this interpreter lacks, with the remedy where there is one."""
    point = None if framework in FRAMEWORKS else third_party.adapters().get(framework)
    needed = "" if point is None else f": its adapter needs {', '.join(third_party.lacking(point))}"
    hint = install_hint(framework)
    return f"{framework} is not installed here{needed}" + (f"; install it with: {hint}" if hint else "")


def require_processor(subject: Subject) -> None:
    """SubjectError where this machine is to run the subject, and cannot run its variant's kernels."""
    if subject.variant and not subject.remote and not subject.command:
        variant = variants.find(subject.framework, subject.variant)
        try:
            variants.require_processor(subject.framework, variant, hardware.flags())
        except Unavailable as error:
            raise SubjectError(f"subject {subject.name!r}: {error}") from None
