"""How much a case file may ask for; files come from strangers."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from conformance.errors import CaseError


@dataclass(frozen=True)
class Limits:
    """Bounds on one case file; each is raised by an environment variable, as CONFORMANCE_MAX_ELEMENTS.

    file_bytes: the size of a YAML file. nodes: the values in it, keys included. depth: how deep they nest.
    elements: the elements of all tensors of a case together. cases: the cases that `vary` makes in a file.
    """

    file_bytes: int = 2**19
    nodes: int = 32_000
    depth: int = 32
    elements: int = 2**26
    cases: int = 1_000

    @classmethod
    def from_environment(cls) -> Limits:
        """The defaults, or what the environment says; CaseError where it says no positive integer."""
        values = {}
        for limit in fields(cls):
            name = f"CONFORMANCE_MAX_{limit.name.upper()}"
            text = os.environ.get(name)
            if text is None:
                continue
            if not (text.isascii() and text.isdigit() and 0 < len(text) <= 18 and int(text)):
                raise CaseError(f"{name}: {text[:40]!r} is no limit: a positive integer")
            values[limit.name] = int(text)
        return cls(**values)
