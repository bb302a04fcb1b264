"""Subjects: what is under test, and where it runs.

Grammar: ``framework[==version][:mode][@device]``, as ``torch``, ``torch:compile``, ``tensorflow:xla``,
``jax:eager``, ``torch@cuda``, ``torch==1.10.0``.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from conformance.errors import SubjectError

FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
#: A framework's modes, its default first.
MODES = {
    "numpy": ("reference",),
    "torch": ("eager", "compile"),
    "tensorflow": ("eager", "function", "xla"),
    "jax": ("jit", "eager"),
}
SERVE = Path(__file__).parent / "adapters" / "serve.py"
_GRAMMAR = re.compile(r"(?P<framework>[A-Za-z_]\w*)(==(?P<version>[\w.+!-]+))?(:(?P<mode>\w+))?(@(?P<device>[\w:]+))?")


@dataclass(frozen=True)
class Subject:
    """A framework in a mode on a device, or a user's function, and the interpreter that runs it.

    `python` is the interpreter of the worker; `command`, where given, replaces the whole start of the
    worker up to `serve.py`'s own arguments (another machine, a container). `function` is
    ``FILE_OR_MODULE:NAME`` of a user's function that takes the place of `functional` in `operation`.
    """

    name: str
    framework: str
    version: str | None = None
    mode: str | None = None
    device: str | None = None
    python: str = sys.executable
    command: tuple[str, ...] = ()
    function: str | None = None
    operation: str | None = None
    environment: dict[str, str] = field(default_factory=dict, compare=False, hash=False)

    def argv(self) -> list[str]:
        """The command that starts this subject's worker."""
        start = list(self.command) or [self.python, "-u", str(SERVE)]
        options: list[str] = [self.framework]
        for flag in ("mode", "device", "function", "operation"):
            value = getattr(self, flag)
            if value is not None:
                options += [f"--{flag}", value]
        return start + options


def frameworks() -> tuple[str, ...]:
    """The frameworks that have an adapter: ours, then those of other distributions (`conformance.adapters`)."""
    others = {point.name for point in entry_points(group="conformance.adapters")}
    return FRAMEWORKS + tuple(sorted(others - set(FRAMEWORKS)))


def parse(text: str) -> Subject:
    """A subject from its name; SubjectError names what does not exist and what does."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise SubjectError(f"subject {text!r}: the grammar is framework[==version][:mode][@device], as torch:compile")
    framework, mode = match["framework"], match["mode"]
    known = frameworks()
    if framework not in known:
        near = difflib.get_close_matches(framework, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SubjectError(f"subject {text!r}: no adapter for {framework!r} (there are {', '.join(known)}){hint}")
    if mode and framework in MODES and mode not in MODES[framework]:
        raise SubjectError(f"subject {text!r}: {framework} has the modes {', '.join(MODES[framework])}")
    return Subject(text, framework, match["version"], mode, match["device"])


def installed(framework: str) -> bool:
    """Whether this interpreter can import the framework, without importing it."""
    try:
        return importlib.util.find_spec(framework) is not None
    except (ImportError, ValueError):
        return False


def install_hint(framework: str) -> str:
    """The command that installs a framework beside the suite."""
    return f"python -m pip install 'loss-conformance[{framework}]'"


def select(names: tuple[str, ...] | list[str]) -> tuple[list[Subject], list[str]]:
    """The subjects of a run and, where none were named, notes on the frameworks that are not installed.

    Raises SubjectError when a subject that was named is missing, or when there is none at all.
    """
    if names:
        chosen = [parse(name) for name in dict.fromkeys(names)]
        for subject in chosen:
            if subject.framework in FRAMEWORKS and subject.version is None and not installed(subject.framework):
                raise SubjectError(
                    f"subject {subject.name!r}: {subject.framework} is not installed here; "
                    f"install it with: {install_hint(subject.framework)}"
                )
        return chosen, []
    present = [name for name in FRAMEWORKS if installed(name)]
    notes = [
        f"{name} is not installed and was left out; install it with: {install_hint(name)}"
        for name in FRAMEWORKS
        if name not in present
    ]
    return [parse(name) for name in present], notes
