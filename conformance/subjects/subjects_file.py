"""`subjects.yaml`: subjects with names of their own, and where each one runs.

subjects:
  - name: torch-ours                    # its name in the report; default: the text of `subject`
    subject: torch:compile              # framework[==version][:mode][/variant][@device]
    python: path/to/venv/bin/python  # the interpreter that has it (for a pin: the Python to build on)
  - name: torch-cluster
    subject: torch@cuda
    command: ssh node7 python3          # starts an interpreter elsewhere; nothing of ours is needed there
    environment: {OMP_NUM_THREADS: "1"}
  - subject: torch==1.10.0
    pins: [numpy==1.21.6]               # companions
"""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conformance.errors import CaseError, SubjectError
from conformance.subjects.subject import Subject, parse, with_pins
from conformance.yaml.keys import json_schema, read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import List, Mapping, kind
from conformance.yaml.tree import parse as parse_yaml


class SubjectsFile(BaseModel):
    """The top of a `subjects.yaml`: what is under test, and where each subject runs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subjects: list[object] = Field(min_length=1, description="a list of {subject, name, ...}")


class SubjectEntry(BaseModel):
    """One subject: what is under test, and what starts it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    subject: str = Field(description="framework[==version][:mode][/variant][@device], as torch:compile")
    name: str | None = Field(default=None, min_length=1, description="the subject's name in the report")
    python: str | None = Field(default=None, min_length=1, description="the path of an interpreter")
    command: str | list[str] | None = Field(
        default=None, description="as `ssh host python3`, a text or a list of words"
    )
    pins: list[str] = Field(
        default_factory=list, description="exact versions, as [torch==1.10.0, numpy==1.21.6]"
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="environment variables, each a text"
    )

    def resolve(self, folder: Path) -> Subject:
        """The subject that this entry describes; paths are relative to the file's `folder`."""
        subject = with_pins(parse(self.subject), self.pins)
        words = shlex.split(self.command) if isinstance(self.command, str) else self.command or []
        if words and (self.python or subject.version):
            other = "`python`" if self.python else "a pin"
            raise SubjectError(
                f"{other} and `command` exclude each other: the command starts its own interpreter"
            )
        changes: dict[str, Any] = {"remote": tuple(words), "environment": dict(self.environment)}
        if self.python is not None:
            changes["python"] = _path(self.python, folder)
        return dataclasses.replace(subject, name=self.name or subject.name, **changes)


def schema() -> dict[str, Any]:
    """The JSON schema of a `subjects.yaml`."""
    file = json_schema(SubjectsFile, "The subjects of the conformance suite")
    file["properties"]["subjects"]["items"] = SubjectEntry.model_json_schema()
    return file


def _path(python: str, folder: Path) -> str:
    """An interpreter's path: relative to the file, or, as a bare name, searched for on PATH."""
    if "/" in python or python.startswith("~"):
        return str(folder / Path(python).expanduser())
    return shutil.which(python) or python


def load(path: str | Path) -> dict[str, Subject]:
    """A file's subjects, by their names; CaseError with a line `file:line:column: ...` for each fault."""
    path = Path(path)
    faults = Faults(str(path))
    try:
        root = parse_yaml(path.read_bytes(), Limits.from_environment(), faults, "the key `subjects`")
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from None
    subjects: dict[str, Subject] = {}
    if root is not None:
        top, _ = read_keys(SubjectsFile, root, faults)
        entries = root.entries.get("subjects")
        if top is not None and isinstance(entries, List):
            for node in entries.items:
                if not isinstance(node, Mapping):
                    faults.add(
                        node.line,
                        node.column,
                        f"{kind(node)} as a subject",
                        "a mapping with the key `subject`",
                    )
                    continue
                entry, _ = read_keys(SubjectEntry, node, faults)
                if entry is not None:
                    _add(subjects, entry, node, path, faults)
    if faults:
        raise CaseError("\n".join(faults.lines()))
    return subjects


def _add(
    subjects: dict[str, Subject], entry: SubjectEntry, node: Mapping, path: Path, faults: Faults
) -> None:
    try:
        subject = entry.resolve(path.resolve().parent)
    except SubjectError as error:
        faults.add(node.line, node.column, str(error))
        return
    if subject.name in subjects:
        faults.add(
            node.line,
            node.column,
            f"the name {subject.name!r} is taken",
            "a `name` of its own for each subject",
        )
    subjects[subject.name] = subject
